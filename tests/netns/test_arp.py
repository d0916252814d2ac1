"""Probes and scans by frames of our own, between real network namespaces. Needs root."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import BadParent, BadSubnet, InvalidRequest, NotFound, ParentNotFound
from macvlan_ros.wire import frames
from macvlan_ros.wire.arp import Wire, open_wire
from macvlan_ros.wire.frames import Heard, Kind
from tests.netns.lan import Capture, Lan, Machine, at, repeating, stranger
from tests.privileges import unprivileged

SUBNET = IPNetwork("192.168.50.0/24")
GHOST = "02:00:00:00:09:09"


def test_a_probe_on_the_wire_has_no_sender_address_and_names_nobody(
    lan: Lan, pc: Machine, wire: Wire, tmp_path: Path
) -> None:
    capture = Capture(lan.switch, "lan", tmp_path)
    wire.probe([at(77), at(78)])
    shown = capture.fields(
        "arp",
        *("eth.src", "eth.dst", "arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4"),
        *("arp.src.hw_mac", "arp.dst.hw_mac", "frame.time_relative", "arp.isprobe"),
    )
    rows = [row[:7] for row in shown]
    one_each = [
        (pc.mac, "ff:ff:ff:ff:ff:ff", "1", "0.0.0.0", str(at(last)), pc.mac, "00:00:00:00:00:00")
        for last in (77, 78)
    ]
    assert rows == one_each * 3
    times = [float(row[7]) for row in shown[::2]]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(0.19 < gap < 0.3 for gap in gaps)
    assert {row[8] for row in shown} == {"1"}


def test_an_ipv6_question_on_the_wire_is_that_of_duplicate_address_detection(
    lan: Lan, pc: Machine, wire: Wire, tmp_path: Path
) -> None:
    capture = Capture(lan.switch, "lan", tmp_path)
    wire.probe([at(77, 6)])
    shown = capture.fields(
        f"icmpv6.type == 135 && eth.src == {pc.mac} && icmpv6.nd.ns.target_address == {at(77, 6)}",
        *("eth.src", "eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.nd.ns.target_address"),
        *("icmpv6.checksum.status", "icmpv6.opt.type"),
    )
    expected = (pc.mac, "33:33:ff:00:00:77", "::", "ff02::1:ff00:77", "255", str(at(77, 6)))
    assert [row[:6] for row in shown] == [expected] * 3
    assert {row[6:] for row in shown} == {("1", "")}


def test_254_addresses_at_once_take_less_than_a_second_and_all_live_ones_are_found(
    lan: Lan, wire: Wire
) -> None:
    holders: dict[IPAddress, str] = {}
    for first in range(20, 100, 20):
        addresses = [at(first + number) for number in range(20)]
        machine = lan.add(*(f"{address}/24" for address in addresses))
        holders.update(dict.fromkeys(addresses, machine.mac))
    start = time.monotonic()
    found = wire.probe(at(last) for last in range(1, 255))
    took = time.monotonic() - start
    assert {address: answer.mac for address, answer in found.items()} == holders
    assert found.proxy == ""
    assert took < 5


def test_it_ends_early_when_somebody_has_answered_for_every_address(lan: Lan, wire: Wire) -> None:
    for last in range(20, 24):
        lan.add(f"192.168.50.{last}/24")
    start = time.monotonic()
    assert len(wire.probe(at(last) for last in range(20, 24))) == 4
    assert time.monotonic() - start < 0.5


def test_a_socket_is_kept_so_that_the_next_probe_opens_none(wire: Wire) -> None:
    wire.probe([at(20), at(20, 6)])
    before = set(Path("/proc/self/fd").iterdir())
    wire.probe([at(20), at(20, 6)])
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_what_was_heard_between_two_probes_does_not_count(lan: Lan, wire: Wire) -> None:
    other = lan.add("192.168.50.20/24")
    assert wire.probe([at(20)])
    other.ip("address flush dev eth0")
    wire.probe([at(99)])
    assert not wire.probe([at(20)])


def test_a_machine_that_answers_for_every_address_is_found_out(lan: Lan, wire: Wire) -> None:
    real, proxy = lan.add("192.168.50.20/24"), lan.add()
    with stranger(proxy, lambda heard: frames.answer(heard, proxy.mac)):
        found = wire.probe(at(last) for last in range(18, 26))
        alone = wire.probe([at(30)])
        seen = wire.scan(SUBNET)
    assert found.proxy == alone.proxy == proxy.mac
    assert {address: answer.mac for address, answer in found.items()} == {at(20): real.mac}
    assert not alone
    assert [one.address for one in seen if not one.proxy] == [at(11), at(20)][1:]
    assert sum(one.proxy for one in seen) == 254


@pytest.mark.parametrize("version", [4, 6])
def test_a_flood_of_frames_about_others_costs_nothing(lan: Lan, wire: Wire, version: int) -> None:
    """In IPv6 of solicitations, too."""
    real, flooder = lan.add("192.168.50.20/24", "fd00:50::20/64"), lan.add()

    def about_others(number: int) -> bytes:
        other = at(100 + number % 100, version)
        if version == 6 and number % 2:
            return frames.probe(other, GHOST)
        return frames.announcement(other, GHOST, source=flooder.mac)

    with repeating(flooder, about_others, rate=20_000):
        before = time.thread_time()
        start = time.monotonic()
        found = wire.probe([at(20, version), at(21, version)])
        took, busy = time.monotonic() - start, time.thread_time() - before
    assert {address: answer.mac for address, answer in found.items()} == {at(20, version): real.mac}
    assert took < 2
    assert busy < 0.1


@pytest.mark.parametrize("version", [4, 6])
def test_a_flood_of_claims_of_the_very_addresses_ends_in_time_and_finds_all(
    lan: Lan, wire: Wire, version: int
) -> None:
    lan.add("192.168.50.20/24", "fd00:50::20/64")
    flooder = lan.add()

    def claims(number: int) -> bytes:
        mac = f"02:00:00:01:{number >> 8 & 255:02x}:{number & 255:02x}"
        return frames.announcement(at(21 + number % 2, version), mac, source=flooder.mac)

    with repeating(flooder, claims, rate=20_000):
        start = time.monotonic()
        found = wire.probe([at(last, version) for last in (20, 21, 22, 23)])
        took = time.monotonic() - start
    assert {at(20, version), at(21, version), at(22, version)} == set(found)
    assert took < 4


def test_frames_of_another_vlan_and_broken_ones_are_no_answers(lan: Lan, wire: Wire) -> None:
    other = lan.add()

    def tagged(heard: Heard) -> bytes:
        plain = frames.answer(heard, other.mac)
        return plain[:12] + bytes.fromhex("81000064") + plain[12:]

    def broken(heard: Heard) -> bytes:
        return frames.answer(heard, other.mac)[:30]

    for reply in (tagged, broken):
        with stranger(other, reply) as heard:
            assert not wire.probe([at(20)])
        assert heard


@pytest.mark.parametrize("version", [4, 6])
def test_the_careful_form_counts_a_rivals_probe_and_the_fast_form_does_not(
    lan: Lan, wire: Wire, version: int
) -> None:
    rival = lan.add()
    wanted = at(20, version)
    with repeating(rival, lambda _: frames.probe(wanted, rival.mac), rate=20):
        assert not wire.probe([wanted])
        found = wire.probe([wanted], timing="rfc5227")
    assert found[wanted].mac == rival.mac


def test_the_careful_form_takes_four_to_seven_seconds_for_a_free_address(wire: Wire) -> None:
    start = time.monotonic()
    assert not wire.probe([at(20)], timing="rfc5227")
    assert 4 <= time.monotonic() - start < 20


def test_two_machines_with_one_address_are_both_seen_in_a_scan(lan: Lan, wire: Wire) -> None:
    macs = {lan.add("192.168.50.20/24").mac, lan.add("192.168.50.20/24").mac}
    seen = wire.scan(SUBNET)
    assert {one.mac for one in seen if one.address == at(20)} == macs


def test_a_subnet_of_a_thousand_is_scanned_at_the_rate_that_was_asked_for(lan: Lan) -> None:
    pc, other = lan.add("10.9.0.1/22"), lan.add("10.9.3.200/22")
    with Wire("eth0", namespace=pc.path) as wire, stranger(other, lambda _: None) as heard:
        start = time.monotonic()
        seen = wire.scan(IPNetwork("10.9.0.0/22"), rate=2000)
        took = time.monotonic() - start
        time.sleep(0.2)
        asked = Counter(one.target for one in heard if one.mac == pc.mac and one.kind is Kind.PROBE)
        asked = Counter({one: n for one, n in asked.items() if one.version == 4})
    assert [(str(one.address), one.mac) for one in seen] == [("10.9.3.200", other.mac)]
    assert 1.2 < took < 2.5
    assert len(asked) == 1022
    assert set(asked.values()) <= {1, 2}


@pytest.mark.parametrize("rate", [0, -1, 1e9])
def test_a_rate_that_makes_no_sense_is_refused(wire: Wire, rate: float) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 100000"):
        wire.scan(SUBNET, rate=rate)


def test_a_parent_without_an_address_asks_in_the_subnet_that_it_is_told(lan: Lan) -> None:
    bare, other = lan.add(), lan.add("192.168.50.20/24")
    with (
        Wire("eth0", namespace=bare.path) as wire,
        pytest.raises(BadSubnet, match=r"LAN of eth0 \(fe80::/64\)"),
    ):
        wire.probe([at(20)])
    with Wire("eth0", namespace=bare.path, subnets=[SUBNET]) as wire:
        assert wire.probe([at(20)])[at(20)].mac == other.mac


def test_interfaces_that_cannot_be_asked_through_are_refused(pc: Machine) -> None:
    with pytest.raises(ParentNotFound, match="no interface eth7"):
        Wire("eth7", namespace=pc.path)
    with pytest.raises(ParentNotFound, match="is no name of an interface"):
        Wire("a-name-that-is-far-too-long", namespace=pc.path)
    with pytest.raises(BadParent, match="lo is not an Ethernet interface"):
        Wire("lo", namespace=pc.path)
    with pytest.raises(NotFound, match="no network namespace at"):
        Wire("eth0", namespace=Path("/run/netns/there-is-none"))


def test_without_cap_net_raw_it_asks_the_kernel(lan: Lan, pc: Machine) -> None:
    other = lan.add("192.168.50.20/24")
    script = (
        "import json; from netaddr import IPAddress; from macvlan_ros.wire.arp import open_wire\n"
        "wire = open_wire('eth0')\n"
        "found = wire.probe([IPAddress('192.168.50.20'), IPAddress('192.168.50.21')])\n"
        "print(json.dumps([type(wire).__name__, {str(a): f.mac for a, f in found.items()}]))"
    )
    out = without_capabilities(pc, script)
    assert json.loads(out) == ["KernelWire", {"192.168.50.20": other.mac}]


def test_without_cap_net_raw_an_announcement_is_refused_with_a_sentence(pc: Machine) -> None:
    script = (
        "from netaddr import IPAddress; from macvlan_ros.wire.arp import open_wire\n"
        "from macvlan_ros.errors import Forbidden\n"
        "try: open_wire('eth0').announce(IPAddress('192.168.50.20'), '02:00:00:00:09:09')\n"
        "except Forbidden as error: print(error)"
    )
    assert "takes CAP_NET_RAW: run as root" in without_capabilities(pc, script)


def test_with_cap_net_raw_it_sends_frames_of_its_own(pc: Machine) -> None:
    with open_wire("eth0", namespace=pc.path) as wire:
        assert isinstance(wire, Wire)


def without_capabilities(machine: Machine, script: str) -> str:
    """What a script prints that runs on the machine without any capability."""
    script = f"assert 'CapEff:\\t{0:016x}' in open('/proc/self/status').read()\n{script}"
    command = ["nsenter", f"--net={machine.path}", *unprivileged(), sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
