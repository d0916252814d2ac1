"""The filters of interfaces: which MACs this host takes frames for, read from the kernel quickly.

The service looks whenever a container comes or goes, and before it answers for an address. With
sixty links pyroute2 takes 90 ms of processor time for that, in which no other thread runs, for it
decodes all that the kernel says; these are the few bytes that matter (rtnetlink(7),
linux/if_link.h, linux/neighbour.h).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from macvlan_ros.kernel.rtnetlink import HEADER, LINK, dump

__all__ = ["own_macs", "read_macs"]

_RTM_GETLINK, _RTM_GETNEIGH = 18, 30
_AF_BRIDGE = 7
_IFLA_ADDRESS, _IFLA_LINKINFO, _IFLA_INFO_KIND, _NDA_LLADDR = 1, 18, 1, 2
_NTF_SELF = 0x02
_NUD_PERMANENT = 0x80
_MACVLAN = (b"macvlan", b"macvtap")

_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_KIND_BITS = 0x3FFF


def read_macs() -> frozenset[str]:
    """The unicast MACs that interfaces other than macvlan links let in, lower case; of the calling
    thread's network namespace. Raises OSError, Unavailable."""
    own = map(_own_mac, dump(_RTM_GETLINK, LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)))
    # what a bridge has learnt of others is neither permanent nor the interface's own
    kept = map(_kept_mac, dump(_RTM_GETNEIGH, _NEIGHBOUR.pack(_AF_BRIDGE, 0, 0, 0, 0)))
    found = {mac for mac in (*own, *kept) if len(mac) == 6 and not mac[0] & 1}
    return frozenset(mac.hex(":") for mac in found)


def own_macs() -> set[str]:
    """The MACs of this namespace's interfaces, macvlan links too."""
    found = set()
    for path in Path("/sys/class/net").glob("*/address"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue  # it has just gone
    return found


def _own_mac(message: bytes) -> bytes:
    """The interface's own MAC, b"" for a macvlan link's."""
    attributes = dict(_attributes(message, HEADER.size + LINK.size))
    info = dict(_attributes(attributes.get(_IFLA_LINKINFO, b""), 0))
    kind = info.get(_IFLA_INFO_KIND, b"").rstrip(b"\0")
    return b"" if kind in _MACVLAN else attributes.get(_IFLA_ADDRESS, b"")


def _kept_mac(message: bytes) -> bytes:
    """A MAC that an interface's filter keeps, b"" for what is there for another reason."""
    _, _, state, flags, _ = _NEIGHBOUR.unpack_from(message, HEADER.size)
    if not (flags & _NTF_SELF and state & _NUD_PERMANENT):
        return b""
    return dict(_attributes(message, HEADER.size + _NEIGHBOUR.size)).get(_NDA_LLADDR, b"")


def _attributes(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _KIND_BITS, data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
