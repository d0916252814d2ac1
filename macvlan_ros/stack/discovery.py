"""ROS 2 in the section: `domain`, and how nodes find one another (`discovery`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from netaddr import AddrFormatError, IPAddress

from macvlan_ros.models.stacks import Discovery, HostEntry
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.nodes import Node, shorten

#: The highest for which UDP has ports (docs.ros.org, "The ROS_DOMAIN_ID").
LAST_DOMAIN = 232
#: Where Fast DDS's discovery server and zenoh's router listen unless told otherwise.
PORTS = {"server": 11811, "router": 7447}

_KINDS = ("multicast", "unicast")
_PLACE = re.compile(r"\[(?P<six>[^]]+)\](:(?P<port6>\d+))?|(?P<name>[^:]+)(:(?P<port>\d+))?")


def domain(node: Node) -> int:
    """ROS 2's domain. Raises StackFileError."""
    number = node.integer()
    if not 0 <= number <= LAST_DOMAIN:
        raise node.error(f"must be 0 to {LAST_DOMAIN}, is {number}")
    return number


def discovery(
    node: Node | None, services: Iterable[str], hosts: Mapping[str, HostEntry]
) -> Discovery:
    """How the nodes find one another: a word, or `{server: WHERE}` or `{router: WHERE}`, where
    WHERE is a service, a host or an address, and may end in a port. Raises StackFileError."""
    if node is None or node.absent or node.value == "":
        return Discovery()
    if isinstance(node.value, dict):
        return _rendezvous(node, list(services), hosts)
    text = node.string()
    if text not in _KINDS:
        raise node.error(
            f"must be multicast, unicast, {{server: SERVICE}} or {{router: SERVICE}}, is"
            f" {shorten(text)}{did_you_mean(text, _KINDS)}"
        )
    return Discovery(text)


def _rendezvous(node: Node, services: list[str], hosts: Mapping[str, HostEntry]) -> Discovery:
    entries = node.known(PORTS, " of discovery")
    if len(entries) != 1:
        raise node.error("must have one of server and router")
    ((kind, where),) = entries.items()
    text = where.string().strip()
    is_host = text.startswith("host:")
    match = _PLACE.fullmatch(text.removeprefix("host:"))
    if match is None:
        raise where.error(f"is no service, host or address: {shorten(text)}")
    name = match["six"] or match["name"]
    port = int(match["port6"] or match["port"] or PORTS[kind])
    if not 0 < port < 65536:
        raise where.error(f"has the port {port}; it must be 1 to 65535")
    if not is_host and name in services:
        return Discovery(kind, name, port)
    if name in hosts:
        return Discovery(kind, f"host:{name}", port)
    if is_host or not _is_address(name):
        raise where.error(
            f"is {text!r}, which is no service of the stack, no host of x-macvlan-ros and no"
            f" address{did_you_mean(name, [*services, *hosts])}"
        )
    return Discovery(kind, name, port)


def _is_address(text: str) -> bool:
    try:
        IPAddress(text)
    except (AddrFormatError, ValueError):
        return False
    return True
