"""DHCP messages: what a client says is well formed, and nothing that is answered breaks it."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.wire import dhcp_client, dhcp_messages, frames
from macvlan_ros.wire.dhcp_client import Given, Refused, Want, _given, _hear, _Talk
from macvlan_ros.wire.dhcp_messages import ACK, DISCOVER, NAK, OFFER, REQUEST, Message, build, parse
from tests.unit.test_dhcp import FULL, MAC, NUMBER, SERVER_MAC, reply

SERVER, OTHER = IPAddress("192.0.2.1"), IPAddress("192.0.2.2")
WANTED = IPAddress("192.0.2.77")
WANT = Want(WANTED, MAC, "talker", "talker")


def options_of(frame: bytes) -> dict[int, bytes]:
    """Read here with fresh eyes: every option whole, and the end marked."""
    found, rest = {}, frame[14 + 20 + 8 + 240 :]
    while rest[0] != 255:
        number, length = rest[0], rest[1]
        assert len(rest) > 2 + length
        found[number] = rest[2 : 2 + length]
        rest = rest[2 + length :]
    return found


def message(
    kind: int,
    address: IPAddress | None,
    *,
    server: IPAddress = SERVER,
    options: dict[int, bytes] | None = None,
) -> Message:
    return Message(kind, NUMBER, MAC, SERVER_MAC, address, server, options or {})


@given(
    kind=st.sampled_from([DISCOVER, REQUEST]),
    owner=st.text("abcXYZ019._-", min_size=1, max_size=128),
    raw=st.binary(min_size=6, max_size=6),
)
def test_a_question_says_what_it_was_given_with_right_check_sums(
    kind: int, owner: str, raw: bytes
) -> None:
    mac = frames.mac_text(raw)
    options = [(61, b"\x00" + owner.encode()), (12, dhcp_messages.host_name(owner).encode())]
    frame = build(kind, transaction=NUMBER, mac=mac, source=SERVER_MAC, options=options)
    assert options_of(frame) == {53: bytes([kind]), **dict(options)}
    assert frame[:12] == b"\xff" * 6 + frames.mac_bytes(SERVER_MAC)
    header, datagram = frame[14:34], frame[34:]
    assert frames.internet_checksum(header) == 0
    pseudo = header[12:20] + struct.pack("!HH", 17, len(datagram))
    assert frames.internet_checksum(pseudo + datagram) == 0
    assert struct.unpack("!H", header[2:4])[0] == len(frame) - 14
    assert frame[42 + 10 : 42 + 12] == b"\x80\x00"
    assert frame[42 + 28 : 42 + 34] == raw


def test_a_release_goes_to_its_server_alone_and_names_the_address() -> None:
    frame = build(
        dhcp_messages.RELEASE,
        transaction=NUMBER,
        mac=MAC,
        source=MAC,
        options=[(54, SERVER.packed)],
        current=WANTED,
        to=(SERVER_MAC, SERVER),
    )
    assert frame[:6] == frames.mac_bytes(SERVER_MAC)
    assert (frame[26:30], frame[30:34]) == (WANTED.packed, SERVER.packed)
    assert frame[42 + 12 : 42 + 16] == WANTED.packed


@given(st.text(max_size=200))
def test_an_owner_is_one_label_of_a_host_name(owner: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,63}", dhcp_messages.host_name(owner))


def test_names_with_dots_stay_different() -> None:
    names = {dhcp_messages.host_name(owner) for owner in ("camera.left", "camera.right", "camera")}
    assert names == {"camera-left", "camera-right", "camera"}


@given(st.binary(max_size=700))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    parse(data)


@given(st.binary(max_size=300), st.binary(max_size=128), st.binary(max_size=64))
def test_no_options_break_the_reader_or_what_is_asked_of_it(
    options: bytes, file: bytes, name: bytes
) -> None:
    for front in (b"", bytes.fromhex("350105"), bytes.fromhex("350106340103")):
        said = parse(reply(front + options, file=file, name=name))
        if said is not None:
            assert said.text.isprintable()
            assert said.seconds_in(dhcp_messages.LEASE) is None or _given(said).renew >= 0


def test_a_refusal_is_read_with_its_reason() -> None:
    said = parse(reply(bytes.fromhex("350106 3604c0000202 3808") + b"in\x1b use\x00" + b"\xff"))
    assert said is not None
    assert (said.kind, said.server, said.text) == (NAK, OTHER, "in use")


def test_an_answer_without_a_kind_is_none() -> None:
    assert parse(reply(FULL[3:])) is None


times = st.none() | st.integers(0, 0xFFFFFFFF)


@given(lease=times, renew=times, rebind=times)
def test_whatever_times_a_server_says_they_come_one_after_the_other(
    lease: int | None, renew: int | None, rebind: int | None
) -> None:
    said = {51: lease, 58: renew, 59: rebind}
    packed = {name: value.to_bytes(4, "big") for name, value in said.items() if value is not None}
    given = _given(message(ACK, WANTED, options=packed))
    if lease in (None, 0, 0xFFFFFFFF):
        assert given.seconds is None
    else:
        assert given.seconds is not None
        assert 0 < given.renew <= given.rebind < given.seconds


answers = st.builds(
    message,
    st.sampled_from([OFFER, ACK, NAK, DISCOVER, 8, 255]),
    st.sampled_from([None, WANTED, IPAddress("192.0.2.9")]),
    server=st.sampled_from([SERVER, OTHER]),
)


@given(st.lists(answers, max_size=8), st.sampled_from([DISCOVER, REQUEST]))
def test_a_lease_is_had_only_from_the_server_that_was_asked_and_for_what_was_wanted(
    said: list[Message], kind: int
) -> None:
    told: list[IPAddress] = []
    talk = _Talk(WANT, NUMBER, kind)
    for each in said:
        searching, ended, before = talk.kind == DISCOVER, talk.ended, talk.outcome
        asked = talk.server or each.server
        _hear(talk, each, lambda _want, server, _via: told.append(server))
        if ended:
            assert talk.outcome is before
        elif isinstance(talk.outcome, Given):
            assert not searching
            assert (each.kind, each.address, each.server) == (ACK, WANTED, asked)
            assert talk.outcome.server == asked
        if talk.kind == REQUEST and kind == DISCOVER:
            assert told == [talk.server]  # before the request goes out
    if kind == DISCOVER and isinstance(talk.outcome, Given):
        assert told == [talk.outcome.server]


def test_an_offer_of_another_address_waits_for_a_better_one_and_is_not_taken() -> None:
    told: list[IPAddress] = []
    talk = _Talk(WANT, NUMBER, DISCOVER)
    tell = lambda _want, server, _via: told.append(server)  # noqa: E731
    assert _hear(talk, message(OFFER, IPAddress("192.0.2.9")), tell)
    assert (talk.kind, talk.ended, told) == (DISCOVER, False, [])
    assert _hear(talk, message(OFFER, WANTED, server=OTHER), tell)
    assert (talk.kind, talk.server, told) == (REQUEST, OTHER, [OTHER])
    assert not _hear(talk, message(NAK, None), tell)
    assert _hear(talk, message(NAK, None, server=OTHER, options={56: b"no"}), tell)
    assert talk.outcome == Refused(OTHER, text="no")


@pytest.mark.parametrize(
    ("owner", "mac", "wanted"),
    [
        ("talker", "", "talker"),
        ("talker", "02:00:00:00:00:01", "talker 02:00:00:00:00:01"),
        ("dynamic:02:00:00:00:00:01", "02:00:00:00:00:01", "dynamic:02:00:00:00:00:01"),
    ],
)
def test_a_client_is_its_owner_unless_the_owner_runs_elsewhere_too(
    owner: str, mac: str, wanted: str
) -> None:
    from macvlan_ros.addresses import mac_of_owner
    from macvlan_ros.leasing.wire import client_id

    assert client_id(owner, pool="lab", mac=mac or mac_of_owner("lab", owner)) == wanted


def test_the_patience_outlasts_a_server_that_pings_first() -> None:
    assert dhcp_client.PATIENCE > 3
