"""ROS 2: domain, peers and profiles of the nodes of a stack."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import ros
from macvlan_ros.errors import StackFileError
from macvlan_ros.models.containers import BridgeUse, Service
from macvlan_ros.models.stacks import Discovery, Stack
from macvlan_ros.ros import Graph
from macvlan_ros.ros.ros2 import PROFILE
from tests.unit.stack_text import error_of, load_text

OWN = IPAddress("192.168.50.195")
OTHER = IPAddress("192.168.50.196")
PC = IPAddress("192.168.50.11")
PEERS = (PC, OWN, OTHER)
CYCLONE = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
FAST = {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}
ZENOH = {"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}
HUMBLE = {"ROS_DISTRO": "humble"}
JAZZY = {"ROS_DISTRO": "jazzy"}
MEETING = "192.168.50.196:11811"
USUAL = Graph(peers=PEERS)


def prepared(
    said: Mapping[str, str],
    *,
    image: Mapping[str, str] = HUMBLE,
    graph: Graph = USUAL,
    hybrid: bool = False,
    read_only: bool = False,
    address: IPAddress = OWN,
) -> ros.RosEnvironment:
    service = Service(
        name="talker",
        image="ros",
        container_name="talker",
        environment=said,
        bridges=(BridgeUse("inner"),) if hybrid else (),
        read_only=read_only,
    )
    return ros.environment(
        service,
        address=address,
        master_uri="http://192.168.50.196:11311",
        image_environment=image,
        former={},
        graph=graph,
    )


def changes(
    said: Mapping[str, str],
    *,
    image: Mapping[str, str] = HUMBLE,
    graph: Graph = USUAL,
    hybrid: bool = False,
) -> dict[str, str | None]:
    """The variables that were added, changed or (None) taken out."""
    variables = prepared(said, image=image, graph=graph, hybrid=hybrid).variables
    return {key: value for key, value in variables.items() if said.get(key) != value}


def texts(xml: str, name: str) -> list[str]:
    """The texts of all elements of that name, whatever their namespace."""
    return [one.text or "" for one in ET.fromstring(xml).iter() if one.tag.split("}")[-1] == name]


@pytest.mark.parametrize(
    ("said", "image", "asked", "which"),
    [
        ({}, {}, "", "1"),
        ({}, {"ROS_DISTRO": "noetic"}, "", "1"),
        ({}, {"ROS_DISTRO": "humble"}, "", "2"),
        ({}, {"ROS_DISTRO": "humble"}, "1", "1"),
        ({}, {"ROS_DISTRO": "some-later-one"}, "", "2"),
        ({}, {"ROS_VERSION": "2"}, "", "2"),
        ({"ROS_DISTRO": "kinetic"}, {"ROS_DISTRO": "jazzy"}, "", "1"),
        ({"ROS_VERSION": "1"}, {"ROS_DISTRO": "jazzy"}, "", "1"),
        ({}, {}, "2", "2"),
        ({}, {"ROS_DISTRO": "humble"}, "none", "none"),
    ],
)
def test_the_version_is_what_the_stack_says_or_else_the_image_is_made_for(
    said: dict[str, str], image: dict[str, str], asked: str, which: str
) -> None:
    service = Service(name="a", image="a", container_name="a", environment=said, ros=asked)
    assert ros.version(service, image) == which


def test_ros_2_gets_nothing_of_ros_1() -> None:
    assert changes({"ROS_HOSTNAME": "kept"}) == {}


def test_iron_and_later_are_told_the_other_containers_and_pcs() -> None:
    assert changes({}, image=JAZZY) == {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        "ROS_STATIC_PEERS": "192.168.50.11;192.168.50.196",
    }
    wanted = "10.0.0.9;192.168.50.11;192.168.50.196"
    assert changes({"ROS_STATIC_PEERS": "10.0.0.9"}, image=JAZZY)["ROS_STATIC_PEERS"] == wanted


def test_what_keeps_nodes_in_their_own_container_is_taken_out() -> None:
    found = prepared({}, image={**HUMBLE, "ROS_LOCALHOST_ONLY": "1"})
    assert found.variables == {"ROS_LOCALHOST_ONLY": None}
    assert "no other container is heard" in found.notes[0]
    kept = prepared({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, image=JAZZY)
    assert kept.variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "OFF"
    assert "=OFF is kept, where SUBNET would be set" in kept.notes[0]


def test_the_domain_is_the_same_for_the_whole_stack() -> None:
    graph = Graph(domain="7")
    assert changes({}, graph=graph) == {"ROS_DOMAIN_ID": "7"}
    found = prepared({}, image={**HUMBLE, "ROS_DOMAIN_ID": "3"}, graph=graph)
    assert found.variables == {"ROS_DOMAIN_ID": "7"}
    assert "ROS_DOMAIN_ID=3 is replaced by the stack's domain 7" in found.notes[0]
    odd = prepared({"ROS_DOMAIN_ID": "150"}, graph=Graph())
    assert "0 to 101 are free of that" in odd.notes[0]


def test_unicast_gives_cyclone_its_interface_and_the_peers() -> None:
    config = changes(CYCLONE, graph=Graph(kind="unicast", peers=PEERS))["CYCLONEDDS_URI"]
    assert config is not None
    tree = ET.fromstring(config)
    assert (
        tree.find("Domain/General/Interfaces/NetworkInterface[@address='192.168.50.195']")
        is not None
    )
    assert texts(config, "AllowMulticast") == ["false"]
    peers = [peer.get("Address") for peer in tree.iter("Peer")]
    assert peers == [str(peer) for peer in PEERS]


def test_an_old_cyclone_gets_the_words_that_it_knows() -> None:
    image = {"ROS_DISTRO": "foxy"}
    config = changes(CYCLONE, image=image, graph=Graph(kind="unicast", peers=PEERS))
    uri = config["CYCLONEDDS_URI"]
    assert uri is not None
    assert texts(uri, "NetworkInterfaceAddress") == ["192.168.50.195"]
    assert "<Interfaces>" not in uri


def test_unicast_gives_fast_dds_a_file() -> None:
    found = prepared(FAST, graph=Graph(kind="unicast", peers=PEERS))
    assert found.variables["FASTRTPS_DEFAULT_PROFILES_FILE"] == PROFILE
    profile = found.files[PROFILE]
    # the interface, the own locator, and the peers
    assert texts(profile, "address") == [str(one) for one in (OWN, OWN, *PEERS)]
    assert "CYCLONEDDS_URI" not in found.variables


def test_where_the_middleware_is_not_said_both_are_prepared() -> None:
    found = prepared({}, graph=Graph(kind="unicast", peers=PEERS))
    assert "CYCLONEDDS_URI" in found.variables
    assert PROFILE in found.files


def test_with_more_networks_discovery_stays_on_the_lan_and_multicast() -> None:
    found = prepared({}, hybrid=True)
    config = found.variables["CYCLONEDDS_URI"]
    assert config is not None
    assert 'address="192.168.50.195"' in config
    assert "Multicast" not in config
    assert texts(found.files[PROFILE], "address") == ["192.168.50.195"]


def test_ipv6_is_said_to_cyclone() -> None:
    six = IPAddress("fd00:9::5")
    found = prepared(CYCLONE, graph=Graph(kind="unicast", peers=(six,)), address=six)
    assert "<Transport>udp6</Transport>" in (found.variables["CYCLONEDDS_URI"] or "")
    assert "UDPv6" in prepared(FAST, hybrid=True, address=six).files[PROFILE]
    # of its own accord DDS speaks IPv4: by multicast, too, it must be told
    by_multicast = prepared(CYCLONE, graph=Graph(version=6, peers=(six,)), address=six)
    config = by_multicast.variables["CYCLONEDDS_URI"] or ""
    assert "udp6" in config
    assert "Peer" not in config


def test_what_the_file_says_itself_is_left_and_what_the_image_says_is_replaced() -> None:
    graph = Graph(kind="unicast", peers=PEERS)
    own = prepared({**CYCLONE, "CYCLONEDDS_URI": "file:///mine.xml"}, graph=graph)
    assert own.variables["CYCLONEDDS_URI"] == "file:///mine.xml"
    assert "is left as the stack file has it" in own.notes[0]
    image = {**HUMBLE, "CYCLONEDDS_URI": "file:///its.xml"}
    replaced = prepared(CYCLONE, image=image, graph=graph)
    assert (replaced.variables["CYCLONEDDS_URI"] or "").startswith("<CycloneDDS>")
    assert "of the image is replaced" in replaced.notes[0]


def test_a_read_only_container_gets_no_file() -> None:
    found = prepared(FAST, graph=Graph(kind="unicast", peers=PEERS), read_only=True)
    assert not found.files
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in found.variables
    assert "read_only" in found.notes[0]


def test_a_discovery_server_is_for_fast_dds_and_the_others_have_peers() -> None:
    graph = Graph(kind="server", peers=PEERS, owner="server", meeting=MEETING)
    assert changes(FAST, graph=graph) == {"ROS_DISCOVERY_SERVER": MEETING}
    assert set(changes(CYCLONE, graph=graph)) == {"CYCLONEDDS_URI"}


def test_zenoh_nodes_are_clients_of_the_router_and_wait_for_it() -> None:
    graph = Graph(kind="router", owner="router", meeting="192.168.50.196:7447")
    assert changes(ZENOH, graph=graph) == {
        "ZENOH_CONFIG_OVERRIDE": 'mode="client";connect/endpoints=["tcp/192.168.50.196:7447"]'
        ";connect/timeout_ms=-1"
    }
    assert changes(ZENOH, graph=Graph(kind="router", owner="talker", meeting="1.2.3.4:7447")) == {}


def test_zenoh_without_a_router_finds_its_nodes_by_multicast() -> None:
    found = changes(ZENOH)
    assert 'listen/endpoints=["tcp/192.168.50.195:0"]' in (found["ZENOH_CONFIG_OVERRIDE"] or "")
    assert found["ZENOH_ROUTER_CHECK_ATTEMPTS"] == "-1"
    unicast = prepared(ZENOH, graph=Graph(kind="unicast", peers=PEERS))
    assert "name the service with its router" in unicast.notes[0]


def test_zenoh_over_ipv6_is_told_to_have_a_router() -> None:
    """Zenoh 1 scouts by a group of IPv4 alone, whatever its configuration names (tried)."""
    over6 = prepared(ZENOH, graph=Graph(version=6), address=IPAddress("fd00:9::5"))
    assert "name the service with its router" in over6.notes[0]
    assert not prepared(ZENOH, graph=USUAL).notes


def test_other_middleware_is_left_to_itself() -> None:
    said = {"RMW_IMPLEMENTATION": "rmw_connextdds"}
    found = prepared(said, graph=Graph(kind="unicast", peers=PEERS))
    assert found.variables == said
    assert "for rmw_connextdds no configuration is made" in found.notes[0]


STACK = """
x-macvlan-ros:
  {keys}
  hosts:
    qtrp: {{address: 192.168.50.12}}
