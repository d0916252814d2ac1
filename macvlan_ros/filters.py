"""The filters of interfaces: which MACs this host takes frames for, read from the kernel quickly.

The service looks whenever a container comes or goes, and before it answers for an address. With
sixty links pyroute2 takes 90 ms of processor time for that, in which no other thread runs, for it
decodes all that the kernel says; these are the few bytes that matter (rtnetlink(7),
linux/if_link.h, linux/neighbour.h).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

from macvlan_ros.errors import Unavailable
from macvlan_ros.rtnetlink import LINK

__all__ = ["read_macs"]

_NETLINK_ROUTE = 0
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_GETLINK, _RTM_GETNEIGH = 18, 30
_REQUEST_DUMP = 0x1 | 0x300
_DUMP_INTERRUPTED = 0x10
_AF_BRIDGE = 7
_IFLA_ADDRESS, _IFLA_LINKINFO, _IFLA_INFO_KIND, _NDA_LLADDR = 1, 18, 1, 2
_NTF_SELF = 0x02
_NUD_PERMANENT = 0x80
_MACVLAN = (b"macvlan", b"macvtap")

_HEADER = struct.Struct("=IHHII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_KIND_BITS = 0x3FFF

_SECONDS = 5.0
_BUFFER = 1 << 16
_TRIES = 20


def read_macs() -> frozenset[str]:
    """The unicast MACs that interfaces other than macvlan links let in, lower case; of the calling
    thread's network namespace. Raises OSError, Unavailable."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE
    ) as kernel:
        kernel.settimeout(_SECONDS)
        own = map(_own_mac, _dump(kernel, _RTM_GETLINK, LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)))
        # what a bridge has learnt of others is neither permanent nor the interface's own
        asked = _NEIGHBOUR.pack(_AF_BRIDGE, 0, 0, 0, 0)
        kept = map(_kept_mac, _dump(kernel, _RTM_GETNEIGH, asked))
        found = {mac for mac in (*own, *kept) if len(mac) == 6 and not mac[0] & 1}
    return frozenset(mac.hex(":") for mac in found)


def _own_mac(message: bytes) -> bytes:
    """The interface's own MAC, b"" for a macvlan link's."""
    attributes = dict(_attributes(message, LINK.size))
    info = dict(_attributes(attributes.get(_IFLA_LINKINFO, b""), 0))
    kind = info.get(_IFLA_INFO_KIND, b"").rstrip(b"\0")
    return b"" if kind in _MACVLAN else attributes.get(_IFLA_ADDRESS, b"")


def _kept_mac(message: bytes) -> bytes:
    """A MAC that an interface's filter keeps, b"" for what is there for another reason."""
    _, _, state, flags, _ = _NEIGHBOUR.unpack_from(message)
    if not (flags & _NTF_SELF and state & _NUD_PERMANENT):
        return b""
    return dict(_attributes(message, _NEIGHBOUR.size)).get(_NDA_LLADDR, b"")


def _dump(kernel: socket.socket, kind: int, request: bytes) -> list[bytes]:
    """A whole table, without headers. The kernel marks one that changed meanwhile: once more."""
    for number in range(1, _TRIES + 1):
        size = _HEADER.size + len(request)
        kernel.send(_HEADER.pack(size, kind, _REQUEST_DUMP, number, 0) + request)
        found, whole = [], True
        for flags, message in _messages(kernel):
            whole = whole and not flags & _DUMP_INTERRUPTED
            found.append(message)
        if whole:
            return found
    raise Unavailable("the interfaces change faster than they can be read; try again")


def _messages(kernel: socket.socket) -> Iterator[tuple[int, bytes]]:
    """The flags and the content of each message of one answer. Raises OSError."""
    while True:
        data = kernel.recv(_BUFFER)
        at = 0
        while at < len(data):
            length, kind, flags, _, _ = _HEADER.unpack_from(data, at)
            message = data[at + _HEADER.size : at + length]
            if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                _check(message)
                return
            yield flags, message
            at += length + -length % 4


def _check(message: bytes) -> None:
    (code,) = struct.unpack_from("=i", message)
    if code < 0:
        raise OSError(-code, os.strerror(-code))


def _attributes(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _KIND_BITS, data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
