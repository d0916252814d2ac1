"""ROS: the environment that makes a container a node of the LAN."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros import ros
from macvlan_ros.errors import StackFileError
from macvlan_ros.models.containers import BridgeUse, Service
from macvlan_ros.models.stacks import HostEntry, Stack

OWN = IPAddress("192.168.50.195")
OTHER = IPAddress("192.168.50.196")
FORMER = IPAddress("172.18.3.4")
MASTER = "http://192.168.50.196:11311"


def environment(
    said: Mapping[str, str],
    *,
    address: IPAddress = OWN,
    master: str | None = None,
    image: Mapping[str, str] | None = None,
    former: Mapping[IPAddress, tuple[str, IPAddress]] | None = None,
    version: str = "",
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    service = Service(
        name="talker", image="ros", container_name="talker", environment=said, ros=version
    )
    done = ros.environment(
        service,
        address=address,
        master_uri=master,
        image_environment=image or {},
        former=former or {},
    )
    return dict(done.variables), done.notes


def test_ros_ip_is_the_containers_address_and_nothing_else_is_touched() -> None:
    assert environment({"A": "1"}) == ({"A": "1", "ROS_IP": "192.168.50.195"}, ())


@pytest.mark.parametrize(
    ("said", "image", "wanted", "note"),
    [
        # ROS_HOSTNAME, wherever it came from
        ({"ROS_HOSTNAME": "talker"}, {}, {}, "ROS_HOSTNAME=talker is removed, because it beats"),
        ({"ROS_HOSTNAME": ""}, {}, {}, "ROS_HOSTNAME= is removed"),
        ({}, {"ROS_HOSTNAME": "img"}, {"ROS_HOSTNAME": None}, "ROS_HOSTNAME=img of the image is"),
        (
            {"ROS_HOSTNAME": "a"},
            {"ROS_HOSTNAME": "b"},
            {"ROS_HOSTNAME": None},
            "ROS_HOSTNAME=a is removed",
        ),
        # ROS_IP
        ({"ROS_IP": "10.0.0.1"}, {}, {}, "ROS_IP=10.0.0.1 is replaced by the container's own"),
        ({"ROS_IP": ""}, {}, {}, ""),
        ({"ROS_IP": "192.168.50.195"}, {}, {}, ""),
        ({}, {"ROS_IP": "10.0.0.1"}, {}, ""),
        # ROS_MASTER_URI as the file has it
        ({"ROS_MASTER_URI": MASTER}, {}, {"ROS_MASTER_URI": MASTER}, ""),
        ({"ROS_MASTER_URI": "http://core:11311"}, {}, {"ROS_MASTER_URI": "http://core:11311"}, ""),
        ({"ROS_MASTER_URI": ""}, {"ROS_MASTER_URI": MASTER}, {}, "ROS_MASTER_URI is empty, so it"),
        ({"ROS_MASTER_URI": ""}, {}, {}, "ROS_MASTER_URI is empty, so it is left as the image"),
        ({}, {"ROS_MASTER_URI": MASTER}, {}, ""),
        (
            {"ROS_MASTER_URI": "http://localhost:11311"},
            {},
            {"ROS_MASTER_URI": "http://localhost:11311"},
            "is this very container, not the host; if roscore runs elsewhere",
        ),
        (
            {"ROS_MASTER_URI": "http://127.0.1.1:11311"},
            {},
            {"ROS_MASTER_URI": "http://127.0.1.1:11311"},
            "is this very container",
        ),
    ],
)
def test_without_a_master(
    said: dict[str, str], image: dict[str, str], wanted: dict[str, str | None], note: str
) -> None:
    variables, notes = environment(said, image=image)
    assert variables == {"ROS_IP": "192.168.50.195", **wanted}
    assert len(notes) == (1 if note else 0)
    assert all(one.startswith("service 'talker': ") and note in one for one in notes)


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (None, ""),
        ("", ""),
        (MASTER, ""),
        (
            "http://10.0.0.1:11311",
            "ROS_MASTER_URI=http://10.0.0.1:11311 is replaced by the stack's",
        ),
        (
            "http://172.18.3.4:11311",
            "ROS_MASTER_URI=http://172.18.3.4:11311 is replaced by the stack's master " + MASTER,
        ),
    ],
)
def test_the_stacks_master_wins(said: str | None, note: str) -> None:
    variables, notes = environment(
        {} if said is None else {"ROS_MASTER_URI": said},
        master=MASTER,
        former={FORMER: ("core", OTHER)},
    )
    assert variables == {"ROS_IP": "192.168.50.195", "ROS_MASTER_URI": MASTER}
    assert len(notes) == (1 if note else 0)
    assert all(note in one for one in notes)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("http://172.18.3.4:11311", "http://192.168.50.196:11311"),
        ("http://172.18.3.4:11311/", "http://192.168.50.196:11311/"),
        ("http://172.18.3.4", "http://192.168.50.196"),
        ("http://172.18.3.4:1/a/b?c#d", "http://192.168.50.196:1/a/b?c#d"),
        ("http://u:p@172.18.3.4:11311", "http://u:p@192.168.50.196:11311"),
    ],
)
def test_a_masters_former_address_becomes_its_new_one(said: str, wanted: str) -> None:
    variables, notes = environment({"ROS_MASTER_URI": said}, former={FORMER: ("core", OTHER)})
    assert variables["ROS_MASTER_URI"] == wanted
    assert notes == (
        f"service 'talker': ROS_MASTER_URI={said} becomes {wanted}: "
        "that is where 'core' is on the LAN",
    )


@pytest.mark.parametrize(
    "said",
    [
        "http://172.18.3.5:11311",
        "http://core:11311",
        "nonsense",
        "http://[::1",
        "http://a:x",
        "://",
    ],
)
def test_any_other_master_stays_as_it_is(said: str) -> None:
    variables, notes = environment({"ROS_MASTER_URI": said}, former={FORMER: ("core", OTHER)})
    assert (variables["ROS_MASTER_URI"], notes) == (said, ())


def test_an_ipv6_address_turns_ipv6_on_and_stands_in_brackets_in_a_uri() -> None:
    new = IPAddress("fd00::196")
    variables, _ = environment(
        {"ROS_MASTER_URI": "http://[fd01::4]:11311"},
        address=IPAddress("fd00::195"),
        former={IPAddress("fd01::4"): ("core", new)},
    )
    assert variables == {
        "ROS_IP": "fd00::195",
        "ROS_IPV6": "on",
        "ROS_MASTER_URI": "http://[fd00::196]:11311",
    }


def test_a_service_without_ros_keeps_its_variables() -> None:
    said = {"ROS_HOSTNAME": "a", "ROS_IP": "b", "ROS_MASTER_URI": ""}
    assert environment(said, master=MASTER, version="none") == (said, ())


def test_the_services_own_mapping_is_not_changed() -> None:
    said = {"ROS_HOSTNAME": "a"}
    environment(said)
    assert said == {"ROS_HOSTNAME": "a"}


@given(st.text())
def test_any_master_is_either_kept_or_followed(said: str) -> None:
    variables, _ = environment({"ROS_MASTER_URI": said}, former={FORMER: ("core", OTHER)})
    assert variables.get("ROS_MASTER_URI", "") == said or "172.18.3.4" in said


# --- the master's URI ---


def stack(master: str, **hosts: HostEntry) -> Stack:
    return Stack(name="s", files=("compose.yaml",), network="ros_lan", master=master, hosts=hosts)


@pytest.mark.parametrize(
    ("master", "wanted"),
    [
        ("", None),
        ("core", "http://192.168.50.196:11311"),
        ("six", "http://[fd00::1]:11311"),
        ("host:qtpc", "http://192.168.50.11:11311"),
        ("host:written", "http://192.168.50.12:11311"),
        ("http://a.lan:11312/", "http://a.lan:11312/"),
    ],
)
def test_the_master_is_found_where_it_is(master: str, wanted: str | None) -> None:
    written = HostEntry("written", address=IPAddress("192.168.50.12"))
    loaded = stack(master, qtpc=HostEntry("qtpc"), written=written)
    addresses = {"core": OTHER, "six": IPAddress("fd00::1")}
    hosts = {"qtpc": IPAddress("192.168.50.11")}
    assert ros.master_uri(loaded, addresses, hosts) == wanted


def test_a_master_whose_address_is_not_known_is_told_with_the_remedy() -> None:
    with pytest.raises(StackFileError, match=r"x-macvlan-ros\.hosts\.qtpc\.address"):
        ros.master_uri(stack("host:qtpc", qtpc=HostEntry("qtpc")), {}, {})
    with pytest.raises(StackFileError, match="the service 'core', which has no address yet"):
        ros.master_uri(stack("core"), {}, {})


def test_former_addresses_are_those_that_other_hosts_cannot_reach() -> None:
    bridge = BridgeUse("b", address=IPAddress("172.20.0.5"))
    services = {
        "core": Service(name="core", image="", container_name="core", former_address=FORMER),
        "side": Service(name="side", image="", container_name="side", bridges=(bridge,)),
        "kept": Service(name="kept", image="", container_name="kept", former_address=OWN),
        "gone": Service(
            name="gone", image="", container_name="gone", former_address=IPAddress("172.18.3.9")
        ),
    }
    loaded = Stack(name="s", files=(), network="ros_lan", services=services)
    side = IPAddress("192.168.50.197")
    found = ros.former_addresses(loaded, {"core": OTHER, "side": side, "kept": OWN})
    assert found == {FORMER: ("core", OTHER), IPAddress("172.20.0.5"): ("side", side)}
