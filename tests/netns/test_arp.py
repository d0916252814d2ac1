"""Probes, scans and announcements between real network namespaces. Needs root."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros import frames
from macvlan_ros.arp import Wire, open_wire
from macvlan_ros.errors import (
    BadParent,
    BadSubnet,
    InvalidRequest,
    KernelRefused,
    NotFound,
    ParentNotFound,
)
from macvlan_ros.frames import Heard, Kind
from macvlan_ros.kernel_wire import KernelWire
from macvlan_ros.prober import Prober
from tests.netns.lan import Capture, Lan, Machine, make_lan, repeating, stranger
from tests.netns.namespace import Namespace, cable, namespaces
from tests.privileges import unprivileged

SUBNET = IPNetwork("192.168.50.0/24")
GHOST = "02:00:00:00:09:09"


def at(last: int, version: int = 4) -> IPAddress:
    return IPAddress(f"192.168.50.{last}") if version == 4 else IPAddress(f"fd00:50::{last}")


@pytest.fixture
def lan() -> Iterator[Lan]:
    with make_lan() as made:
        yield made


@pytest.fixture
def pc(lan: Lan) -> Machine:
    """The machine that asks."""
    return lan.add("192.168.50.11/24", "fd00:50::11/64")


@pytest.fixture
def wire(pc: Machine) -> Iterator[Wire]:
    with Wire("eth0", namespace=pc.path) as made:
        yield made


@pytest.fixture(params=[Wire, KernelWire])
def prober(request: pytest.FixtureRequest, pc: Machine) -> Iterator[Prober]:
    """Both ways of asking keep the same promises."""
    with request.param("eth0", namespace=pc.path) as made:
        yield made


# ---- what every way of asking promises


def test_a_stranger_is_found_with_its_mac_and_free_addresses_are_free(
    lan: Lan, prober: Prober
) -> None:
    other = lan.add("192.168.50.20/24")
    found = prober.probe([at(20), at(21), at(22)])
    assert {address: answer.mac for address, answer in found.items()} == {at(20): other.mac}
    assert 0 <= found[at(20)].latency_s < 0.2
    assert found.proxy == ""


def test_an_ipv6_stranger_is_found_beside_an_ipv4_one(lan: Lan, prober: Prober) -> None:
    other = lan.add("192.168.50.20/24", "fd00:50::20/64")
    found = prober.probe([at(20), at(21), at(20, 6), at(21, 6)])
    assert {address: answer.mac for address, answer in found.items()} == {
        at(20): other.mac,
        at(20, 6): other.mac,
    }


def test_our_own_macs_are_no_strangers(lan: Lan, prober: Prober) -> None:
    ours, other = lan.add("192.168.50.20/24"), lan.add("192.168.50.21/24")
    found = prober.probe([at(20), at(21)], mine={ours.mac})
    assert {address: answer.mac for address, answer in found.items()} == {at(21): other.mac}


def test_a_stranger_who_misses_the_first_question_is_found(lan: Lan, prober: Prober) -> None:
    other, asked = lan.add(), Counter[IPAddress]()

    def deaf_at_first(heard: Heard) -> bytes | None:
        asked[heard.target] += 1
        return frames.answer(heard, other.mac) if asked[heard.target] > 1 else None

    with stranger(other, deaf_at_first):
        found = prober.probe([at(20), at(21)])
    assert {answer.mac for answer in found.values()} == {other.mac}
    assert set(found) == {at(20), at(21)}


def test_a_scan_finds_everybody_and_reports_its_progress(lan: Lan, prober: Prober) -> None:
    others = {at(last): lan.add(f"192.168.50.{last}/24").mac for last in (1, 20, 254)}
    steps: list[tuple[int, int]] = []
    seen = prober.scan(SUBNET, progress=lambda done, total: steps.append((done, total)))
    assert [(one.address, one.mac, one.proxy) for one in seen] == [
        (address, mac, False) for address, mac in others.items()
    ]
    assert steps == sorted(steps)
    assert steps[-1] == (762, 762)


def test_nothing_is_asked_outside_of_the_interfaces_own_subnet(prober: Prober) -> None:
    with pytest.raises(BadSubnet, match=r"8\.8\.8\.8 is not on the LAN of eth0 .*192\.168\.50\.0"):
        prober.probe([at(20), IPAddress("8.8.8.8")])
    with pytest.raises(BadSubnet, match=r"only addresses of its own subnets"):
        prober.scan(IPNetwork("192.168.50.0/23"))


def test_of_a_whole_ipv6_lan_those_are_found_who_answer_a_ping_and_those_who_are_known(
    lan: Lan, wire: Wire
) -> None:
    whole = IPNetwork("fd00:50::/64")
    one, two = lan.add("fd00:50::20/64"), lan.add("fd00:50::abcd:30/64")
    silent = lan.add("fd00:50::1:40/64")
    silent.run("sysctl", "-qw", "net.ipv6.icmp.echo_ignore_multicast=1")
    known = IPAddress("fd00:50::1:40")
    expected = {at(20, 6): one.mac, IPAddress("fd00:50::abcd:30"): two.mac}
    assert {seen.address: seen.mac for seen in wire.scan(whole)} == expected
    expected[known] = silent.mac
    found = wire.scan(whole, known=[known, at(20), IPAddress("fd00:99::1")])
    assert {seen.address: seen.mac for seen in found} == expected
    with pytest.raises(InvalidRequest, match="at most 65536"):
        KernelWire("eth0", namespace=wire.namespace).scan(whole)
    with pytest.raises(BadSubnet):
        wire.scan(IPNetwork("fd00:99::/64"))


def test_a_subnet_above_a_sixteenth_bit_is_not_scanned(prober: Prober) -> None:
    with pytest.raises(InvalidRequest, match=r"131072 addresses, and at most 65536"):
        prober.scan(IPNetwork("10.0.0.0/15"))


def test_an_unknown_timing_is_refused(prober: Prober) -> None:
    with pytest.raises(InvalidRequest, match="fast, rfc5227"):
        prober.probe([at(20)], timing="slow")


def test_an_interface_that_is_down_is_named_with_its_remedy(pc: Machine, prober: Prober) -> None:
    pc.ip("link set eth0 down")
    with pytest.raises(KernelRefused, match=r"eth0 is down.*ip link set eth0 up"):
        prober.probe([at(20)])
    with pytest.raises(KernelRefused, match=r"eth0 is down"):
        prober.scan(SUBNET)


def test_an_interface_without_a_carrier_says_so_within_two_seconds(
    lan: Lan, pc: Machine, prober: Prober
) -> None:
    lan.switch.ip("link set p1 down")
    wait_for_no_carrier(pc)
    start = time.monotonic()
    with pytest.raises(KernelRefused, match=r"eth0 has no carrier.*cable"):
        prober.probe([at(20)])
    assert time.monotonic() - start < 2.5


def wait_for_no_carrier(machine: Machine) -> None:
    """The kernel takes notice of cables at most once a second, for all interfaces in turn."""
    deadline = time.monotonic() + 10
    while "NO-CARRIER" not in machine.show("link show eth0")[0]["flags"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_interfaces_going_and_coming_back_is_survived(
    lan: Lan, pc: Machine, prober: Prober
) -> None:
    other = lan.add("192.168.50.20/24")
    assert set(prober.probe([at(20)])) == {at(20)}
    pc.ip("link set eth0 down")
    pc.ip("link set eth0 up")
    assert prober.probe([at(20)])[at(20)].mac == other.mac
    pc.ip("link delete eth0")
    cable(pc, "eth0", lan.switch, "again")
    lan.switch.ip("link set again master lan up")
    pc.ip("link set eth0 up")
    pc.ip("address add 192.168.50.11/24 dev eth0")
    assert prober.probe([at(20)])[at(20)].mac == other.mac


def test_an_interface_that_vanishes_in_the_middle_ends_the_probe_with_a_sentence(
    pc: Machine, prober: Prober
) -> None:
    timer = threading.Timer(0.1, lambda: pc.ip("link delete eth0"))
    timer.start()
    start = time.monotonic()
    with pytest.raises(ParentNotFound, match="eth0"):
        prober.probe([at(20)])
    timer.join()
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("version", [4, 6])
def test_an_interface_that_goes_down_in_the_middle_is_an_error_and_no_free_address(
    pc: Machine, prober: Prober, version: int
) -> None:
    timer = threading.Timer(0.1, lambda: pc.ip("link set eth0 down"))
    timer.start()
    with pytest.raises(KernelRefused, match="eth0"):
        prober.probe([at(20, version)])
    timer.join()


def test_many_threads_ask_at_the_same_time_without_waiting_for_one_another(
    lan: Lan, prober: Prober
) -> None:
    other = lan.add(*(f"192.168.50.{last}/24" for last in range(20, 24)))
    start = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        asked = [[at(20 + n % 4), at(40 + n)] for n in range(8)]
        found = list(threads.map(prober.probe, asked))
    assert time.monotonic() - start < 3.5
    for wanted, one in zip(asked, found, strict=True):
        assert {address: answer.mac for address, answer in one.items()} == {wanted[0]: other.mac}


# ---- frames of our own


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
    assert took < 1


def test_it_ends_early_when_somebody_has_answered_for_every_address(lan: Lan, wire: Wire) -> None:
    for last in range(20, 24):
        lan.add(f"192.168.50.{last}/24")
    start = time.monotonic()
    assert len(wire.probe(at(last) for last in range(20, 24))) == 4
    assert time.monotonic() - start < 0.1


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


def test_a_proxy_that_the_kernel_makes_is_found_out_by_either_way_of_asking(
    lan: Lan, prober: Prober
) -> None:
    router = lan.add("192.168.50.1/32")
    (behind,) = lan._stack.enter_context(namespaces("behind"))
    cable(router, "inner", behind, "eth0")
    router.ip("link set inner up")
    behind.ip("link set eth0 up")
    router.ip("route add 192.168.50.0/24 dev inner")
    router.ip("route add 192.168.50.11/32 dev eth0")
    settings = ("ipv4.conf.eth0.proxy_arp=1", "ipv4.ip_forward=1", "ipv4.neigh.eth0.proxy_delay=0")
    for setting in settings:
        router.run("sysctl", "-qw", f"net.{setting}")
    found = prober.probe(at(last) for last in range(20, 28))
    assert not found
    # Linux does not answer a probe for others, only a question from somebody with an address.
    assert found.proxy == ("" if isinstance(prober, Wire) else router.mac)


@pytest.mark.parametrize("prefix", [64, 112])
def test_a_machine_that_answers_every_solicitation_is_found_out_by_either_way_of_asking(
    lan: Lan, prober: Prober, prefix: int
) -> None:
    """As a router with proxy NDP does, for the whole LAN or for the part that the pool is in."""
    real, proxy = lan.add("fd00:50::1:20/64"), lan.add()
    real20, part = IPAddress("fd00:50::1:20"), IPNetwork(f"fd00:50::1:0/{prefix}")

    def reply(heard: Heard) -> bytes | None:
        asks = heard.kind in (Kind.PROBE, Kind.REQUEST)
        return frames.answer(heard, proxy.mac) if asks and heard.target in part else None

    with stranger(proxy, reply):
        for _ in range(4):  # on a busy machine it answers too late to be noticed
            found = prober.probe(IPAddress(f"fd00:50::1:{last}") for last in range(18, 26))
            alone = prober.probe([IPAddress("fd00:50::1:99")])
            if found.proxy and alone.proxy:
                break
    assert found.proxy == alone.proxy == proxy.mac
    assert {address: answer.mac for address, answer in found.items()} in ({real20: real.mac}, {})
    assert not alone


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
    assert 4 <= time.monotonic() - start < 7.5


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


# ---- without the right to send frames


def test_without_cap_net_raw_it_asks_the_kernel(lan: Lan, pc: Machine) -> None:
    other = lan.add("192.168.50.20/24")
    script = (
        "import json; from netaddr import IPAddress; from macvlan_ros.arp import open_wire\n"
        "wire = open_wire('eth0')\n"
        "found = wire.probe([IPAddress('192.168.50.20'), IPAddress('192.168.50.21')])\n"
        "print(json.dumps([type(wire).__name__, {str(a): f.mac for a, f in found.items()}]))"
    )
    out = without_capabilities(pc, script)
    assert json.loads(out) == ["KernelWire", {"192.168.50.20": other.mac}]


def test_without_cap_net_raw_an_announcement_is_refused_with_a_sentence(pc: Machine) -> None:
    script = (
        "from netaddr import IPAddress; from macvlan_ros.arp import open_wire\n"
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


# ---- announcing


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