services:
  talker: {{image: ros, environment: {{ROS_DOMAIN_ID: {domain}}}}}
  listener: {{image: ros}}
  database: {{image: db, x-macvlan-ros: {{ros: none}}}}
"""


def loaded(folder: Path, keys: str, domain: str = "''") -> Stack:
    return load_text(folder, STACK.format(keys=keys, domain=domain))


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("domain: 1", Discovery()),
        ("discovery: unicast", Discovery("unicast")),
        ("discovery: {server: talker}", Discovery("server", "talker", 11811)),
        ("discovery: {server: 'talker:4000'}", Discovery("server", "talker", 4000)),
        ("discovery: {router: qtrp}", Discovery("router", "host:qtrp", 7447)),
        ("discovery: {router: 'host:qtrp'}", Discovery("router", "host:qtrp", 7447)),
        ("discovery: {router: 10.0.0.9}", Discovery("router", "10.0.0.9", 7447)),
        ("discovery: {router: '[fd00::1]:80'}", Discovery("router", "fd00::1", 80)),
    ],
)
def test_the_section_says_how_nodes_find_one_another(
    tmp_path: Path, keys: str, wanted: Discovery
) -> None:
    assert loaded(tmp_path, keys).discovery == wanted


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("domain: 233", "key 'x-macvlan-ros.domain' must be 0 to 232, is 233"),
        ("domain: many", "must be a whole number, is the text 'many'"),
        ("discovery: unicats", "did you mean 'unicast'?"),
        ("discovery: {server: talkr}", "is 'talkr', which is no service of the stack, no host"),
        ("discovery: {server: 'host:qtpc'}", "no host of x-macvlan-ros and no address"),
        ("discovery: {server: 'talker:70000'}", "has the port 70000; it must be 1 to 65535"),
        ("discovery: {server: a, router: b}", "must have one of server and router"),
        ("discovery: {servers: a}", "is not a key of discovery (did you mean 'server'?"),
        ("discovery: {server: 'a:b:c'}", "is no service, host or address: 'a:b:c'"),
    ],
)
def test_a_wrong_section_is_named(tmp_path: Path, keys: str, said: str) -> None:
    assert said in error_of(lambda: loaded(tmp_path, keys))


def test_the_graph_has_the_nodes_and_the_pcs(tmp_path: Path) -> None:
    stack = loaded(tmp_path, "discovery: {server: listener}", domain="'9'")
    addresses = {"talker": OWN, "listener": OTHER, "database": IPAddress("192.168.50.197")}
    found = ros.graph(stack, addresses, {"qtpc": PC})
    assert found == Graph("9", "server", PEERS, "listener", "192.168.50.196:11811")
    at_host = loaded(tmp_path, "discovery: {router: qtrp}")
    assert ros.graph(at_host, addresses, {}).meeting == "192.168.50.12:7447"
    with pytest.raises(StackFileError, match="the discovery server is the service 'listener'"):
        ros.graph(stack, {}, {})
