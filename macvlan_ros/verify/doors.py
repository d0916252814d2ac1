"""Doors: whether an arbitrary TCP port is open from every place to every other.

Each place that can be entered listens on a port of the kernel's choice, and counts who came: where
a connection stands and nobody came, another machine has the address. Elsewhere a refusal proves as
much, for it came from there: nothing on the way filters ports.
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.place import Place, Vantage

OPEN, REFUSED, STOLEN, SHUT = "open", "refused", "stolen", "shut"
#: Seconds of waiting for one, and for all of them.
_PATIENCE, _TOTAL = 2.0, 2.5
_BACKLOG = 128
#: Where nobody is expected to listen (RFC 6335: of the dynamic ports).
_FIRST_PORT, _PORTS = 49152, 16384


@dataclass(frozen=True, slots=True)
class Door:
    """What a connection came to: `state` is open, refused (nobody listens, nothing filters),
    stolen (somebody else took it) or shut; `code` says why (errno), `seconds` how long it took."""

    state: str
    code: int = 0
    seconds: float = 0.0


def ask(
    vantages: Sequence[Vantage], targets: Sequence[Place], *, until: float, version: int = 4
) -> dict[tuple[str, str], Door]:
    """By (from, to): the door between each place and each other one with an address of that
    version of IP."""
    with ExitStack() as open_sockets:
        ears: dict[str, socket.socket] = {}
        for one in vantages:
            if (own := one.place.at(version)) is not None:
                with suppress(OSError):
                    ears[one.name] = open_sockets.enter_context(_ear(one, own))
        ports = {name: ear.getsockname()[1] for name, ear in ears.items()}
        anywhere = _FIRST_PORT + secrets.randbelow(_PORTS)
        pairs = [
            (source, target)
            for source in vantages
            for target in targets
            if source.name != target.name and target.at(version) is not None
        ]
        calls = [
            Call(source, str(target.at(version)), ports.get(target.name, anywhere))
            for source, target in pairs
        ]
        replies = converse(calls, patience=_PATIENCE, total=_TOTAL, until=until)
        came = {name: _visitors(ear) for name, ear in ears.items()}
    found = {}
    for (source, target), reply in zip(pairs, replies, strict=True):
        state = _state(reply.code, reply.local, came.get(target.name))
        found[source.name, target.name] = Door(state, reply.code, reply.seconds)
    return found


def _state(code: int, local: tuple[str, int], came: Mapping[tuple[str, int], None] | None) -> str:
    if code == 0:
        return STOLEN if came is not None and local not in came else OPEN
    if code == errno.ECONNREFUSED:
        # where we listen, it can only have come from somebody else
        return REFUSED if came is None else STOLEN
    return SHUT


def _ear(vantage: Vantage, address: IPAddress) -> socket.socket:
    ear = vantage.socket(socket.SOCK_STREAM, version=address.version)
    try:
        ear.bind((str(address), 0))
        ear.listen(_BACKLOG)
    except BaseException:
        ear.close()
        raise
    return ear


def _visitors(ear: socket.socket) -> dict[tuple[str, int], None]:
    """Who came, by address and port."""
    found: dict[tuple[str, int], None] = {}
    with suppress(BlockingIOError):
        while True:
            visitor, peer = ear.accept()
            visitor.close()
            found[peer[0], peer[1]] = None
    return found
