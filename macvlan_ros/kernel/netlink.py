"""The kernel's tables of interfaces, addresses, routes and neighbours, in pyroute2's words.

What goes over the socket is `rtnetlink`'s, what it means is left to pyroute2's classes of messages:
they import in a sixth of the time that its IPRoute takes. All of it is about the network namespace
of the calling thread. No error is translated here: that is done where the calls are made, in
`links`.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from netaddr import IPNetwork

from macvlan_ros.errors import NotFound
from macvlan_ros.kernel.linkfacts import Tables, lower_of
from macvlan_ros.kernel.rtnetlink import HEADER, LINK, ask, dump
from macvlan_ros.values import dataclass

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_RTM_GETLINK, _RTM_GETADDR, _RTM_GETROUTE, _RTM_GETNEIGH = 18, 22, 26, 30
_MAIN_TABLE = 254
# struct ifaddrmsg, rtmsg and ndmsg, of which a question says the family alone
_ADDRESS_SIZE, _ROUTE_SIZE, _NEIGHBOUR_SIZE = 8, 12, 12
# where the messages about addresses and neighbours have the interface, and routes their table
_INDEX, _TABLE = HEADER.size + 4, HEADER.size + 4


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tables. `link`, `address`, `route` and `neighbour` are pyroute2's classes of messages.

    Every method raises OSError with the kernel's reason, or Unavailable.
    """

    link: Any
    address: Any
    route: Any
    neighbour: Any

    def tables(self) -> Tables:
        """All that the inspection of the host needs."""
        return Tables(self.links(), self.addresses(), self.routes(socket.AF_INET))

    def links(self) -> tuple[Any, ...]:
        """All interfaces."""
        asked = LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        return tuple(_decoded(self.link, one) for one in dump(_RTM_GETLINK, asked))

    def get(self, name: str) -> Any:
        """The message about one interface, or None when there is none of that name."""
        number = _number(name)
        if not number:
            return None
        return _decoded(self.link, ask(_RTM_GETLINK, LINK.pack(socket.AF_UNSPEC, 0, number, 0, 0)))

    def existing(self, name: str) -> Any:
        """The message about one interface. Raises `NotFound`."""
        message = self.get(name)
        if message is None:
            raise _not_found(name)
        return message

    def addresses(self, index: int = 0) -> tuple[Any, ...]:
        """All addresses, or those of one interface."""
        found = dump(_RTM_GETADDR, bytes(_ADDRESS_SIZE))
        return tuple(_decoded(self.address, one) for one in found if _is_on(one, index))

    def routes(self, family: int, index: int = 0) -> tuple[Any, ...]:
        """The main table's routes of one family, or those of them that lead out of an interface."""
        found = dump(_RTM_GETROUTE, bytes((family,)).ljust(_ROUTE_SIZE, b"\0"))
        # most of them are the kernel's own, of its table of local addresses
        routes = (_decoded(self.route, one) for one in found if one[_TABLE] == _MAIN_TABLE)
        return tuple(one for one in routes if not index or one.get_attr("RTA_OIF") == index)

    def neighbours(self, index: int) -> tuple[Any, ...]:
        """Whom the kernel has met on an interface, IPv4 and IPv6."""
        found = dump(_RTM_GETNEIGH, bytes(_NEIGHBOUR_SIZE))
        return tuple(_decoded(self.neighbour, one) for one in found if _is_on(one, index))


def _decoded(kind: Any, data: bytes) -> Any:
    message = kind(data)
    message.decode()
    return message


def _is_on(message: bytes, index: int) -> bool:
    """Whether a message is about that interface (0: any)."""
    return not index or struct.unpack_from("=I", message, _INDEX)[0] == index


def index(name: str) -> int:
    """The number of one interface, in the namespace of the calling thread.

    Raises `NotFound`.
    """
    number = _number(name)
    if not number:
        raise _not_found(name)
    return number


def _number(name: str) -> int:
    """0 when there is no such interface. Asking netlink would cost a hundred times as much."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _not_found(name: str) -> NotFound:
    return NotFound(f"no interface {name!r} here; see: macvlan-ros interfaces")


def lower_name(message: Any) -> str:
    """The name of what a link hangs off, "" when that is nothing or out of this namespace, which is
    the calling thread's."""
    lower = lower_of(message)
    if not lower:
        return ""
    try:
        return socket.if_indextoname(lower)
    except OSError:
        return ""  # gone just now


def address_request(address: IPNetwork) -> dict[str, Any]:
    """The arguments of an address's change, in the words of pyroute2's IPRoute."""
    return {
        "family": FAMILIES[address.version],
        "address": str(address.ip),
        "prefixlen": address.prefixlen,
    }
