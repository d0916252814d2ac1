"""Discovery without multicast, in network namespaces: what is in the way, or missing, is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from macvlan_ros.ros import Graph
from macvlan_ros.verify import culprits, discovery
from macvlan_ros.verify.check import Check
from tests.conftest import started
from tests.lab import Host, Lab
from tests.netns.looking import looking_from, place

NODE = """
import socket, sys, time
made = socket.socket(socket.AF_INET, getattr(socket, sys.argv[1]))
made.bind((sys.argv[2], int(sys.argv[3])))
if sys.argv[1] == "SOCK_STREAM":
    made.listen()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def lan() -> Iterator[Lab]:
    with started(hosts=("core", "talker", "third"), engines=False, subnet6="fd00:50::/64") as lab:
        yield lab


@pytest.fixture(autouse=True)
def told(lan: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of all containers, as `launch` makes them."""
    places = [place(host) for host in lan.hosts.values()]
    variables = {
        "ROS_STATIC_PEERS": ";".join(f"{one.address};{one.address6}" for one in places),
        "ROS_DISCOVERY_SERVER": "set",
        "ZENOH_CONFIG_OVERRIDE": "set",
    }
    monkeypatch.setattr(culprits, "environment", lambda _pid: variables)
    return variables


@contextmanager
def listening(host: Host, kind: str, port: int) -> Iterator[None]:
    """Somebody who has that port, and says nothing."""
    process = host.popen(sys.executable, "-c", NODE, kind, host.address, str(port), stdout=-1)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "up"
        yield
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def dropping(host: Host, *match: str) -> Iterator[None]:
    host.run("iptables", "-A", "INPUT", *match, "-j", "DROP")
    try:
        yield
    finally:
        host.run("iptables", "-D", "INPUT", *match, "-j", "DROP")


def examine(lan: Lab, graph: Graph) -> dict[tuple[str, str], Check]:
    """From core and talker, as if the third's container ran on another PC."""
    hosts = list(lan.hosts.values())
    with looking_from(*hosts[:2], ros="2") as vantages:
        places = [place(one, ros="2") for one in hosts]
        found = discovery.examine(vantages, places, graph, until=time.monotonic() + 8)
    return {(one.source, one.target): one for one in found}


@pytest.mark.parametrize("version", [4, 6])
def test_ports_of_discovery_are_open_and_it_is_told_whether_a_node_has_one(
    lan: Lab, version: int
) -> None:
    _, talker, third = lan.hosts.values()
    with listening(talker, "SOCK_DGRAM", 9162), listening(third, "SOCK_DGRAM", 9160):
        found = examine(lan, Graph(kind="unicast", domain="7", version=version))
    assert {one.level for one in found.values()} == {"ok"}
    assert len(found) == 4
    assert "no node" in found["talker", "core"].text
    assert found["core", "talker"].text == "UDP 9160 to 9222"
    assert ("no node" in found["core", "third"].text) == (version == 6)  # it has it in IPv4


def test_a_firewall_that_drops_the_ports_is_told_on_this_pc_and_on_others(lan: Lab) -> None:
    _, talker, third = lan.hosts.values()
    udp = ("-p", "udp", "--dport", "7400:8000")
    with dropping(talker, *udp), dropping(third, *udp):
        found = examine(lan, Graph(kind="unicast"))
    assert {pair for pair, one in found.items() if one.level == "bad"} == {
        ("core", "talker"),
        ("core", "third"),
        ("talker", "third"),
    }
    assert "UDP ports 7410 to 7472" in found["core", "third"].text


def test_a_container_that_was_not_told_of_its_peers_is_named(
    lan: Lab, told: dict[str, str]
) -> None:
    told["ROS_STATIC_PEERS"] = str(lan.hosts["third"].address)
    found = examine(lan, Graph(kind="unicast"))
    assert found["talker", "third"].level == "ok"
    assert "does not name" in found["core", "talker"].text
    # one of the two is enough
    told["ROS_STATIC_PEERS"] = str(lan.hosts["core"].address)
    assert examine(lan, Graph(kind="unicast"))["core", "talker"].level == "ok"
    del told["ROS_STATIC_PEERS"]
    assert {one.level for one in examine(lan, Graph(kind="unicast")).values()} == {"bad"}
    graph = Graph(kind="router", owner="third", meeting="192.168.50.13:7447")
    told["RMW_IMPLEMENTATION"] = "rmw_zenoh_cpp"
    del told["ZENOH_CONFIG_OVERRIDE"]
    missing = examine(lan, graph)["talker", "third"]
    assert "its ZENOH_CONFIG_OVERRIDE does not name 192.168.50.13:7447" in missing.text


def meeting_place(
    lan: Lab, source: str, kind: str, protocol: str, port: int
) -> tuple[Check, Check]:
    """What is found of the third's server or router when it does not run, and when a firewall is
    before it; when it runs all is well."""
    third = lan.hosts["third"]
    graph = Graph(kind=kind, owner="third", meeting=f"{third.address}:{port}")
    missing = examine(lan, graph)[source, "third"]
    with listening(third, {"udp": "SOCK_DGRAM", "tcp": "SOCK_STREAM"}[protocol], port):
        there = examine(lan, graph)[source, "third"]
        with dropping(third, "-p", protocol):
            behind = examine(lan, graph)[source, "third"]
    assert (missing.level, there.level, behind.level) == ("bad", "ok", "bad")
    return missing, behind


def test_a_discovery_server_is_there_missing_or_behind_a_firewall(lan: Lab) -> None:
    missing, behind = meeting_place(lan, "core", "server", "udp", 11811)
    assert "no discovery server listens" in missing.text
    assert "is not reached" in behind.text
    assert "fastdds discovery" in missing.remedy


def test_a_router_is_there_missing_or_behind_a_firewall(lan: Lab) -> None:
    missing, behind = meeting_place(lan, "talker", "router", "tcp", 7447)
    assert "no router listens" in missing.text
    assert "does not open" in behind.text


def test_beside_a_discovery_server_cyclone_has_its_peers(
    lan: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, talker, third = lan.hosts.values()
    variables = {
        core.pid: {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "CYCLONEDDS_URI": "<CycloneDDS/>"},
        talker.pid: {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp", "ROS_DISCOVERY_SERVER": "set"},
        third.pid: {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
    }
    monkeypatch.setattr(culprits, "environment", lambda pid: variables.get(pid, {}))
    graph = Graph(kind="server", owner="third", meeting=f"{third.address}:11811")
    with listening(third, "SOCK_DGRAM", 11811):
        untold = examine(lan, graph)
        variables[core.pid]["CYCLONEDDS_URI"] = f'<Peer Address="{third.address}"/>'
        told = examine(lan, graph)
        with dropping(third, "-p", "udp", "--dport", "7400:8000"):
            behind = examine(lan, graph)
    assert "does not name" in untold["core", "third"].text
    assert {pair: one.level for pair, one in told.items()} == {
        ("core", "third"): "ok",
        ("talker", "third"): "ok",
        ("talker", "core, third"): "warning",  # for its middleware
    }
    assert "UDP ports 7410 to 7472" in behind["core", "third"].text


def test_a_configuration_that_cannot_work_is_named_whatever_the_discovery(
    lan: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = lan.hosts["core"]
    wrong = {"CYCLONEDDS_URI": '<NetworkInterface address="192.168.50.99"/>'}
    monkeypatch.setattr(culprits, "environment", lambda pid: wrong if pid == core.pid else {})
    for kind in ("multicast", "unicast"):
        found = examine(lan, Graph(kind=kind))
        bad = {pair for pair, one in found.items() if one.level == "bad"}
        assert bad == {("core", "its peers")}
        assert "192.168.50.99" in found["core", "its peers"].text
