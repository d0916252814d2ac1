"""Announcements between real network namespaces, and who hears them. Needs root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import BadSubnet
from macvlan_ros.wire.arp import Wire
from tests.netns.lan import Capture, Lan, Machine, at
from tests.netns.namespace import Namespace, namespaces

GHOST = "02:00:00:00:09:09"
SUBNET = IPNetwork("192.168.50.0/24")


@pytest.mark.parametrize("version", [4, 6])
def test_an_announcement_mends_a_neighbours_stale_entry_at_once(
    lan: Lan, wire: Wire, version: int
) -> None:
    neighbour = lan.add("192.168.50.30/24", "fd00:50::30/64")
    address = at(20, version)
    neighbour.ip(f"neighbour add {address} lladdr 02:00:00:00:01:01 dev eth0 nud reachable")
    wire.announce(address, GHOST)
    end = time.monotonic() + 1
    while entry_of(neighbour, address) != GHOST and time.monotonic() < end:
        time.sleep(0.01)
    assert entry_of(neighbour, address) == GHOST


def test_an_announcement_is_a_request_for_its_own_sender_from_its_own_mac(
    lan: Lan, wire: Wire, tmp_path: Path
) -> None:
    capture = Capture(lan.switch, "lan", tmp_path)
    wire.announce(at(20), GHOST)
    wire.announce(at(20, 6), GHOST, count=1)
    shown = capture.fields(
        f"eth.src == {GHOST}",
        *("arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "arp.isannouncement"),
        *("icmpv6.type", "icmpv6.nd.na.flag.o", "icmpv6.nd.na.flag.s", "icmpv6.checksum.status"),
    )
    arp = ("1", str(at(20)), str(at(20)), "1", "", "", "", "")
    assert shown == [arp, arp, ("", "", "", "", "136", "1", "0", "1")]


def test_nothing_is_announced_for_an_address_of_another_lan(wire: Wire) -> None:
    with pytest.raises(BadSubnet):
        wire.announce(IPAddress("8.8.8.8"), GHOST)


@pytest.fixture
def containers(pc: Machine, lan: Lan) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces with a macvlan link each over the parent of `pc`, as containers have it."""
    del lan
    with namespaces("c1", "c2") as spaces:
        for number, space in enumerate(spaces):
            pc.ip(f"link add mv{number} link eth0 type macvlan mode bridge")
            pc.ip(f"link set mv{number} netns {space.name} name eth0")
            space.ip(f"link set eth0 address 02:00:00:00:08:0{number} up")
            space.ip(f"address add 192.168.50.{200 + number}/24 dev eth0")
        yield spaces[0], spaces[1]


def test_an_announcement_from_inside_reaches_siblings_and_lan_from_the_parent_the_lan_alone(
    lan: Lan, wire: Wire, containers: tuple[Namespace, Namespace]
) -> None:
    own, sibling = containers
    neighbour = lan.add("192.168.50.30/24")
    for machine in (sibling, neighbour):
        machine.ip(f"neighbour add {at(200)} lladdr 02:00:00:00:01:01 dev eth0 nud reachable")
    wire.announce(at(200), "02:00:00:00:08:00")
    time.sleep(0.2)
    assert entry_of(neighbour, at(200)) == "02:00:00:00:08:00"
    assert entry_of(sibling, at(200)) == "02:00:00:00:01:01"
    with Wire("eth0", namespace=own.path) as inner:
        inner.announce(at(200), "02:00:00:00:08:00")
    time.sleep(0.2)
    assert entry_of(sibling, at(200)) == "02:00:00:00:08:00"


def test_a_shim_hears_the_containers_of_its_own_host_and_the_lan_and_the_parent_the_lan_alone(
    lan: Lan, pc: Machine, wire: Wire, containers: tuple[Namespace, Namespace]
) -> None:
    del containers
    lan.add("192.168.50.30/24")
    assert set(wire.probe([at(30), at(200), at(201)])) == {at(30)}
    pc.ip("link add shim link eth0 type macvlan mode bridge")
    pc.ip("link set shim up")
    with Wire("shim", namespace=pc.path, subnets=[SUBNET]) as shim:
        assert set(shim.probe([at(30), at(200), at(201)])) == {at(30), at(200), at(201)}


def entry_of(machine: Namespace, address: IPAddress) -> str:
    """The MAC that the machine's neighbour table has for an address."""
    entries = machine.show(f"neighbour show {address} dev eth0")
    return str(entries[0].get("lladdr", "")) if entries else ""
