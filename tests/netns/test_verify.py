"""Verify in network namespaces, without engines: pairs, and masters and nodes that misbehave."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import NotFound
from macvlan_ros.verify import pairs, rosgraph
from macvlan_ros.verify.check import Check
from macvlan_ros.verify.place import Place, Vantage
from tests.conftest import started
from tests.lab import Host, Lab
from tests.lab.lan import ROOT
from tests.netns.looking import looking_from, place
from tests.netns.ros_graph import DEAD, PORT, READY, STRANGE

#: What is promised, and then some for a busy machine.
LIMIT = 15.0


@pytest.fixture(scope="module")
def lan() -> Iterator[Lab]:
    with started(hosts=("core", "talker", "third"), engines=False, subnet6="fd00:50::/64") as lab:
        yield lab


@contextmanager
def graph(host: Host, mode: str) -> Iterator[None]:
    """A master at the host, in one of the modes of ros_graph."""
    words = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.netns.ros_graph")
    process = host.popen(*words, host.address, mode, stdout=-1)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == READY
        yield
    finally:
        process.kill()
        process.wait(10)


def examine(lan: Lab, uri: str = "", *, clean: bool = False) -> tuple[dict[str, Check], float]:
    """The checks of nodes by name, and of the master as "master"; and how long it took."""
    core, talker, _ = lan.hosts.values()
    began = time.monotonic()
    with looking_from(talker, core) as vantages:
        outcome = rosgraph.examine(
            vantages,
            [one.place for one in vantages],
            uri or f"http://{core.address}:{PORT}",
            here="qtpc",
            shim=True,
            until=time.monotonic() + 12,
            clean=clean,
        )
    found = {
        one.target if one.kind in ("node", "stale") else "master": one for one in outcome.checks
    }
    return found, time.monotonic() - began


def test_everything_holds_between_places_of_one_lan(lan: Lab) -> None:
    hosts = tuple(lan.hosts.values())
    with looking_from(*hosts[:2]) as vantages:
        found = pairs.examine(vantages, [place(one) for one in hosts], until=time.monotonic() + 5)
    levels = {(one.kind, one.source, one.target): one.level for one in found}
    for kind in ("reach", "tcp", "mtu", "multicast"):
        assert levels[kind, "core", "talker"] == levels[kind, "talker", "core"] == "ok"
    assert levels["tcp", "core", "third"] == "ok"
    # the third is not looked from, and yet it hears the group that every host belongs to
    assert levels["multicast", "core", "third"] == "ok"


def test_over_ipv6_containers_reach_each_other_too_with_whole_datagrams(lan: Lab) -> None:
    hosts = tuple(lan.hosts.values())
    core, talker, third = hosts
    blocked = ("ip6tables", "-A", "INPUT", "-p", "tcp", "--syn", "-j", "DROP")
    third.run("ip", "link", "set", "eth0", "mtu", "1400")
    talker.run(*blocked)
    try:
        with looking_from(core, talker) as vantages:
            places = [place(one) for one in hosts]
            found = pairs.examine_six(vantages, places, until=time.monotonic() + 5)
    finally:
        talker.run("ip6tables", "-F", "INPUT")
        third.run("ip", "link", "set", "eth0", "mtu", "1500")
    levels = {(one.kind, one.source, one.target): one.level for one in found}
    assert {level for (kind, *_), level in levels.items() if kind == "reach6"} == {"ok"}
    assert levels["tcp6", "talker", "core"] == levels["tcp6", "core", "third"] == "ok"
    assert levels["tcp6", "core", "talker"] == "bad"
    assert (levels["mtu6", "core", "talker"], levels["mtu6", "core", "third"]) == ("ok", "bad")
    # the third is not looked from
    for target in ("talker", "third"):
        assert levels["multicast6", "core", target] == "ok"


def test_a_switch_that_keeps_multicast_is_told_by_what_does_not_come_back(lan: Lab) -> None:
    core, _, third = lan.hosts.values()
    port = ("link", "set", lan._port_of["third"], "type", "bridge_slave", "mcast_flood")
    place6 = place(third, ros="2")
    ping = ("busybox", "ping", "-6", "-c", "1", "-W", "5")
    core.run(*ping, str(place6.address6))  # neighbours are found by multicast, and are kept
    lan.switch.run("ip", *port, "off")
    try:
        with looking_from(core) as vantages:
            found = pairs.examine(vantages, [place(third)], until=time.monotonic() + 5)
            found6 = pairs.examine_six(vantages, [place6], until=time.monotonic() + 5, spoken=6)
    finally:
        lan.switch.run("ip", *port, "on")
    levels = {one.kind: one.level for one in (*found, *found6)}
    assert (levels["reach"], levels["multicast"]) == ("ok", "warning")
    assert (levels["reach6"], levels["multicast6"]) == ("ok", "bad")


def test_ports_that_a_firewall_drops_are_told_though_ping_passes(lan: Lab) -> None:
    core, talker, _ = lan.hosts.values()
    rule = ("INPUT", "-p", "tcp", "--dport", "1024:", "--syn", "-j", "DROP")
    talker.run("iptables", "-A", *rule)
    try:
        with looking_from(core, talker) as vantages:
            found = pairs.examine(
                vantages, [one.place for one in vantages], until=time.monotonic() + 5
            )
    finally:
        talker.run("iptables", "-D", *rule)
    bad = [(one.kind, one.source, one.target) for one in found if one.level == "bad"]
    assert bad == [("tcp", "core", "talker")]


def test_multicast_that_the_switch_keeps_is_told_and_bad_for_ros_2_alone(lan: Lab) -> None:
    core, talker, _ = lan.hosts.values()
    rule = ("OUTPUT", "-d", "224.0.0.0/4", "-j", "DROP")
    talker.run("iptables", "-A", *rule)
    try:
        with looking_from(core, talker) as vantages:
            places = [one.place for one in vantages]
            found = pairs.examine(vantages, places, until=time.monotonic() + 5)
    finally:
        talker.run("iptables", "-D", *rule)
    levels = {(one.source, one.target): one.level for one in found if one.kind == "multicast"}
    assert levels == {("core", "talker"): "ok", ("talker", "core"): "warning"}


def test_multicast_over_ipv6_that_a_firewall_keeps_is_bad_where_ros_2_speaks_it(lan: Lab) -> None:
    core, talker, _ = lan.hosts.values()
    rule = ("OUTPUT", "-d", "ff12::/16", "-j", "DROP")
    talker.run("ip6tables", "-A", *rule)
    try:
        with looking_from(core, talker, ros="2") as vantages:
            places = [one.place for one in vantages]
            found = {
                spoken: pairs.examine_six(
                    vantages, places, until=time.monotonic() + 5, spoken=spoken
                )
                for spoken in (4, 6)
            }
    finally:
        talker.run("ip6tables", "-D", *rule)
    levels = {
        (spoken, one.source): one.level
        for spoken, checks in found.items()
        for one in checks
        if one.kind == "multicast6"
    }
    assert levels == {
        (4, "core"): "ok",
        (4, "talker"): "warning",
        (6, "core"): "ok",
        (6, "talker"): "bad",
    }


def test_another_machine_with_a_containers_address_is_told(lan: Lab) -> None:
    core, talker, third = lan.hosts.values()
    with looking_from(core, talker) as vantages:
        for host in (core, third):
            host.run("ip", "neigh", "flush", "all")
        entry = ("lladdr", third.mac, "nud", "reachable", "dev", "eth0")
        core.run("ip", "neigh", "replace", talker.address, *entry)
        third.run("ip", "address", "add", f"{talker.address}/32", "dev", "eth0")
        try:
            places = [one.place for one in vantages]
            found = pairs.examine(vantages, places, until=time.monotonic() + 5)
        finally:
            third.run("ip", "address", "del", f"{talker.address}/32", "dev", "eth0")
            core.run("ip", "neigh", "flush", "all")
    (bad,) = (one for one in found if (one.kind, one.source) == ("tcp", "core"))
    assert bad.level == "bad"
    assert f"another machine answers at {talker.address}" in bad.text


def test_a_process_that_has_ended_is_not_looked_from(lan: Lab) -> None:
    host = next(iter(lan.hosts.values()))
    gone = Place(
        name="gone", address=IPAddress(host.address), pid=host.pid, mac="02:00:00:00:00:99"
    )
    with pytest.raises(NotFound, match="has it ended"):
        Vantage(gone)


@pytest.mark.parametrize("mode", STRANGE)
def test_a_master_that_is_none_is_told_in_time(lan: Lab, mode: str) -> None:
    core = lan.hosts["core"]
    with graph(core, mode):
        found, seconds = examine(lan)
    assert seconds < LIMIT
    assert set(found) == {"master"}
    assert found["master"].level == "bad"
    assert found["master"].remedy


def test_a_master_that_is_down_is_told(lan: Lab) -> None:
    found, seconds = examine(lan)
    assert seconds < LIMIT
    assert "nothing listens there" in found["master"].text
    assert "roscore" in found["master"].remedy


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("rosrpc://192.168.50.11:11311", "scheme rosrpc"),
        ("http://192.168.50.11", "names no port"),
        ("http://192.168.50.11:99999", "is no URI"),
        ("192.168.50.11:11311", "scheme"),
        ("http://no-such-host.invalid:11311", "does not resolve"),
        ("http://192.168.50.99:11311", "nobody answers"),
    ],
)
def test_a_master_with_a_useless_uri_is_told(lan: Lab, uri: str, words: str) -> None:
    found, seconds = examine(lan, uri)
    assert seconds < LIMIT
    assert words in found["master"].text


def test_nodes_that_misbehave_are_named_with_what_they_do(lan: Lab) -> None:
    with graph(lan.hosts["core"], "odd"):
        found, seconds = examine(lan)
    assert seconds < LIMIT
    assert found["master"].level == found["/good"].level == "ok"
    assert (found["/slow"].level, found["/slow"].kind) == ("warning", "node")
    expected = {
        "/other": "another node answers",
        "/scheme": "has the scheme rosrpc",
        "/refused": "nothing listens",
        "/nowhere": "nobody answers at 192.168.50.99",
        "/nameless": "does not resolve",
        "/hang": "does not answer within 3 s",
        "/drip": "does not answer within 3 s",
        "/ssh": "no ROS node",
        "/http": "404",
        "/xml": "no XML-RPC",
        "/nonsense": "not as ROS does",
        "/nothing": "scheme none",
    }
    for name, words in expected.items():
        assert found[name].level == "bad", name
        assert words in found[name].text, name
    stale = {name for name, one in found.items() if one.kind == "stale"}
    assert stale == {"/refused", "/nowhere"}


def test_five_hundred_nodes_most_of_them_dead_are_told_in_time_and_cleaned(lan: Lab) -> None:
    with graph(lan.hosts["core"], "dead"):
        found, seconds = examine(lan, clean=True)
        left, _ = examine(lan)
    assert seconds < LIMIT
    assert len(found) == DEAD + 5
    live = {f"/live{n}" for n in range(4)}
    assert {found[name].level for name in live} == {"ok"}
    stale = {name for name, one in found.items() if one.kind == "stale"}
    assert len(stale) >= DEAD * 2 // 3 - 2
    assert all("unregistered" in found[name].text for name in stale)
    # those that hang are many on one port: not all of them can be asked in time
    assert all(found[name].level != "ok" for name in set(found) - stale - live - {"master"})
    assert set(left) == set(found) - stale
