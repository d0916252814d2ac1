"""ROS 2's middleware over the LAN: discovery by multicast, without it, and on several networks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest

from tests.conftest import started
from tests.lab import Host, Lab, ros_image, wheels

FOLDER = "/run/home/robot"
IMAGE = "ros2:lab"
PATIENCE = 60.0
HEADER = """
x-macvlan-ros:
  range: 192.168.50.192/27
  domain: 7
  {discovery}
  hosts: {{qtpc: {{}}, qtrp: {{}}}}
networks:
  aaa_first: {{}}
services:
"""
SERVICE = """
  {name}:
    image: {image}
    command: python3 /nodes/{program}_node.py {name}
    init: true
    environment: {{PYTHONPATH: /wheels, RMW_IMPLEMENTATION: {middleware}}}
    volumes: ["{wheels}:/wheels:ro", "{nodes}:/nodes:ro"]
    {more}
    x-macvlan-ros: {{host: {host}, address: {address}}}
"""
MIDDLEWARE = {"cyclone": "rmw_cyclonedds_cpp", "zenoh": "rmw_zenoh_cpp"}
NODES = __file__.rpartition("/")[0] + "/ros2_nodes"
#: 239.255.0.1, DDS's group, as /proc/net/igmp has it.
DDS_GROUP = "0100FFEF"


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    """A lab of this file's own: its switch is changed."""
    with started(subnet6="fd00:50::/64") as lab:
        for host in lab.hosts.values():
            ros_image.give(host, IMAGE, env={"ROS_DISTRO": "humble"})
        yield lab


@pytest.fixture
def lan(shared: Lab) -> Iterator[Lab]:
    yield shared
    pass_multicast(shared, "on")
    shared.reset()


def pass_multicast(lab: Lab, word: str) -> None:
    """Whether the switch passes multicast on: "on" or "off". Broadcasts it always does."""
    lab.switch.run("ip", "link", "set", "lan", "type", "bridge", "mcast_snooping", "0")
    for port in lab.switch.path("/sys/class/net/lan/brif").iterdir():
        lab.switch.run("ip", "link", "set", port.name, "type", "bridge_slave", "mcast_flood", word)


def launch(
    lab: Lab,
    program: str,
    *,
    discovery: str = "",
    more: str = "",
    six: bool = False,
    ear: bool = False,
) -> None:
    """A talker on one PC and a listener on the other; with zenoh a router beside the talker. With
    `six` ROS speaks IPv6; with `ear` the talker's PC has a listener, too."""
    places = [("listen", "qtrp", 196), ("talk", "qtpc", 195)]
    if ear:
        places.append(("ear", "qtpc", 197))
    if "router" in discovery:
        places.insert(0, ("route", "qtpc", 194))
    if six:
        discovery += "\n  range6: fd00:50::1:0/112\n  ros_over: ipv6"
    text = HEADER.format(discovery=discovery) + "".join(
        SERVICE.format(
            name=name,
            image=IMAGE,
            program=program,
            middleware=MIDDLEWARE[program],
            wheels=wheels.folder(wheels.ROS2),
            nodes=NODES,
            more=more,
            host=host,
            address=f"192.168.50.{number}" + six * f', address6: "fd00:50::1:{number}"',
        )
        for name, host, number in places
    )
    for host in lab.hosts.values():
        host.run("mkdir", "-p", FOLDER)
        host.path(f"{FOLDER}/compose.yaml").write_text(text)
        host.macvlan_ros("launch", cwd=FOLDER, check=True)


def hears(
    lab: Lab,
    text: str,
    *,
    patience: float = PATIENCE,
    who: tuple[str, str] = ("qtrp", "listen"),
    times: int = 1,
) -> bool:
    """Whether the listener (`who` is its PC and its name) hears it so many times. If not, what all
    containers wrote is in the test's report."""
    deadline = time.monotonic() + patience
    host, name = who
    while lab.hosts[host].docker("logs", name).count(text) < times:
        if time.monotonic() > deadline:
            tell(lab)
            return False
        time.sleep(0.2)
    return True


def tell(lab: Lab) -> None:
    for host in lab.hosts.values():
        for name in host.docker("ps", "-a", "--format", "{{.Names}}").split():
            state = host.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name)
            said = host.run(*host.engine.cli(), "logs", "--tail", "20", name)
            sys.stdout.write(f"{name} on {host.name}: {state}\n{said.stdout}{said.stderr}\n")


