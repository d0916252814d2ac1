"""Multicast: who hears whom of a group, as the discovery of ROS 2 needs it."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage

#: A group of our own in the block of those that stay in one organization (RFC 2365).
GROUP = "239.255.77.82"
_TOKEN = 8
#: Each datagram is sent so often, for one may be lost.
_TIMES = 3
_AGAIN = 0.1


def ask(vantages: Sequence[Vantage], *, until: float) -> set[tuple[str, str]]:
    """Pairs of names, (who spoke, who heard it); returns when everybody heard everybody else, or
    after 0.3 s, or at `until` (time.monotonic). A place whose socket cannot be had hears and says
    nothing."""
    heard: set[tuple[str, str]] = set()
    with ExitStack() as open_sockets:
        ears: dict[socket.socket, str] = {}
        mouths: dict[str, socket.socket] = {}
        port = 0
        for one in vantages:
            with suppress(OSError):
                ear = open_sockets.enter_context(_ear(one, port))
                port = port or ear.getsockname()[1]
                mouths[one.name] = open_sockets.enter_context(_mouth(one))
                ears[ear] = one.name
        tokens = {secrets.token_bytes(_TOKEN): name for name in mouths}
        whole = len(mouths) * (len(mouths) - 1)
        for _ in range(_TIMES):
            for token, name in tokens.items():
                with suppress(OSError):  # no route to the group: nobody will hear it
                    mouths[name].sendto(token, (GROUP, port))
            patience = Patience(_AGAIN, until=until)
            while len(heard) < whole and (ready := patience.wait(list(ears))):
                for ear in ready:
                    heard |= {(tokens[t], ears[ear]) for t in _listen(ear) if t in tokens}
            if len(heard) >= whole:
                break
    return heard


def _listen(ear: socket.socket) -> list[bytes]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(ear.recv(64))
    return found


def _ear(vantage: Vantage, port: int) -> socket.socket:
    ear = vantage.socket(socket.SOCK_DGRAM)
    try:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind((GROUP, port))
        member = socket.inet_aton(GROUP) + socket.inet_aton(str(vantage.address))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except BaseException:
        ear.close()
        raise
    return ear


def _mouth(vantage: Vantage) -> socket.socket:
    mouth = vantage.socket(socket.SOCK_DGRAM)
    own = socket.inet_aton(str(vantage.address))
    mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
    mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("B", 1))
    mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, struct.pack("B", 0))
    return mouth
