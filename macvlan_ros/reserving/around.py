"""Around this host: the addresses that are in use already, whatever the store says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress, IPNetwork

from macvlan_ros.kernel import procnet
from macvlan_ros.models.pools import Pool
from macvlan_ros.values import dataclass

#: Asks the LAN which of some addresses of a pool somebody holds: address -> MAC.
Ask = Callable[[Pool, Sequence[IPAddress]], Mapping[IPAddress, str]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is in use around this host, whatever the store says.

    `addresses` maps an address to its holder's MAC ("" if unknown; lower case with colons) and
    `labels` to words for people ("eth0 of this host"). `subnets` are those of Docker's other
    networks with their names; the network that the pool itself is for must not be among them.
    """

    addresses: Mapping[IPAddress, str] = field(default_factory=dict)
    labels: Mapping[IPAddress, str] = field(default_factory=dict)
    subnets: Mapping[IPNetwork, str] = field(default_factory=dict)

    def holder(self, address: IPAddress, *, but: str = "") -> str:
        """Who is at the address, in words; "" if nobody, or only the one with the MAC `but`."""
        for subnet, name in self.subnets.items():
            if address in subnet:
                return f"Docker's network {name!r} ({subnet})"
        mac = self.addresses.get(address)
        if mac is None or (but and mac == but):
            return ""
        label = self.labels.get(address, "somebody on the LAN")
        return f"{label} ({mac})" if mac else label


def look_around(subnets: Mapping[IPNetwork, str] | None = None) -> Surroundings:
    """As the kernel knows it: this host's addresses, those of the neighbours that it has met, and
    `subnets` with the names of Docker's networks that have them. Raises `Unavailable`."""
    taken: dict[IPAddress, str] = {}
    labels: dict[IPAddress, str] = {}
    for neighbour in procnet.neighbours():
        taken[neighbour.address] = neighbour.mac
        labels[neighbour.address] = f"a neighbour on {neighbour.interface}"
    for own in procnet.host_addresses():
        taken[own.address] = ""
        labels[own.address] = f"{own.interface} of this host"
    return Surroundings(taken, labels, subnets or {})
