"""DHCP packets: a DISCOVER is what servers expect, and no answer breaks the reader."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.wire import dhcp, frames
from macvlan_ros.wire.dhcp import Offer

MAC = "02:00:5e:00:53:01"
SERVER_MAC = "02:00:5e:00:53:99"
NUMBER = 0x12345678
FULL = bytes.fromhex(
    "350102 3604c0000201 0104ffffff00 0308c0000202c0000203 330400000e10 ff".replace(" ", "")
)


def reply(options: bytes, *, file: bytes = b"", name: bytes = b"", number: int = NUMBER) -> bytes:
    """A server's frame; its BOOTP fields are right but for what the test changes."""
    bootp = struct.pack("!BBBBIHH4s", 2, 1, 6, 0, number, 0, 0x8000, bytes(4))
    bootp += IPAddress("192.0.2.77").packed + IPAddress("192.0.2.1").packed + bytes(4)
    bootp += frames.mac_bytes(MAC).ljust(16, b"\x00") + name.ljust(64, b"\x00")
    bootp += file.ljust(128, b"\x00") + b"\x63\x82\x53\x63" + options
    ethernet = b"\xff" * 6 + frames.mac_bytes(SERVER_MAC) + b"\x08\x00"
    header = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(bootp), 0, 0, 64, 17, 0)
    header += IPAddress("192.0.2.1").packed + b"\xff" * 4
    return ethernet + header + struct.pack("!HHHH", 67, 68, 8 + len(bootp), 0) + bootp


def read(frame: bytes) -> Offer | None:
    return dhcp.parse_offer(frame, NUMBER, MAC)


def test_an_offer_is_read_with_all_that_it_says() -> None:
    assert read(reply(FULL)) == Offer(
        IPAddress("192.0.2.1"),
        IPAddress("192.0.2.77"),
        SERVER_MAC,
        netmask=IPAddress("255.255.255.0"),
        router=IPAddress("192.0.2.2"),
        lease_s=3600,
    )


def test_what_an_offer_leaves_out_is_none_and_its_sender_stands_for_the_server() -> None:
    assert read(reply(bytes.fromhex("350102ff"))) == Offer(
        IPAddress("192.0.2.1"), IPAddress("192.0.2.77"), SERVER_MAC
    )


def test_options_are_read_where_they_overflow_into_other_fields() -> None:
    router, lease = bytes.fromhex("0304c0000209ff"), bytes.fromhex("3304000000ffff")
    offer = read(reply(bytes.fromhex("350102340103ff"), file=router, name=lease))
    assert offer is not None
    assert (offer.router, offer.lease_s) == (IPAddress("192.0.2.9"), 255)


@pytest.mark.parametrize(
    "frame",
    [
        reply(bytes.fromhex("350105ff")),
        reply(bytes.fromhex("ff")),
        reply(FULL, number=1),
        reply(FULL)[:200],
        dhcp.discover(NUMBER, MAC),
        b"",
    ],
    ids=["an ACK", "no type", "another's", "cut off", "a question", "nothing"],
)
def test_what_is_no_offer_for_us_is_passed_over(frame: bytes) -> None:
    assert read(frame) is None


@given(st.binary(max_size=600))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    read(data)


@given(options=st.binary(max_size=300), file=st.binary(max_size=128), name=st.binary(max_size=64))
def test_no_options_break_the_reader(options: bytes, file: bytes, name: bytes) -> None:
    for front in (b"", bytes.fromhex("350102"), bytes.fromhex("350102340103")):
        offer = read(reply(front + options, file=file, name=name))
        assert offer is None or isinstance(offer, Offer)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_no_damaged_offer_breaks_the_reader(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(reply(FULL))
    for place, value in changes:
        damaged[place % len(damaged)] = value
    read(bytes(damaged))


def test_a_discover_carries_right_check_sums() -> None:
    frame = dhcp.discover(NUMBER, MAC, source=SERVER_MAC)
    header, datagram = frame[14:34], frame[34:]
    assert frames.internet_checksum(header) == 0
    pseudo = header[12:20] + struct.pack("!HH", 17, len(datagram))
    assert frames.internet_checksum(pseudo + datagram) == 0
    assert frame[6:12] == frames.mac_bytes(SERVER_MAC)


@given(st.binary(min_size=6, max_size=6))
def test_the_made_up_client_is_another_and_locally_administered(raw: bytes) -> None:
    made = frames.mac_bytes(dhcp.client_mac(frames.mac_text(raw)))
    assert made != raw
    assert made[0] & 0x02
    assert made[0] & 0x01 == raw[0] & 0x01
