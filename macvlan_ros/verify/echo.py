"""Echoes: who answers to ICMP, how fast, and how long a datagram may be that is not to be split.

Packets are those of RFC 792, over IPv6 of RFC 4443. Every datagram has the "don't fragment" bit,
and none is longer than what the sender's own link takes.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage

_ECHO_REQUEST, _ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")
_SHORT = 64
_HEADERS = {4: 28, 6: 48}  # of IP and of ICMP, of which the latter counts 8
#: IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, of linux/in.h and linux/in6.h, and their ..._PROBE.
_MTU_DISCOVER, _PROBE = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}, 3
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
#: Seconds between two questions: the first one may wait for the neighbour's MAC.
_AGAIN = 0.25
#: How often what is missing is asked for.
_TIMES = 3
#: What is tried when the longest does not pass: tunnels, PPPoE, VLANs in VLANs, jumbo frames.
_LADDER = (576, 1000, 1280, 1400, 1420, 1450, 1472, 1480, 1492, 1500, 2000, 4000, 8000, 9000)


_Question = tuple[IPAddress, int]


@dataclass(frozen=True, slots=True)
class Echo:
    """What one address answered: the fastest echo in seconds (None: nothing), and the longest
    datagram that came back, in bytes with its headers."""

    seconds: float | None = None
    longest: int = 0


def ask(
    source: Vantage, targets: Iterable[IPAddress], *, until: float, version: int = 4
) -> dict[IPAddress, Echo]:
    """Ask all targets, of one version of IP, for a short and for the longest possible echo; returns
    when all have answered, or after 2.25 s, or at `until` (time.monotonic).

    For a target that takes no longest one, the longest of a few shorter ones is found. Raises
    OSError without the right to send ICMP.
    """
    asked = tuple(targets)
    with source.socket(socket.SOCK_RAW, _PROTOCOL[version], version=version) as sock:
        sock.setsockopt(*_MTU_DISCOVER[version], _PROBE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        short = _collect(sock, {(one, _SHORT) for one in asked}, until)
        there = [target for target, _ in short]
        long = _collect(sock, {(one, source.mtu) for one in there}, until)
        clipped = [one for one in there if (one, source.mtu) not in long]
        sizes = [size for size in _LADDER if size < source.mtu]
        steps = _collect(sock, {(one, size) for one in clipped for size in sizes}, until)
    answers = {**short, **long, **steps}
    return {target: _summary(target, answers) for target in asked}


def answering(
    source: Vantage, targets: Iterable[IPAddress], *, until: float, times: int = _TIMES
) -> frozenset[IPAddress]:
    """Those that answer a short echo; returns when all have, or after a quarter of a second for
    each of so many `times`, or at `until` (time.monotonic).

    Raises OSError without the right to send ICMP.
    """
    with source.socket(socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        found = _collect(sock, {(one, _SHORT) for one in targets}, until, times=times)
    return frozenset(target for target, _ in found)


def _summary(target: IPAddress, answers: Mapping[_Question, float]) -> Echo:
    mine = {size: seconds for (who, size), seconds in answers.items() if who == target}
    return Echo(min(mine.values()), max(mine)) if mine else Echo()


def request(number: int, token: bytes, size: int, version: int = 4) -> bytes:
    """An echo request that makes a datagram of `size` bytes, headers included. Over IPv6 the
    checksum is the kernel's to make (RFC 3542, section 3.1)."""
    payload = token.ljust(max(len(token), size - _HEADERS[version]), b"\x5a")
    head = _HEADER.pack(_ECHO_REQUEST[version], 0, 0, 0, number)
    if version == 4:
        head = _HEADER.pack(_ECHO_REQUEST[4], 0, checksum(head + payload), 0, number)
    return head + payload


def read_reply(datagram: bytes, token: bytes, version: int = 4) -> int | None:
    """The number of the question that is answered; None when it is none of ours. An IPv4 datagram
    comes with its header, one of IPv6 without."""
    length = (datagram[0] & 0xF) * 4 if datagram and version == 4 else 0
    body = datagram[length:]
    if len(body) < _HEADER.size + len(token) or body[0] != _ECHO_REPLY[version]:
        return None
    if body[_HEADER.size : _HEADER.size + len(token)] != token:
        return None
    return int(_HEADER.unpack_from(body)[4])


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def _collect(
    sock: socket.socket, wanted: Collection[_Question], until: float, *, times: int = _TIMES
) -> dict[_Question, float]:
    """How long each answer took; what is missing is asked for again, until `until` at most."""
    version = _version(sock)
    token = secrets.token_bytes(8)
    asked: dict[int, tuple[_Question, float]] = {}
    answers: dict[_Question, float] = {}
    for _ in range(times):
        for question in wanted:
            if question not in answers:
                number = len(asked) & 0xFFFF
                asked[number] = (question, time.monotonic())
                # a full queue or a missing route is an answer that does not come
                with suppress(OSError):
                    packet = request(number, token, question[1], version)
                    sock.sendto(packet, (str(question[0]), 0))
        patience = Patience(_AGAIN, until=until)
        while len(answers) < len(wanted) and patience.wait([sock]):
            for number, sender in heard(sock, token):
                question, since = asked.get(number, ((sender, -1), 0.0))
                if question[0] == sender and question[1] > 0:
                    answers.setdefault(question, time.monotonic() - since)
        if len(answers) == len(wanted) or time.monotonic() >= until:
            break
    return answers


def heard(sock: socket.socket, token: bytes) -> Iterator[tuple[int, IPAddress]]:
    """The numbers of the questions that have been answered, with who answered."""
    with suppress(BlockingIOError):
        while True:
            datagram, sender = sock.recvfrom(1 << 16)
            number = read_reply(datagram, token, _version(sock))
            if number is not None:
                yield number, IPAddress(sender[0])


def _version(sock: socket.socket) -> int:
    return 6 if sock.family == socket.AF_INET6 else 4