def verified(lab: Lab, host: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """What verify on that PC ends with, and its checks of each kind: what is bad, or else one."""
    done = lab.hosts[host].macvlan_ros("verify", "--json", cwd=FOLDER, timeout=60)
    assert "Traceback" not in done.stderr
    found = sorted(json.loads(done.stdout), key=lambda one: one["level"] == "bad")
    return done.returncode, {one["kind"]: (one["level"], one["text"]) for one in found}


def interfaces(host: Host, container: str) -> dict[str, set[str]]:
    """The multicast groups that a container has joined, by the address of the interface."""
    found: dict[str, set[str]] = {}
    names = {}
    for line in host.docker("exec", container, "ip", "-4", "-o", "addr").splitlines():
        fields = line.split()
        names[fields[1]] = fields[3].partition("/")[0]
    name = ""
    for line in host.docker("exec", container, "cat", "/proc/net/igmp").splitlines()[1:]:
        fields = line.split()
        if not line.startswith("\t"):
            name = fields[1]
        else:
            found.setdefault(names.get(name, name), set()).add(fields[0])
    return found


def test_cyclone_finds_nodes_by_multicast_and_without_it_by_our_peers(lan: Lab) -> None:
    launch(lan, "cyclone")
    assert hears(lan, "hello over DDS")

    pass_multicast(lan, "off")
    for host in lan.hosts.values():
        host.macvlan_ros("down", cwd=FOLDER, check=True)
    launch(lan, "cyclone")
    assert not hears(lan, "hello over DDS", patience=4)
    code, told = verified(lan, "qtrp")
    assert (code, told["multicast"][0], told["reach"][0]) == (1, "bad", "ok")
    assert "discovery" not in told

    launch(lan, "cyclone", discovery="discovery: unicast")
    assert hears(lan, "hello over DDS")
    code, told = verified(lan, "qtrp")
    assert (code, told["discovery"][0]) == (0, "ok"), told
    assert "multicast" not in told


def test_a_service_that_is_added_finds_the_others_which_run_on(lan: Lab) -> None:
    qtpc = lan.hosts["qtpc"]
    pass_multicast(lan, "off")
    launch(lan, "cyclone", discovery="discovery: unicast")
    talker = qtpc.docker("inspect", "-f", "{{.Id}}", "talk")
    launch(lan, "cyclone", discovery="discovery: unicast", ear=True)
    assert qtpc.docker("inspect", "-f", "{{.Id}}", "talk") == talker
    assert hears(lan, "hello over DDS", who=("qtpc", "ear"))
    code, told = verified(lan, "qtpc")
    assert code == 0, told
    # it does not know the ear, which goes on asking for it
    qtpc.docker("restart", "-t", "1", "talk")
    heard = qtpc.docker("logs", "ear").count("hello")
    assert hears(lan, "hello over DDS", who=("qtpc", "ear"), times=heard + 5)


def test_over_ipv6_cyclone_finds_nodes_by_multicast_and_verify_proves_it(lan: Lab) -> None:
    launch(lan, "cyclone", six=True)
    assert hears(lan, "hello over DDS")
    code, told = verified(lan, "qtrp")
    # DDS's own group, which somebody there has joined
    assert (code, told["multicast6"]) == (0, ("ok", "")), told


def test_on_several_networks_discovery_stays_on_the_lan(lan: Lab) -> None:
    launch(lan, "cyclone", more="networks: {aaa_first: {}, ros_lan: {}}")
    assert hears(lan, "hello over DDS")
    joined = interfaces(lan.hosts["qtpc"], "talk")
    assert len(joined) >= 3  # the loopback, the LAN and the bridge
    assert {address for address, groups in joined.items() if DDS_GROUP in groups} == {
        "192.168.50.195"
    }


@pytest.mark.parametrize(
    ("multicast", "discovery"), [("on", ""), ("off", "discovery: {router: route}")]
)
def test_zenoh_finds_nodes_by_multicast_or_by_its_router(
    lan: Lab, multicast: str, discovery: str
) -> None:
    pass_multicast(lan, multicast)
    launch(lan, "zenoh", discovery=discovery)
    assert hears(lan, "hello over zenoh")
    code, told = verified(lan, "qtrp")
    assert code == 0, told
    if discovery:
        assert told["discovery"] == ("ok", "a router is at 192.168.50.194:7447")
