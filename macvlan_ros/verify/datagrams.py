"""Datagrams: whether UDP passes from a place to a port of another one.

A port that nobody listens on is refused by its own host (RFC 1122, section 4.1.3.1), which proves
the way as well as an answer does. What listens and says nothing looks like what is filtered.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress

from netaddr import IPAddress

from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage

ANSWERED, REFUSED, SILENT = "answered", "refused", "silent"

Target = tuple[IPAddress, int]
#: From where, which address, which port.
Question = tuple[str, IPAddress, int]

#: Each question is asked so often, for one may be lost.
_TIMES, _AGAIN = 3, 0.4
#: And so often while nothing at all is heard of an address: of refusals Linux sends six at once to
#: whoever asks, and then one a second (icmp(7), icmp_ratelimit), and there may have been six.
_TIMES_MUTE = 6
# of linux/in.h and linux/in6.h: tell an unconnected socket whom an error came of
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_ERROR = struct.Struct("=I")  # the head of struct sock_extended_err
_LONGEST = 512


def ask(
    questions: Mapping[Vantage, Collection[Target]],
    *,
    ears: Sequence[socket.socket] = (),
    until: float,
) -> dict[Question, str]:
    """By source, address and port: answered, refused or silent. `ears` answer what comes to them.

    Returns when nothing is silent any more, or after 1.2 s, after 2.4 s where an address says
    nothing at all, or at `until` (time.monotonic).
    """
    token = secrets.token_bytes(8)
    states: dict[Question, str] = {
        (source.name, address, port): SILENT
        for source, targets in questions.items()
        for address, port in targets
    }
    with ExitStack() as open_sockets:
        mouths: dict[socket.socket, Vantage] = {}
        for source, targets in questions.items():
            for version in {address.version for address, _ in targets}:
                with suppress(OSError):
                    mouths[open_sockets.enter_context(_mouth(source, version))] = source
        asked = 0
        while not asked or (time.monotonic() < until and _is_open(states, asked)):
            asked += 1
            _send(mouths, states, token)
            patience = Patience(_AGAIN, until=until)
            while SILENT in states.values() and (ready := patience.wait([*mouths, *ears])):
                for one in ready:
                    if one in mouths:
                        for (address, port), state in _heard(one, token):
                            question = (mouths[one].name, address, port)
                            if question in states:
                                states[question] = state
                    else:
                        _answer(one)
    return states


def ear(vantage: Vantage, address: IPAddress, ports: Sequence[int]) -> socket.socket:
    """A socket on the first of the ports that is free there. Raises OSError when none is."""
    made = vantage.socket(socket.SOCK_DGRAM, version=address.version)
    for port in ports:
        with suppress(OSError):
            made.bind((str(address), port))
            return made
    made.close()
    raise OSError(errno.EADDRINUSE, f"no free UDP port at {address}")


def _is_open(states: Mapping[Question, str], asked: int) -> bool:
    """Whether to ask once more what has been `asked` so often."""
    if asked < _TIMES:
        return SILENT in states.values()
    heard = {(name, address) for (name, address, _), state in states.items() if state != SILENT}
    mute = any((name, address) not in heard for name, address, _ in states)
    return asked < _TIMES_MUTE and mute


def _mouth(source: Vantage, version: int) -> socket.socket:
    made = source.socket(socket.SOCK_DGRAM, version=version)
    made.setsockopt(*_RECVERR[made.family], 1)
    return made


def _send(
    mouths: Mapping[socket.socket, Vantage],
    states: Mapping[Question, str],
    token: bytes,
) -> None:
    for mouth, source in mouths.items():
        version = 6 if mouth.family == socket.AF_INET6 else 4
        for (name, address, port), state in states.items():
            if (name, address.version, state) == (source.name, version, SILENT):
                # no route, a full queue, or the refusal of another one: it is asked again
                with suppress(OSError):
                    mouth.sendto(token, (str(address), port))


def _heard(mouth: socket.socket, token: bytes) -> Iterator[tuple[Target, str]]:
    with suppress(BlockingIOError):
        while True:
            _, ancillary, _, about = mouth.recvmsg(_LONGEST, _LONGEST, socket.MSG_ERRQUEUE)
            codes = [_ERROR.unpack_from(data)[0] for _, _, data in ancillary if len(data) >= 4]
            if errno.ECONNREFUSED in codes:
                yield (IPAddress(about[0]), about[1]), REFUSED
    with suppress(OSError):  # nothing more, or once again what the queue of errors had
        while True:
            data, sender = mouth.recvfrom(_LONGEST)
            if data == token:
                yield (IPAddress(sender[0]), sender[1]), ANSWERED


def _answer(one: socket.socket) -> None:
    with suppress(OSError):
        while True:
            data, sender = one.recvfrom(_LONGEST)
            one.sendto(data, sender)
