"""Names: what a name means in a container, with nothing of the container's own being run.

Its /etc/hosts and /etc/resolv.conf are read, and its name servers are asked through a socket of its
own network namespace (hosts(5), resolv.conf(5), RFC 1035). Several names are asked for at once.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Literal

from netaddr import AddrFormatError, IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify import container_files
from macvlan_ros.verify.patience import Patience

_PORT = 53
_A, _AAAA, _IN = 1, 28, 1
#: By a record's kind and length in bytes: the version of its address (RFC 1035, RFC 3596).
_VERSIONS: Mapping[tuple[int, int], Literal[4, 6]] = {(_A, 4): 4, (_AAAA, 16): 6}
_RECURSE = 0x0100
_QUERY = struct.Struct("!HHHHHH")
_AGAIN = 0.7
_USUAL_NDOTS = 1


@dataclass(frozen=True, slots=True)
class Book:
    """What a container knows by itself: the hosts file, its name servers, and how names are
    completed."""

    hosts: Mapping[str, tuple[IPAddress, ...]] = field(default_factory=dict)
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = _USUAL_NDOTS

    def candidates(self, name: str) -> tuple[str, ...]:
        """The full names that a name may stand for, the first one first."""
        longer = tuple(f"{name}.{domain}" for domain in self.search)
        if name.endswith("."):
            return (name.rstrip("."),)
        return (name, *longer) if name.count(".") >= self.ndots else (*longer, name)


def read_book(root: Path) -> Book:
    """The book of the container whose root folder that is; what cannot be read is empty."""
    search: tuple[str, ...] = ()
    servers: list[str] = []
    ndots = _USUAL_NDOTS
    for line in (container_files.read(root, "/etc/resolv.conf") or "").splitlines():
        key, *words = line.split("#")[0].split(";")[0].split() or [""]
        if key == "nameserver" and words:
            servers.append(words[0])
        elif key in ("search", "domain"):
            search = tuple(word.strip(".") for word in words if word.strip("."))
        elif key == "options":
            ndots = next((_number(w[6:]) for w in words if w.startswith("ndots:")), ndots)
    hosts = container_files.read(root, "/etc/hosts") or ""
    return Book(parse_hosts(hosts), tuple(servers[:3]), search, ndots)


def parse_hosts(text: str) -> dict[str, tuple[IPAddress, ...]]:
    """A hosts file: each name, in lower case, with its addresses."""
    found: dict[str, tuple[IPAddress, ...]] = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        address = as_address(words[0]) if words else None
        if address is None:
            continue
        for name in words[1:]:
            found[name.lower()] = (*found.get(name.lower(), ()), address)
    return found


def as_address(text: str) -> IPAddress | None:
    """The address that a text is; None for a name."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
        return IPAddress(text)
    except (OSError, AddrFormatError, ValueError):
        return None


def look_up(
    names: Iterable[str], book: Book, sock: socket.socket, *, until: float, version: int = 4
) -> dict[str, tuple[IPAddress, ...]]:
    """The IPv4 addresses of each name, or else those of IPv6 that the book has; with version 6
    those of IPv6 alone. None for one that does not resolve, or not before `until`
    (time.monotonic). `sock` is a UDP socket of the container's namespace, with a timeout of 0."""
    found: dict[str, tuple[IPAddress, ...]] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(names):
        written = book.hosts.get(name.lower(), ())
        listed: Sequence[IPAddress] = [one for one in written if one.version == version]
        if version == 4:
            listed = listed or written
        if written or not book.servers:
            found[name] = tuple(listed)
        else:
            unknown[name] = book.candidates(name)
    wanted = {full for candidates in unknown.values() for full in candidates}
    answers = _ask(sock, book.servers, wanted, until, version) if wanted else {}
    for name, candidates in unknown.items():
        found[name] = next((answers[full] for full in candidates if answers.get(full)), ())
    return found


def query(number: int, name: str, *, version: int = 4) -> bytes:
    """A question for a name's addresses of that version of IP. Raises UnicodeError for what cannot
    be one."""
    labels = [label.encode("idna") for label in name.split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise UnicodeError(f"{name!r} is no name")
    packed = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _QUERY.pack(number, _RECURSE, 1, 0, 0, 0) + packed + _asked_for(version)


def read_answer(message: bytes) -> tuple[int, tuple[IPAddress, ...]] | None:
    """The number of the question and the addresses in the answer; None for what is no answer."""
    try:
        number, flags, questions, answers, _, _ = _QUERY.unpack_from(message)
        if not flags & 0x8000:
            return None
        place = _QUERY.size
        for _ in range(questions):
            place = _skip_name(message, place) + 4
        found = []
        for _ in range(answers):
            place = _skip_name(message, place)
            kind, _, _, length = struct.unpack_from("!HHIH", message, place)
            place += 10
            version = _VERSIONS.get((kind, length))
            if version:
                value = int.from_bytes(message[place : place + length], "big")
                found.append(IPAddress(value, version))
            place += length
    except (struct.error, IndexError):
        return None
    return number, tuple(found)


def _asked_for(version: int) -> bytes:
    return struct.pack("!HH", _AAAA if version == 6 else _A, _IN)


def _skip_name(message: bytes, place: int) -> int:
    while True:
        length = message[place]
        if length & 0xC0:
            return place + 2
        place += 1 + length
        if not length:
            return place


def _ask(
    sock: socket.socket,
    servers: Collection[str],
    names: Collection[str],
    until: float,
    version: int,
) -> dict[str, tuple[IPAddress, ...]]:
    """What the servers say of each full name; nothing for those of which they say nothing."""
    first = secrets.randbits(16)
    numbers = {(first + n) & 0xFFFF: name for n, name in enumerate(names)}
    found: dict[str, tuple[IPAddress, ...]] = {}
    # a server that says "no" speaks for all of them; one that says nothing does not
    while len(found) < len(numbers) and time.monotonic() < until:
        for number, name in numbers.items():
            for server in servers if name not in found else ():
                with suppress(OSError, UnicodeError):
                    sock.sendto(query(number, name, version=version), (server, _PORT))
        patience = Patience(_AGAIN, until=until)
        while len(found) < len(numbers) and patience.wait([sock]):
            for number, addresses in _heard(sock, servers):
                if number in numbers and not found.get(numbers[number]):
                    found[numbers[number]] = addresses
    return found


def _heard(
    sock: socket.socket, servers: Collection[str]
) -> Iterable[tuple[int, tuple[IPAddress, ...]]]:
    while True:
        try:
            message, sender = sock.recvfrom(4096)
        except BlockingIOError:
            return
        except OSError:  # nobody listens where a question went
            continue
        answer = read_answer(message)
        if answer is not None and sender[0] in servers:
            yield answer


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 3 else _USUAL_NDOTS
