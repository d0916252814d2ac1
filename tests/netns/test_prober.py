"""What every way of asking promises, between real network namespaces. Needs root."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import BadSubnet, InvalidRequest, KernelRefused, ParentNotFound
from macvlan_ros.wire import frames
from macvlan_ros.wire.arp import Wire
from macvlan_ros.wire.frames import Heard, Kind
from macvlan_ros.wire.kernel_wire import KernelWire
from macvlan_ros.wire.prober import Prober
from tests.netns.lan import Lan, Machine, at, stranger
from tests.netns.namespace import cable, namespaces

SUBNET = IPNetwork("192.168.50.0/24")


@pytest.fixture(params=[Wire, KernelWire])
def prober(request: pytest.FixtureRequest, pc: Machine) -> Iterator[Prober]:
    """Both ways of asking keep the same promises."""
    with request.param("eth0", namespace=pc.path) as made:
        yield made


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
    with pytest.raises(ParentNotFound, match="eth0"):
        prober.probe([at(20)], timing="rfc5227")  # which would take four seconds
    timer.join()


@pytest.mark.parametrize("version", [4, 6])
def test_an_interface_that_goes_down_in_the_middle_is_an_error_and_no_free_address(
    pc: Machine, prober: Prober, version: int
) -> None:
    timer = threading.Timer(0.1, lambda: pc.ip("link set eth0 down"))
    timer.start()
    with pytest.raises(KernelRefused, match="eth0"):
        prober.probe([at(20, version)], timing="rfc5227")  # which would take four seconds
    timer.join()


def test_many_threads_ask_at_the_same_time_without_waiting_for_one_another(
    lan: Lan, prober: Prober
) -> None:
    other = lan.add(*(f"192.168.50.{last}/24" for last in range(20, 24)))
    start = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        asked = [[at(20 + n % 4), at(40 + n)] for n in range(20)]
        found = list(threads.map(prober.probe, asked))
    assert time.monotonic() - start < 8  # one after the other they would take twelve
    for wanted, one in zip(asked, found, strict=True):
        assert {address: answer.mac for address, answer in one.items()} == {wanted[0]: other.mac}


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
