"""Multicast: who hears whom of a group, as the discovery of ROS 2 needs it."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage

#: Groups of our own, by version of IP: in the block of those that stay in one organization
#: (RFC 2365), and a transient one of the link alone (RFC 4291, section 2.7).
GROUPS = {4: "239.255.77.82", 6: "ff12::4d52"}
_TOKEN = 8
#: Each datagram is sent so often, for one may be lost.
_TIMES = 3
_AGAIN = 0.1
_INDEX = struct.Struct("=I")
#: How a socket is told by which interface it sends, how far, and not to itself.
_OPTIONS4 = (
    socket.IPPROTO_IP,
    socket.IP_MULTICAST_IF,
    socket.IP_MULTICAST_TTL,
    socket.IP_MULTICAST_LOOP,
)
_OPTIONS6 = (
    socket.IPPROTO_IPV6,
    socket.IPV6_MULTICAST_IF,
    socket.IPV6_MULTICAST_HOPS,
    socket.IPV6_MULTICAST_LOOP,
)


def ask(vantages: Sequence[Vantage], *, until: float, version: int = 4) -> set[tuple[str, str]]:
    """Pairs of names, (who spoke, who heard it) over that version of IP; returns when everybody
    heard everybody else, or after 0.3 s, or at `until` (time.monotonic). A place whose socket
    cannot be had hears and says nothing."""
    heard: set[tuple[str, str]] = set()
    with ExitStack() as open_sockets:
        ears: dict[socket.socket, str] = {}
        mouths: dict[str, socket.socket] = {}
        port = 0
        for one in vantages:
            with suppress(OSError):
                ear = open_sockets.enter_context(_ear(one, port, version))
                port = port or ear.getsockname()[1]
                mouths[one.name] = open_sockets.enter_context(_mouth(one, version))
                ears[ear] = one.name
        tokens = {secrets.token_bytes(_TOKEN): name for name in mouths}
        whole = len(mouths) * (len(mouths) - 1)
        for _ in range(_TIMES):
            for token, name in tokens.items():
                with suppress(OSError):  # no route to the group: nobody will hear it
                    mouths[name].sendto(token, (GROUPS[version], port))
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


def _ear(vantage: Vantage, port: int, version: int) -> socket.socket:
    ear = vantage.socket(socket.SOCK_DGRAM, version=version)
    try:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version == 6:
            # an address of the link alone is bound with its interface (RFC 4007)
            ear.bind((GROUPS[6], port, 0, vantage.index))
            member = socket.inet_pton(socket.AF_INET6, GROUPS[6]) + _INDEX.pack(vantage.index)
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
        else:
            ear.bind((GROUPS[4], port))
            member = socket.inet_aton(GROUPS[4]) + socket.inet_aton(str(vantage.address))
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except BaseException:
        ear.close()
        raise
    return ear


def _mouth(vantage: Vantage, version: int) -> socket.socket:
    mouth = vantage.socket(socket.SOCK_DGRAM, version=version)
    if version == 6:
        own, options = _INDEX.pack(vantage.index), _OPTIONS6
    else:
        own, options = socket.inet_aton(str(vantage.address)), _OPTIONS4
    level, by, hops, loop = options
    mouth.setsockopt(level, by, own)
    mouth.setsockopt(level, hops, 1)
    mouth.setsockopt(level, loop, 0)
    return mouth
