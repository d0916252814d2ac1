"""The roster: which of our addresses containers of this host may have, and whose containers rest.

What the store says is read once in a while; which of the MACs run is the kernel's to say, for
nobody tells when a container comes up under Docker's own macvlan driver.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from netaddr import IPAddress, IPNetwork

from macvlan_ros import scout
from macvlan_ros.models import NETWORK, STATIC, Reservation
from macvlan_ros.state import State
from macvlan_ros.stores.base import Store

__all__ = ["Roster", "places", "read"]

Addresses = Mapping[IPAddress, str]


@dataclass(frozen=True, slots=True)
class Roster:
    """The addresses behind one interface, each with its MAC.

    `claimed` are those that a container of this host has if the kernel has its MAC. `resting` are
    reserved for owners of this host whose containers nobody has started, as far as the store says.
    `subnets` are those of the pools that stand on the interface.
    """

    claimed: dict[IPAddress, str] = field(default_factory=dict)
    resting: dict[IPAddress, str] = field(default_factory=dict)
    subnets: set[IPNetwork] = field(default_factory=set)

    def running(self, macs: Collection[str]) -> dict[IPAddress, str]:
        """The addresses of containers that run here, by the MACs that the kernel has."""
        return {address: mac for address, mac in self.claimed.items() if mac in macs}

    def down(self, macs: Collection[str]) -> dict[IPAddress, str]:
        """The reserved addresses whose containers run neither here, by those MACs, nor elsewhere,
        by the store."""
        return {address: mac for address, mac in self.resting.items() if mac not in macs}


def places(store: Store, *, host: str, before: Mapping[str, str]) -> dict[str, str]:
    """The interface that each pool stands on, by the pool's name; pools without one are left out.

    That is the one with an address in the pool's subnet, or the parent of a Docker network on it.
    One that has lost its address keeps the pools that it had `before`: it may be down.
    """
    parents = {
        subnet: network.parent
        for network in State(store, host=host).networks()
        for subnet, _ in network.subnets
    }
    found = {}
    for pool in store.pools():
        where = scout.interface_on(pool.subnet) or parents.get(pool.subnet) or before.get(pool.name)
        if where:
            found[pool.name] = where
    return found


def read(store: Store, *, host: str, stands_on: Mapping[str, str]) -> dict[str, Roster]:
    """A roster for each interface of `stands_on` (see `places`). Raises what the store raises."""
    state = State(store, host=host)
    rosters = {interface: Roster() for interface in stands_on.values()}
    for pool in store.pools():
        if pool.name in stands_on:
            rosters[stands_on[pool.name]].subnets.add(pool.subnet)
    uses = {use.address: use for use in state.uses_anywhere()}
    for held in store.reservations():
        roster = rosters.get(stands_on.get(held.pool, ""))
        if roster is None or held.kind == NETWORK or held.address in uses:
            continue
        roster.claimed[held.address] = held.mac
        if _rests_here(held, host):
            roster.resting[held.address] = held.mac
    for use in uses.values():
        roster = rosters.get(stands_on.get(use.pool, ""))
        if roster is not None and use.host == host:
            roster.claimed[use.address] = use.mac
    networks = {network.id: network.parent for network in state.networks()}
    for endpoint in state.endpoints():
        roster = rosters.get(networks.get(endpoint.network, "")) or Roster()
        for own in endpoint.addresses:
            roster.claimed[own.ip] = endpoint.mac
            roster.resting.pop(own.ip, None)
    return rosters


def _rests_here(held: Reservation, host: str) -> bool:
    """Whether it is this host's to defend. Another host's owner may be about to start there, and
    would find its own address taken."""
    return held.kind == STATIC and held.host in ("", host)
