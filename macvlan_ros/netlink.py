"""Requests to rtnetlink, in the words of pyroute2's IPRoute, which each function takes first.

No error is translated here: that is done where the calls are made, in `links`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from netaddr import IPNetwork

from macvlan_ros.errors import NotFound, Unavailable
from macvlan_ros.linkfacts import Tables, lower_of

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_MAIN_TABLE = 254
_NLM_F_DUMP_INTR = 0x10
_DUMP_TRIES = 20


def read_tables(kernel: Any) -> Tables:
    """All that the inspection of the host needs."""
    return Tables(
        links=dump(kernel.get_links),
        addresses=dump(kernel.get_addr),
        routes=routes(kernel, socket.AF_INET),
    )


def dump(read: Callable[[], Iterable[Any]]) -> tuple[Any, ...]:
    """A whole table. The kernel marks one that changed during the reading; it is read again.

    pyroute2 0.9 has an exception for that but never raises it, so the mark is looked for here.
    """
    for _ in range(_DUMP_TRIES):
        messages = tuple(read())
        if not any(message["header"]["flags"] & _NLM_F_DUMP_INTR for message in messages):
            return messages
    raise Unavailable("the interfaces change faster than they can be read; try again")


def routes(kernel: Any, family: int, **only: int) -> tuple[Any, ...]:
    """The main table's routes of one family; `only` narrows it by attribute (oif=INDEX)."""
    return dump(lambda: kernel.get_routes(family=family, table=_MAIN_TABLE, **only))


def get(kernel: Any, name: str) -> Any:
    """The message about one interface, or None when there is none of that name."""
    number = _number(name)
    return kernel.link("get", index=number)[0] if number else None


def existing(kernel: Any, name: str) -> Any:
    """The message about one interface. Raises `NotFound`."""
    message = get(kernel, name)
    if message is None:
        raise _not_found(name)
    return message


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
    """The arguments of an address's change."""
    return {
        "family": FAMILIES[address.version],
        "address": str(address.ip),
        "prefixlen": address.prefixlen,
    }
