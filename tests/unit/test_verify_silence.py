"""What else makes a robot silent: another master, a mistyped topic, another domain or middleware,
a container that is not where it should be."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_api.values import read_container
from macvlan_ros.ros import Graph
from macvlan_ros.ros.ros2 import ALONE
from macvlan_ros.verify import agreement, culprits, finding_places, masters, rpc, topics
from macvlan_ros.verify.check import Check
from macvlan_ros.verify.graph import Node
from macvlan_ros.verify.place import Place

URI = rpc.parse_uri("http://192.168.50.195:11311")
CORE = Place(name="core", address=IPAddress("192.168.50.195"), pid=1)
SPARE = Place(name="spare", address=IPAddress("192.168.50.198"), pid=2)
HERE = Place(name="qtpc", address=IPAddress("192.168.50.11"), interface="eth0")
LAN = finding_places.Lan("ros_lan", (IPNetwork("192.168.50.11/24"),))


def node(name: str, *, publishes: str = "", subscribes: str = "") -> Node:
    return Node(name, URI, frozenset(publishes.split()), frozenset(subscribes.split()))


@pytest.mark.parametrize(
    ("published", "waited_for", "meant"),
    [
        ("/chatter", "/chater", "/chatter"),
        ("/chatter", "/robot/chatter", "/chatter"),
        ("/robot/chatter", "/chatter", "/robot/chatter"),
        ("/chatter", "/scan", ""),
        ("/tf_static", "/tf", ""),
        ("/chatter", "/chatter", ""),
    ],
)
def test_a_topic_that_is_waited_for_in_vain_is_named_with_the_one_that_was_meant(
    published: str, waited_for: str, meant: str
) -> None:
    nodes = [node("/talker", publishes=published), node("/listener", subscribes=waited_for)]
    found = topics.examine(nodes, "qtpc")
    assert [one.target for one in found] == ([waited_for] if meant else [])
    assert all(meant in one.text and one.level == "warning" for one in found)


def test_a_topic_that_has_its_subscribers_is_not_meant_by_others() -> None:
    nodes = [
        node("/left", publishes="/left/image"),
        node("/viewer", subscribes="/left/image /right/image"),
    ]
    assert topics.examine(nodes, "qtpc") == []


def master(pid: int, place: Place) -> culprits.Culprit:
    return culprits.Culprit(place, pid, {})


def test_a_second_master_is_named_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = {11311: (master(10, CORE), master(20, SPARE), master(30, HERE), master(40, HERE))}
    commands = {10: "rosmaster --core", 20: "python3 /usr/bin/rosmaster", 30: "rosmaster", 40: "nc"}
    monkeypatch.setattr(culprits, "listeners", lambda _places, _ports: listening)
    monkeypatch.setattr(culprits, "command", lambda pid: commands[pid])
    found = masters.others([CORE, SPARE, HERE], URI, [IPAddress("192.168.50.195")])
    assert [(one.source, one.level) for one in found] == [("spare", "warning"), ("qtpc", "warning")]
    assert "in 'spare' (process 20)" in found[0].text
    assert "on this PC (process 30)" in found[1].text


def agreed(
    *said: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, graph: Graph = ALONE
) -> list[Check]:
    """What is found of services whose variables are these; the last one runs on another PC."""
    monkeypatch.setattr(culprits, "environment", lambda pid: said[pid - 1])
    places = [
        Place(name=f"s{number}", address=None, pid=number, ros="2")
        for number in range(1, len(said))
    ]
    return agreement.examine(
        [*places, Place(name="far", address=None, ros="2", variables=said[-1])], graph
    )


def test_services_in_different_domains_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seven, three = {"ROS_DOMAIN_ID": "7"}, {"ROS_DOMAIN_ID": "3"}
    (found,) = agreed(seven, seven, three, monkeypatch=monkeypatch)
    assert (found.source, found.target, found.level) == ("far", "s1, s2", "warning")
    assert "3, theirs is 7" in found.text
    assert agreed(seven, seven, seven, monkeypatch=monkeypatch) == []
    # what is not said is 0, where the stack does not say it
    assert agreed({"PATH": "/bin"}, {"ROS_DOMAIN_ID": "0"}, monkeypatch=monkeypatch) == []
    said = Graph(domain="7")
    assert agreed(seven, {"ROS_DISTRO": "humble"}, monkeypatch=monkeypatch, graph=said) == []


@pytest.mark.parametrize(
    ("other", "level"), [("rmw_zenoh_cpp", "bad"), ("rmw_fastrtps_cpp", "warning")]
)
def test_services_with_different_middleware_are_told(
    monkeypatch: pytest.MonkeyPatch, other: str, level: str
) -> None:
    usual, odd = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, {"RMW_IMPLEMENTATION": other}
    (found,) = agreed(usual, odd, usual, monkeypatch=monkeypatch)
    assert (found.source, found.target, found.level) == ("s2", "s1, far", level)
    assert agreed(usual, {"PATH": "/bin"}, monkeypatch=monkeypatch) == []


@pytest.mark.parametrize(
    ("state", "network", "address", "words", "remedy"),
    [
        ("running", "ros_lan", "192.168.50.195", "", ""),
        ("running", "another", "192.168.50.195", "", ""),
        ("running", "bridge", "172.17.0.2", "not on the LAN, but on bridge", "docker rm -f core"),
        ("paused", "ros_lan", "192.168.50.195", "paused", "docker unpause core"),
        ("restarting", "ros_lan", "", "again and again", "docker logs core"),
    ],
)
def test_a_container_that_cannot_be_looked_from_is_told_with_the_reason(
    state: str, network: str, address: str, words: str, remedy: str
) -> None:
    found = read_container(
        {
            "Name": "/core",
            "State": {"Status": state, "Pid": os.getpid()},
            "HostConfig": {"NetworkMode": network},
            "NetworkSettings": {"Networks": {network: {"IPAddress": address}}},
        }
    )
    wrong, mend = finding_places.fault(found, LAN)
    assert words in wrong
    assert bool(wrong) == bool(words)
    assert remedy in mend
