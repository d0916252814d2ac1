"""A container's way to its host: routes to the host's usual addresses by way of the shim's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netaddr import IPAddress, IPNetwork

from macvlan_ros.links import Links
from macvlan_ros.models.links import Route
from macvlan_ros.reaching.shim import nearest

__all__ = ["METRIC", "guide", "leave_alone"]

#: The metric of the routes in containers. Docker makes those that our plugin tells it to without
#: one, and refuses to attach a container that has the very route already.
METRIC = 2048


def guide(
    links: Links, *, host: Iterable[IPAddress], via: Iterable[IPAddress]
) -> tuple[Route, ...]:
    """Let a container, by the `links` of its namespace, reach its host's usual addresses.

    `host` are the parent's addresses, `via` the shim's. Doing it twice is fine. Returns the routes
    that now stand; an address of a family that the shim lacks has none. Raises `NotFound` when the
    container has ended, `KernelRefused` when it has no link to the shim's subnet.
    """
    gateways = tuple(via)
    made = []
    for address in host:
        gateway = nearest(address, gateways)
        if gateway is not None:
            links.replace_route(IPNetwork(address), via=gateway, metric=METRIC)
            made.append(Route(IPNetwork(address), "", via=gateway))
    return tuple(made)


def leave_alone(links: Links, *, host: Iterable[IPAddress], via: Sequence[IPAddress]) -> None:
    """Take back what `guide` did, by the `links` of the container's namespace."""
    for address in host:
        for gateway in via:
            if gateway.version == address.version:
                links.remove_route(IPNetwork(address), via=gateway, metric=METRIC)
