"""DHCPv6 packets: no ADVERTISE breaks the reader, and none that is not ours counts."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.wire import dhcp6, frames
from macvlan_ros.wire.dhcp import Offer

MAC, OTHER = "02:00:5e:00:53:01", "02:00:5e:00:53:02"
SERVER_MAC, SERVER = "02:00:5e:00:53:99", IPAddress("fe80::99")
NUMBER = 0x123456
ADDRESSES = (IPAddress("2001:db8::77"), IPAddress("2001:db8::78"))


def option(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value


def association(*addresses: IPAddress) -> bytes:
    inner = (option(5, each.packed + struct.pack("!II", 60, 3600)) for each in addresses)
    return option(3, bytes(12) + b"".join(inner))


def client(mac: str = MAC) -> bytes:
    return option(1, struct.pack("!HH", 3, 1) + frames.mac_bytes(mac))


def reply(options: bytes, *, kind: int = 2, number: int = NUMBER) -> bytes:
    """A server's frame."""
    return frames.udp6(
        struct.pack("!I", kind << 24 | number) + options,
        source=(SERVER_MAC, SERVER, 547),
        target=(MAC, IPAddress("fe80::1"), 546),
    )


def read(frame: bytes) -> tuple[Offer, ...]:
    return dhcp6.parse_advertise(frame, transaction=NUMBER, mac=MAC)


def test_an_advertise_is_read_with_all_its_addresses() -> None:
    found = read(reply(option(2, b"server") + association(*ADDRESSES) + client()))
    assert found == tuple(Offer(SERVER, each, SERVER_MAC, lease_s=3600) for each in ADDRESSES)


@pytest.mark.parametrize(
    "frame",
    [
        reply(client() + association(*ADDRESSES), kind=7),
        reply(client() + association(*ADDRESSES), number=1),
        reply(client(OTHER) + association(*ADDRESSES)),
        reply(association(*ADDRESSES)),
        reply(client() + option(3, bytes(12) + option(13, b"\x00\x02none left"))),
        reply(client() + association(*ADDRESSES))[:100],
        dhcp6.solicit(NUMBER, MAC, source=MAC, sender=IPAddress("fe80::1")),
        b"",
    ],
    ids=["a REPLY", "another's", "another client's", "nobody's", "refused", "cut", "asks", "none"],
)
def test_what_is_no_advertise_for_us_is_passed_over(frame: bytes) -> None:
    assert read(frame) == ()


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for frame in (data, reply(data), reply(client() + option(3, data)), reply(client() + data)):
        assert all(isinstance(offer, Offer) for offer in read(frame))


def test_a_solicit_carries_a_right_check_sum() -> None:
    frame = dhcp6.solicit(NUMBER, MAC, source=SERVER_MAC, sender=SERVER)
    header, datagram = frame[14:54], frame[54:]
    pseudo = header[8:40] + struct.pack("!II", len(datagram), 17)
    assert frames.internet_checksum(pseudo + datagram) == 0
    assert frame[6:12] == frames.mac_bytes(SERVER_MAC)
