"""Routes and neighbours, changed by one message to rtnetlink (rtnetlink(7)) each.

In the calling thread, and its network namespace; every function raises OSError with the kernel's
reason.
"""

from __future__ import annotations

import socket
import struct

from netaddr import IPAddress, IPNetwork

from macvlan_ros.kernel.rtnetlink import CREATE, REPLACE, attribute, change

__all__ = ["forget_neighbour", "remove_route", "replace_route"]

_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_DELNEIGH = 24, 25, 29

#: struct rtmsg: family, destination's length, source's, TOS, table, protocol, scope, type, flags.
_ROUTE = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7
_MAIN_TABLE, _UNICAST = 254, 1
_ANYBODY, _STATIC = 0, 4
_EVERYWHERE, _ON_LINK = 0, 253

#: struct ndmsg: family, interface's index, state, flags, type.
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_NDA_DST = 1


def replace_route(
    destination: IPNetwork,
    *,
    index: int,
    via: IPAddress | None,
    source: IPAddress | None,
    metric: int,
) -> None:
    """Route `destination` out of the interface of that index (0: the one that `via` is on), in
    place of what routed it before with that metric (0: the kernel's own)."""
    wanted = _route(destination, index=index, via=via, metric=metric, maker=_STATIC)
    if source is not None:
        wanted += attribute(_RTA_PREFSRC, source.packed)
    change(_RTM_NEWROUTE, wanted, flags=CREATE | REPLACE)


def remove_route(
    destination: IPNetwork, *, index: int, via: IPAddress | None, metric: int, foreign: bool
) -> None:
    """Remove a route as `replace_route` makes them, of that metric (0: of any), with `foreign` one
    of any maker's; ESRCH when there is none."""
    maker = _ANYBODY if foreign else _STATIC
    change(_RTM_DELROUTE, _route(destination, index=index, via=via, metric=metric, maker=maker))


def forget_neighbour(address: IPAddress, *, index: int) -> None:
    """Delete an entry of an interface's neighbour table; ENOENT when there is none."""
    head = _NEIGHBOUR.pack(_family(address.version), index, 0, 0, 0)
    change(_RTM_DELNEIGH, head + attribute(_NDA_DST, address.packed))


def _route(
    destination: IPNetwork, *, index: int, via: IPAddress | None, metric: int, maker: int
) -> bytes:
    """A route in the main table, on the link without `via`."""
    version, length = destination.version, destination.prefixlen
    scope = _ON_LINK if via is None and version == 4 else _EVERYWHERE
    message = _ROUTE.pack(_family(version), length, 0, 0, _MAIN_TABLE, maker, scope, _UNICAST, 0)
    message += attribute(_RTA_DST, destination.cidr.ip.packed)
    if index:
        message += attribute(_RTA_OIF, struct.pack("=I", index))
    if metric:
        message += attribute(_RTA_PRIORITY, struct.pack("=I", metric))
    if via is not None:
        message += attribute(_RTA_GATEWAY, via.packed)
    return message


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6
