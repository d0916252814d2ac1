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
_NTF_SELF = 0x02
_NUD_PERMANENT = 0x80


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


def filtered_macs(kernel: Any) -> frozenset[str]:
    """The unicast MACs that interfaces other than macvlan links let in, lower case."""
    links = dump(kernel.get_links)
    own = {str(link.get_attr("IFLA_ADDRESS") or "") for link in links if not _is_macvlan(link)}
    # what a bridge has learnt of others is neither permanent nor the interface's own
    filters = dump(lambda: kernel.fdb("dump"))
    kept = {
        str(entry.get_attr("NDA_LLADDR") or "")
        for entry in filters
        if entry["flags"] & _NTF_SELF and entry["state"] & _NUD_PERMANENT
    }
    return frozenset(mac.lower() for mac in own | kept if mac and not int(mac[:2], 16) & 1)


def _is_macvlan(link: Any) -> bool:
    info = link.get_attr("IFLA_LINKINFO")
    return bool(info) and info.get_attr("IFLA_INFO_KIND") in ("macvlan", "macvtap")


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


def forget_neighbour(kernel: Any, address: IPAddress, link: str) -> None:
    """Delete an entry of the neighbour table."""
    family = FAMILIES[address.version]
    kernel.neigh("del", family=family, dst=str(address), ifindex=index(kernel, link))


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
