"""Places: where on the LAN a service or a host of the stack is, for what must be told of it."""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPAddress

from macvlan_ros.errors import StackFileError
from macvlan_ros.models.stacks import Stack


def address_of(
    stack: Stack,
    place: str,
    what: str,
    *,
    addresses: Mapping[str, IPAddress],
    hosts: Mapping[str, IPAddress],
) -> IPAddress:
    """The address of a service's name or of "host:NAME", which `what` is ("the master").

    `addresses` are the services' by service name, `hosts` the PCs' own. Raises StackFileError when
    it is not known.
    """
    host = place.removeprefix("host:")
    if host != place:
        entry = stack.hosts.get(host)
        known = hosts.get(host) or (entry.address if entry else None)
        if known is None:
            raise StackFileError(
                f"{stack.files[0]}: {what} is the host {host!r}, whose address is not known; "
                f"write it at x-macvlan-ros.hosts.{host}.address"
            )
        return known
    if place not in addresses:
        raise StackFileError(
            f"{stack.files[0]}: {what} is the service {place!r}, which has no address "
            "yet; launch it first or with the others"
        )
    return addresses[place]
