"""Filters are tried in the kernel: a Unix datagram socket runs them over what is sent to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from macvlan_ros.wire import bpf, frames

MAC = "02:00:5e:00:53:01"
LAN = IPNetwork("10.20.0.0/16")
#: The kernel takes no longer program (BPF_MAXINSNS).
LONGEST = 4096

ipv4 = st.integers(LAN.first, LAN.last).map(lambda value: IPAddress(value, 4))


class Sieve:
    """Two ends of a socket; `keeps` tells whether a frame came through a filter."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.far.setblocking(False)

    def keeps(self, program: list[bpf.Instruction], frame: bytes) -> bool:
        bpf.attach(self.far, program)
        self.near.send(frame)
        try:
            return self.far.recv(4096) == frame
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture(scope="module")
def sieve() -> Iterator[Sieve]:
    both = Sieve()
    yield both
    both.close()


@given(claims=st.lists(ipv4, max_size=600), other=ipv4)
def test_only_claims_of_the_wanted_addresses_come_through(
    sieve: Sieve, claims: list[IPAddress], other: IPAddress
) -> None:
    program = bpf.arp(claims=claims)
    for address in {*claims[:2], *claims[-2:], other}:
        assert sieve.keeps(program, frames.announcement(address, MAC)) == (address in claims)
        assert not sieve.keeps(program, frames.probe(address, MAC))


@given(
    asked=st.lists(ipv4, min_size=1, max_size=500),
    askers=st.lists(ipv4, max_size=3),
    target=ipv4,
    sender=ipv4,
)
def test_questions_come_through_from_nobody_and_from_the_askers_alone(
    sieve: Sieve,
    asked: list[IPAddress],
    askers: list[IPAddress],
    target: IPAddress,
    sender: IPAddress,
) -> None:
    program = bpf.arp(claims=[], asked=asked, askers=askers)
    for address in {asked[0], asked[-1], target}:
        assert sieve.keeps(program, frames.probe(address, MAC)) == (address in asked)
        for asker in {*askers, sender}:
            frame = frames.request(address, sender=asker, mac=MAC)
            assert sieve.keeps(program, frame) == (address in asked and asker in askers)


def test_a_list_too_long_for_the_kernel_is_widened_to_its_prefix(sieve: Sieve) -> None:
    claims = [IPAddress(LAN.first + number) for number in range(1, 65535)]
    program = bpf.arp(claims=claims, asked=claims)
    assert len(program) < LONGEST
    assert sieve.keeps(program, frames.announcement(IPAddress("10.20.250.3"), MAC))
    assert not sieve.keeps(program, frames.announcement(IPAddress("10.21.0.3"), MAC))


@pytest.mark.parametrize("count", [1, 199, 200, 201, 1500])
def test_the_longest_lists_fit_the_kernel(sieve: Sieve, count: int) -> None:
    listed = [IPAddress(LAN.first + 3 * number) for number in range(count)]
    program = bpf.arp(claims=listed, asked=listed, askers=listed[:3])
    assert len(program) <= LONGEST
    for address in listed[::97]:
        assert sieve.keeps(program, frames.announcement(address, MAC))
        assert sieve.keeps(program, frames.probe(address, MAC))
        assert not sieve.keeps(program, frames.announcement(address + 1, MAC))


def test_neighbour_discovery_comes_through_for_the_wanted_addresses(sieve: Sieve) -> None:
    wanted, other = IPAddress("2001:db8::a:1"), IPAddress("2001:db8::a:2")
    program = bpf.neighbour_discovery(claims=[wanted], asked=[wanted])
    assert sieve.keeps(program, frames.announcement(wanted, MAC))
    assert sieve.keeps(program, frames.probe(wanted, MAC))
    assert not sieve.keeps(program, frames.announcement(other, MAC))
    assert not sieve.keeps(program, frames.probe(other, MAC))
    claims_only = bpf.neighbour_discovery(claims=[wanted])
    assert not sieve.keeps(claims_only, frames.probe(wanted, MAC))


@given(st.binary(max_size=100))
def test_other_frames_do_not_come_through(sieve: Sieve, data: bytes) -> None:
    everything = [IPAddress("0.0.0.1"), IPAddress("255.255.255.255")]
    for program in (bpf.arp(claims=everything, asked=everything), list(bpf.NOTHING)):
        assert not sieve.keeps(program, data)
