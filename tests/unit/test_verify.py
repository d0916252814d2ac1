"""Verify's parts that are pure: names, packets, headers, registrations, summaries."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.verify import echo, names, pairs, rpc, summarize, tcpros
from macvlan_ros.verify.asking import Heard
from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.culprits import Culprit, find, reason
from macvlan_ros.verify.graph import Node
from macvlan_ros.verify.nodes import Surroundings, judge
from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Place, Vantage
from macvlan_ros.verify.rpc import Answer

TALKER = Place(name="talker", address=IPAddress("192.168.50.196"), names=("talker",), pid=7)
SPARE = Place(name="spare", address=IPAddress("192.168.50.198"), names=("spare",), host="qtpc")


def container(root: Path, *, hosts: str = "", resolv: str = "") -> Path:
    (root / "etc").mkdir()
    (root / "etc" / "hosts").write_text(hosts)
    (root / "etc" / "resolv.conf").write_text(resolv)
    return root


def test_a_containers_own_files_say_what_names_mean_there(tmp_path: Path) -> None:
    hosts = "127.0.0.1 localhost\n192.168.50.195 Core core.lan # the master\nnonsense here\n"
    resolv = "search lan example.org\nnameserver 127.0.0.11\noptions ndots:2 edns0\n; old\n"
    book = names.read_book(container(tmp_path, hosts=hosts, resolv=resolv))
    assert book.hosts["core"] == book.hosts["core.lan"] == (IPAddress("192.168.50.195"),)
    assert (book.servers, book.search, book.ndots) == (("127.0.0.11",), ("lan", "example.org"), 2)
    assert book.candidates("a") == ("a.lan", "a.example.org", "a")
    assert book.candidates("a.b.c") == ("a.b.c", "a.b.c.lan", "a.b.c.example.org")


def test_a_link_in_a_container_leads_nowhere_out_of_it(tmp_path: Path) -> None:
    container(tmp_path)
    (tmp_path / "secret").write_text("192.168.50.1 stolen\n")
    (tmp_path / "etc" / "hosts").unlink()
    (tmp_path / "etc" / "hosts").symlink_to(tmp_path / "secret")
    assert names.read_book(tmp_path).hosts == {}
    assert names.read_book(tmp_path / "nothing") == names.Book()


def dns_answer(query: bytes, *addresses: str) -> bytes:
    """As a server answers: the question again, and an address each by a pointer to its name."""
    head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(addresses), 0, 0)
    entries = b""
    for one in addresses:
        kind, family = (28, socket.AF_INET6) if ":" in one else (1, socket.AF_INET)
        packed = socket.inet_pton(family, one)
        entries += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(packed)) + packed
    return head + query[12:] + entries


@contextmanager
def name_server(known: dict[str, str]) -> Iterator[str]:
    """A name server on a loopback address, which is asked at a port that is free; it says nothing
    about what it does not know."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.53.53.53", 0))
    server.settimeout(0.1)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                query, peer = server.recvfrom(4096)
            except TimeoutError:
                continue
            for name, address in known.items():
                version = 6 if ":" in address else 4
                if names.query(0, name, version=version)[12:] == query[12:]:
                    server.sendto(dns_answer(query, address), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(names, "_PORT", server.getsockname()[1])
            yield "127.53.53.53"
    finally:
        ended.set()
        thread.join()
        server.close()


def test_names_are_asked_for_all_at_once_and_silence_has_an_end() -> None:
    with (
        name_server({"core.lan": "192.168.50.195"}) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.setblocking(False)
        book = names.Book({"here": (IPAddress("10.0.0.1"),)}, (server,), ("lan",), 1)
        began = time.monotonic()
        many = [f"no{n}" for n in range(50)]  # more would not fit into the server's queue
        found = names.look_up(["core", "here", *many], book, sock, until=began + 4)
    assert time.monotonic() - began < 20
    assert found["core"] == (IPAddress("192.168.50.195"),)
    assert found["here"] == (IPAddress("10.0.0.1"),)
    assert {found[name] for name in many} == {()}


@given(st.binary(max_size=200))
def test_no_bytes_of_a_name_server_make_it_fail(data: bytes) -> None:
    names.read_answer(data)


@given(st.binary(max_size=100), st.integers(0, 60))
def test_echoes_are_read_from_any_bytes(data: bytes, cut: int) -> None:
    token = b"12345678"
    assert echo.read_reply(data, token) is None or token in data
    head = bytes([0x45]) + bytes(19)
    reply = bytearray(head + echo.request(77, token, 100))
    assert echo.read_reply(bytes(reply), token) is None  # a request is no reply
    reply[20] = 0
    assert echo.read_reply(bytes(reply), token) == 77
    assert echo.read_reply(bytes(reply[: min(cut, 35)]), token) is None


@pytest.mark.parametrize("size", [64, 65, 1500, 9000])
def test_an_echo_request_is_as_long_as_asked_with_a_right_checksum(size: int) -> None:
    packet = echo.request(1, b"12345678", size)
    assert len(packet) == size - 20
    padded = packet + b"\0" * (len(packet) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_headers_and_messages_of_tcpros_come_back_as_they_were() -> None:
    fields = {"topic": "/test", "type": "std_msgs/String", "empty": "", "odd": "a=b"}
    (body,), rest = tcpros.split(tcpros.pack_header(fields))
    assert (tcpros.read_header(body), rest) == (fields, b"")
    stream = tcpros.string_message("one") + tcpros.string_message("two")
    parts, rest = tcpros.split(stream[:-1])
    assert (len(parts), len(rest)) == (1, len(stream) // 2 - 1)
    with pytest.raises(ValueError, match="a message of"):
        tcpros.split(struct.pack("<I", 1 << 30))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_header_of_what_can_be_read(data: bytes) -> None:
    assert all(isinstance(key, str) for key in tcpros.read_header(data))


@given(st.text(max_size=40))
def test_any_text_is_a_uri_or_says_why_not(text: str) -> None:
    found = rpc.parse_uri(text)
    assert bool(found.problem) != bool(found.host and found.port)


def test_an_answer_is_whole_when_it_is_as_long_as_it_says() -> None:
    text = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-length: 5\r\n\r\nhello"
    assert rpc.is_whole(bytearray(text))
    for length in range(len(text)):
        assert not rpc.is_whole(bytearray(text[:length]))
    assert not rpc.is_whole(bytearray(b"HTTP/1.1 200 OK\r\n\r\nhello"))


@pytest.mark.parametrize(
    ("variables", "registered", "words"),
    [
        ({"ROS_HOSTNAME": "x", "ROS_IP": "1.2.3.4"}, "x", "sets ROS_HOSTNAME=x"),
        ({"ROS_HOSTNAME": "", "ROS_IP": "1.2.3.4", "HOSTNAME": "id"}, "id", "to nothing"),
        ({"ROS_IP": "1.2.3.4", "HOSTNAME": "id"}, "1.2.3.4", "sets ROS_IP=1.2.3.4"),
        ({"HOSTNAME": "id"}, "id", "neither ROS_IP nor ROS_HOSTNAME"),
    ],
)
def test_the_process_that_registers_so_is_the_culprit_and_says_why(
    variables: dict[str, str], registered: str, words: str
) -> None:
    other = Culprit(SPARE, 8, {"ROS_IP": "192.168.50.198"})
    mine = Culprit(TALKER, 9, variables)
    assert find(registered, [other, mine]) == mine
    why, remedy = reason(mine, registered)
    assert words in why
    assert "ROS_IP=192.168.50.196" in remedy
    assert find("another", [other, mine]) is None


def heard(uri: str, answers: dict[str, Answer], *, address: str | None = None) -> Heard:
    found = IPAddress(address) if address else None
    return Heard(Node("/n", rpc.parse_uri(uri)), answers, dict.fromkeys(("qtpc", "core"), found))


def around(*places: Place, shim: bool = True, **listeners: Culprit) -> Surroundings:
    return Surroundings(places, {4711: tuple(listeners.values())}, "qtpc", shim)


URI = "http://192.168.50.198:4711/"
REFUSED, SILENT = Answer("refused", code=111), Answer("silent", code=110)


@pytest.mark.parametrize(
    ("answers", "places", "kind", "words"),
    [
        ({"qtpc": REFUSED, "core": REFUSED}, (), "stale", "ended without a word"),
        ({"qtpc": SILENT, "core": SILENT}, (SPARE,), "stale", "'spare' does not run any more"),
        ({"qtpc": SILENT, "core": SILENT}, (), "stale", "removed, or its PC is away"),
        ({"qtpc": Answer(), "core": SILENT}, (), "node", "but not core"),
        ({"qtpc": Answer("hangs"), "core": Answer("hangs")}, (), "node", "hangs"),
    ],
)
def test_what_is_stale_is_told_from_what_may_be_alive(
    answers: dict[str, Answer], places: tuple[Place, ...], kind: str, words: str
) -> None:
    check = judge(heard(URI, answers, address="192.168.50.198"), around(*places))
    assert (check.kind, check.level) == (kind, BAD)
    assert words in check.text
    assert check.remedy


def test_a_live_process_makes_a_dead_address_no_stale_one() -> None:
    culprit = Culprit(TALKER, 9, {"ROS_IP": "192.168.50.198"})
    both = {"qtpc": SILENT, "core": SILENT}
    check = judge(heard(URI, both, address="192.168.50.198"), around(TALKER, one=culprit))
    assert check.kind == "node"
    assert "'talker' sets ROS_IP=192.168.50.198" in check.text


def test_a_pc_without_a_shim_is_warned_and_the_node_is_not_blamed() -> None:
    answers = {"qtpc": SILENT, "core": Answer()}
    check = judge(heard(URI, answers, address="192.168.50.198"), around(shim=False))
    assert (check.level, check.remedy) == ("warning", check.remedy)
    assert "shim up" in check.remedy


def test_many_checks_that_hold_are_a_line_each_kind_and_what_does_not_stays() -> None:
    good = [
        Check("tcp", f"s{a}", f"s{b}", OK, milliseconds=float(b))
        for a in range(10)
        for b in range(10)
        if a != b
    ]
    bad = Check("tcp", "s1", "s2", BAD, "closed", "open it")
    shown = summarize([*good, bad])
    assert len(shown) == 11
    assert bad in shown
    assert shown[0] == Check("tcp", "s0", "9 others", OK, "1 to 9 ms")
    assert summarize(good[:5]) == good[:5]


def test_a_node_with_an_ipv6_address_is_asked_there() -> None:
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as door,
        closing(Vantage(Place(name="qtpc", address=None, interface="lo"))) as here,
    ):
        call = Call(here, "::1", door.getsockname()[1])
        (reply,) = converse([call], patience=5, until=time.monotonic() + 5)
    assert (reply.code, reply.connected) == (0, True)


def test_calls_end_when_the_time_is_over_whatever_the_other_side_does() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        closing(Vantage(Place(name="qtpc", address=None, interface="lo"))) as here,
    ):
        port = silent.getsockname()[1]
        calls = [Call(here, "127.0.0.1", port, b"hello") for _ in range(20)]
        began = time.monotonic()
        replies = converse(calls, patience=0.2, until=began + 0.5)
    assert time.monotonic() - began < 5
    codes = [reply.code for reply in replies]
    # four at a time, and the last ones were never begun
    assert codes[:4] == [errno.ETIMEDOUT] * 4
    assert codes[-1] == errno.ECANCELED


def test_an_answer_that_came_while_this_process_could_not_run_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        patience = Patience(0.2, until=time.monotonic() + 0.1)
        theirs.send(b"answer")
        time.sleep(0.3)  # the processors were others'
        assert patience.wait([ours]) == [ours]
        assert patience.wait([ours]) == []


def test_patience_is_spent_by_waiting_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        patience = Patience(0.3, until=time.monotonic() + 60)
        time.sleep(0.4)
        began = time.monotonic()
        assert patience.wait([ours]) == [] == patience.wait([ours])
        assert time.monotonic() - began >= 0.3
    assert (patience.left, patience.spent >= 0.3) == (0.0, True)


def test_a_name_that_is_written_down_with_ipv6_alone_means_that() -> None:
    hosts = names.parse_hosts("fd00::5 core\nfd00::6 both\n192.168.50.6 both")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        found = names.look_up(["core", "both"], names.Book(hosts), sock, until=0)
        six = names.look_up(["core", "both"], names.Book(hosts), sock, until=0, version=6)
    assert found == {"core": (IPAddress("fd00::5"),), "both": (IPAddress("192.168.50.6"),)}
    assert six == {"core": (IPAddress("fd00::5"),), "both": (IPAddress("fd00::6"),)}


def test_a_name_server_is_asked_for_ipv6_addresses_too() -> None:
    known = {"core.lan": "192.168.50.195", "both.lan": "fd00::6"}
    with (
        name_server(known) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.setblocking(False)
        book = names.Book({"here": (IPAddress("10.0.0.1"),)}, (server,), ("lan",), 1)
        until = time.monotonic() + 2
        found = names.look_up(["both", "core", "here"], book, sock, until=until, version=6)
    assert found == {"both": (IPAddress("fd00::6"),), "core": (), "here": ()}


def test_a_name_that_means_another_ipv6_address_is_told() -> None:
    place = replace(SPARE, address6=IPAddress("fd00::5"))
    source = Vantage(replace(SPARE, name="talker"))
    try:
        levels = [
            [one.level for one in pairs._name_six(source, place, {"spare": meant})]
            for meant in ((), (IPAddress("fd00::5"),), (IPAddress("fd00::6"),))
        ]
    finally:
        source.close()
    assert levels == [[], [OK], [BAD]]


def test_a_name_may_mean_the_services_address_on_another_of_its_networks() -> None:
    bridged = replace(SPARE, others=(IPAddress("172.18.0.3"),))
    about = partial(Check, source="talker", target="spare")
    meant: dict[str, tuple[IPAddress, ...]] = {"spare": (IPAddress("172.18.0.3"),)}
    assert pairs._name(about, bridged, meant).level == OK
    assert pairs._name(about, SPARE, meant).level == BAD
