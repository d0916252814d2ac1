"""Interfaces: one interface's number, MAC and state, asked of the kernel through a socket.

The answers are those of the socket's network namespace, whatever thread asks (netdevice(7)).
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import time

from macvlan_ros.errors import BadParent, Forbidden, KernelRefused, MacvlanRosError, ParentNotFound

_SIOCGIFFLAGS, _SIOCGIFMTU, _SIOCGIFHWADDR, _SIOCGIFINDEX = 0x8913, 0x8921, 0x8927, 0x8933
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_ARPHRD_ETHER = 1
_LONGEST_NAME = 15
# The kernel tells of a carrier up to a second after it is there (link_watch.c).
_CARRIER_PATIENCE = 1.5
_GONE = (errno.ENODEV, errno.ENXIO)


def index(sock: socket.socket, name: str) -> int:
    """The interface's number. Raises ParentNotFound."""
    return int(struct.unpack_from("i", _ask(sock, name, _SIOCGIFINDEX), 16)[0])


def mac(sock: socket.socket, name: str) -> str:
    """Its MAC, lower case with colons. Raises ParentNotFound, and BadParent if it has none."""
    kind, raw = struct.unpack_from("H6s", _ask(sock, name, _SIOCGIFHWADDR), 16)
    if kind != _ARPHRD_ETHER:
        raise BadParent(f"{name} is not an Ethernet interface; name another parent")
    return bytes(raw).hex(":")


def mtu(sock: socket.socket, name: str) -> int:
    """The longest datagram, in bytes, that it takes. Raises ParentNotFound."""
    return int(struct.unpack_from("i", _ask(sock, name, _SIOCGIFMTU), 16)[0])


def require_carrier(sock: socket.socket, name: str) -> None:
    """Raise unless frames can leave through it; waits up to 1.5 s for a carrier.

    Raises ParentNotFound, KernelRefused.
    """
    end = time.monotonic() + _CARRIER_PATIENCE
    while not (flags := _flags(sock, name)) & _IFF_RUNNING:
        if not flags & _IFF_UP:
            raise KernelRefused(
                f"{name} is down, and nobody can be asked through it; "
                f"bring it up: ip link set {name} up",
                errno.ENETDOWN,
            )
        if time.monotonic() >= end:
            raise KernelRefused(
                f"{name} has no carrier, and nobody can be asked through it; "
                "is its cable plugged in?",
                errno.ENETDOWN,
            )
        time.sleep(0.02)


def refusal(doing: str, name: str, error: OSError) -> MacvlanRosError:
    """What to raise for an error of the kernel's; `doing` is "listen on", "send on" ..."""
    number = error.errno or 0
    if number in _GONE:
        return ParentNotFound(f"no interface {name} on this host; ip link shows which there are")
    if number in (errno.EPERM, errno.EACCES):
        return Forbidden(f"may not {doing} {name}; that takes CAP_NET_RAW: run as root")
    if number == errno.ENETDOWN:
        return KernelRefused(
            f"{name} went down while it was in use; bring it up: ip link set {name} up", number
        )
    return KernelRefused(f"cannot {doing} {name}: {os.strerror(number)}", number)


def _flags(sock: socket.socket, name: str) -> int:
    return int(struct.unpack_from("H", _ask(sock, name, _SIOCGIFFLAGS), 16)[0])


def _ask(sock: socket.socket, name: str, request: int) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) <= _LONGEST_NAME or b"\x00" in raw:
        raise ParentNotFound(f"{name!r} is no name of an interface; ip link shows which there are")
    try:
        return fcntl.ioctl(sock, request, raw.ljust(40, b"\x00"))
    except OSError as error:
        raise refusal("ask about", name, error) from error
