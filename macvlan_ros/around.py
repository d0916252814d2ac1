"""Around this host: the addresses that are in use already, as the kernel knows them."""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPAddress, IPNetwork

from macvlan_ros import procnet
from macvlan_ros.search import Surroundings


def look_around(subnets: Mapping[IPNetwork, str] | None = None) -> Surroundings:
    """This host's addresses, those of the neighbours that it has met, and `subnets` with the names
    of Docker's networks that have them. Raises `Unavailable`."""
    taken: dict[IPAddress, str] = {}
    labels: dict[IPAddress, str] = {}
    for neighbour in procnet.neighbours():
        taken[neighbour.address] = neighbour.mac
        labels[neighbour.address] = f"a neighbour on {neighbour.interface}"
    for own in procnet.host_addresses():
        taken[own.address] = ""
        labels[own.address] = f"{own.interface} of this host"
    return Surroundings(taken, labels, subnets or {})
