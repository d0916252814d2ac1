"""Requests to rtnetlink, in the words of pyroute2's IPRoute, which each function takes first.

No error is translated here: that is done where the calls are made, in `links`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import NotFound, Unavailable
from macvlan_ros.linkfacts import Tables, lower_of

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_MAIN_TABLE = 254
_SCOPE_LINK = 253
_PROTO_STATIC = 4
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
    found = kernel.link_lookup(ifname=name)
    return kernel.link("get", index=found[0])[0] if found else None


def existing(kernel: Any, name: str) -> Any:
    """The message about one interface. Raises `NotFound`."""
    message = get(kernel, name)
    if message is None:
        raise NotFound(f"no interface {name!r} here; see: macvlan-ros interfaces")
    return message


def index(kernel: Any, name: str) -> int:
    """The number of one interface. Raises `NotFound`."""
    return int(existing(kernel, name)["index"])


def lower_name(kernel: Any, message: Any) -> str:
    """The name of what a link hangs off, "" when that is nothing or out of this namespace."""
    lower = lower_of(message)
    return str(kernel.link("get", index=lower)[0].get_attr("IFLA_IFNAME")) if lower else ""


def address_request(address: IPNetwork) -> dict[str, Any]:
    """The arguments of an address's change."""
    return {
        "family": FAMILIES[address.version],
        "address": str(address.ip),
        "prefixlen": address.prefixlen,
    }


def route_request(
    kernel: Any, destination: IPNetwork, *, link: str, via: IPAddress | None
) -> dict[str, Any]:
    """The arguments of a route's change: static, in the main table, on the link without `via`."""
    wanted: dict[str, Any] = {
        "family": FAMILIES[destination.version],
        "dst": str(destination.cidr),
        "table": _MAIN_TABLE,
        "proto": _PROTO_STATIC,
    }
    if link:
        wanted["oif"] = index(kernel, link)
    if via is not None:
        wanted["gateway"] = str(via)
    elif destination.version == 4:
        wanted["scope"] = _SCOPE_LINK
    return wanted
