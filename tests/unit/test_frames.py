"""Frames are built as the RFCs say, and nothing that a stranger sends breaks the reader."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.wire import frames
from macvlan_ros.wire.frames import Heard, Kind

OURS = "02:00:5e:00:53:01"
THEIRS = "02:00:5e:00:53:02"
V4 = IPAddress("192.0.2.7")
V6 = IPAddress("2001:db8::a1:b2c3")

macs = st.binary(min_size=6, max_size=6).map(frames.mac_text)
ipv4 = st.integers(1, 2**32 - 1).map(lambda value: IPAddress(value, 4))
# a neighbour's address is none of multicast's
ipv6 = st.integers(1, 0xFF << 120).map(lambda value: IPAddress(value - 1 or 1, 6))
addresses = st.one_of(ipv4, ipv6)


def reread(frame: bytes) -> Heard:
    heard = frames.parse(frame)
    assert heard is not None
    return heard


def test_an_arp_probe_is_laid_out_as_rfc_5227_says() -> None:
    frame = frames.probe(V4, OURS)
    expected = "ffffffffffff 02005e005301 0806 0001 0800 06 04 0001"
    expected += "02005e005301 00000000 000000000000 c0000207"
    assert frame[:42] == bytes.fromhex(expected)
    assert frame[42:] == bytes(18)


def test_an_arp_announcement_names_its_address_twice() -> None:
    frame = frames.announcement(V4, OURS)
    assert struct.unpack_from("!H", frame, 20) == (1,)
    assert frame[28:32] == frame[38:42] == V4.packed
    assert frame[:6] == b"\xff" * 6


def test_a_solicitation_goes_to_its_own_group_and_carries_no_option() -> None:
    frame = frames.probe(V6, OURS)
    assert frame[:6] == bytes.fromhex("3333ffa1b2c3")
    assert frame[22:38] == bytes(16)
    assert frame[38:54] == IPAddress("ff02::1:ffa1:b2c3").packed
    assert len(frame) == 14 + 40 + 24
    assert frame[21] == 255


def test_an_unsolicited_advertisement_overrides_and_does_not_call_itself_solicited() -> None:
    frame = frames.announcement(V6, OURS)
    assert frame[:6] == bytes.fromhex("333300000001")
    assert frame[54] == 136
    assert frame[58] == 0x20
    assert frame[-8:] == bytes.fromhex("0201") + frames.mac_bytes(OURS)


def test_a_frame_on_behalf_of_another_keeps_the_senders_own_ethernet_address() -> None:
    for address in (V4, V6):
        heard = reread(frames.announcement(address, OURS, source=THEIRS))
        assert (heard.mac, heard.source) == (OURS, THEIRS)


@given(address=addresses, mac=macs)
def test_a_probe_is_read_as_a_question_from_nobody(address: IPAddress, mac: str) -> None:
    assert reread(frames.probe(address, mac)) == Heard(Kind.PROBE, None, address, mac, mac)


@given(address=addresses, mac=macs)
def test_an_announcement_is_read_as_a_claim(address: IPAddress, mac: str) -> None:
    heard = reread(frames.announcement(address, mac))
    assert heard == Heard(Kind.ANNOUNCEMENT, address, address, mac, mac)


@given(address=addresses, asker=macs, mac=macs)
def test_an_answer_to_a_probe_claims_the_address_that_was_asked_for(
    address: IPAddress, asker: str, mac: str
) -> None:
    heard = reread(frames.answer(reread(frames.probe(address, asker)), mac))
    assert (heard.sender, heard.mac) == (address, mac)
    assert heard.kind in (Kind.REPLY, Kind.ANNOUNCEMENT)


@given(address=ipv4, sender=ipv4, mac=macs)
def test_a_request_names_who_asks(address: IPAddress, sender: IPAddress, mac: str) -> None:
    heard = reread(frames.request(address, sender=sender, mac=mac))
    expected = Kind.ANNOUNCEMENT if address == sender else Kind.REQUEST
    assert heard == Heard(expected, sender, address, mac, mac)


def test_an_answer_to_a_request_goes_to_the_asker_alone() -> None:
    asked = reread(frames.request(V4, sender=IPAddress("192.0.2.1"), mac=THEIRS))
    frame = frames.answer(asked, OURS)
    assert frame[:6] == frames.mac_bytes(THEIRS)
    assert frame[38:42] == IPAddress("192.0.2.1").packed


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    frames.parse(data)
    frames.ping_answered(data, 1)


def test_only_an_answer_to_ones_own_ping_of_everybody_counts() -> None:
    asked = frames.ping_everybody(V6, OURS, 0x1234)
    header, message = asked[14:54], asked[54:]
    pseudo = header[8:40] + len(message).to_bytes(4, "big") + bytes([0, 0, 0, 58])
    assert frames.internet_checksum(pseudo + message) == 0
    assert asked[:6] == bytes.fromhex("333300000001")
    answer = asked[:54] + b"\x81" + asked[55:]
    assert frames.ping_answered(answer, 0x1234) == V6
    for other in (asked, answer[:60], frames.probe(V6, OURS), b""):
        assert frames.ping_answered(other, 0x1234) is None
    assert frames.ping_answered(answer, 1) is None


@given(
    frame=st.sampled_from([frames.probe(V4, OURS), frames.probe(V6, OURS)])
    | st.sampled_from([frames.announcement(V4, OURS), frames.announcement(V6, OURS)]),
    changes=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=6),
    length=st.integers(0, 90),
)
def test_no_damaged_frame_breaks_the_reader(
    frame: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    damaged = bytearray(frame)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    heard = frames.parse(bytes(damaged[:length]))
    assert heard is None or isinstance(heard, Heard)


@given(option=st.binary(max_size=40))
def test_no_option_list_breaks_the_reader_of_advertisements(option: bytes) -> None:
    src, dst = V6.packed, IPAddress("ff02::1").packed
    body = struct.pack("!BBHI16s", 136, 0, 0, 0x20000000, V6.packed) + option
    pseudo = src + dst + struct.pack("!II", len(body), 58)
    checksum = struct.pack("!H", frames.internet_checksum(pseudo + body))
    header = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + src + dst
    ethernet = frames.mac_bytes(THEIRS) * 2 + b"\x86\xdd"
    heard = frames.parse(ethernet + header + body[:2] + checksum + body[4:])
    assert heard is None or heard.target == V6


@pytest.mark.parametrize("place", [14, 18, 20, 21, 54, 55, 56, 60])
def test_an_advertisement_with_one_byte_changed_is_no_advertisement(place: int) -> None:
    damaged = bytearray(frames.announcement(V6, OURS))
    damaged[place] ^= 0x11
    assert frames.parse(bytes(damaged)) is None


@pytest.mark.parametrize("place", [14, 16, 18, 19, 20])
def test_an_arp_frame_for_other_hardware_or_protocols_is_passed_over(place: int) -> None:
    damaged = bytearray(frames.probe(V4, OURS))
    damaged[place] ^= 0x40
    assert frames.parse(bytes(damaged)) is None


def test_a_reply_from_nobody_is_passed_over() -> None:
    damaged = bytearray(frames.probe(V4, OURS))
    damaged[21] = 2
    assert frames.parse(bytes(damaged)) is None


@pytest.mark.parametrize("text", ["", "02:00:5e:00:53", "02005e005301", "02:00:5e:00:53:0g"])
def test_a_mac_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        frames.mac_bytes(text)
