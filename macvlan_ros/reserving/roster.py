"""The roster: which of our addresses containers of this host may have, and whose containers rest.

What the store says is read once in a while; which of the MACs run is the kernel's to say, for
nobody tells when a container comes up under Docker's own macvlan driver.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import NETWORK, STATIC, Reservation
from macvlan_ros.state import State
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Uses
from macvlan_ros.values import dataclass
from macvlan_ros.wire import scout

__all__ = ["Roster", "places", "read"]

Addresses = Mapping[IPAddress, str]


@dataclass(frozen=True, slots=True)
class Roster:
    """The addresses behind one interface, each with its MAC.

    `claimed` are those that a container of this host has if the kernel has its MAC. `resting` are
    reserved for owners of this host whose containers nobody has started, as far as the store says.
    An owner that holds an address of each family has one container, with one MAC: `others` are the
    MACs that it holds with its other addresses. `subnets` are those of the pools that stand on the
    interface.
    """

    claimed: dict[IPAddress, str] = field(default_factory=dict)
    resting: dict[IPAddress, str] = field(default_factory=dict)
    others: dict[IPAddress, frozenset[str]] = field(default_factory=dict)
    subnets: set[IPNetwork] = field(default_factory=set)

    def running(self, macs: Collection[str]) -> dict[IPAddress, str]:
        """The addresses of containers that run here, by the MACs that the kernel has."""
        found = {address: mac for address, mac in self.claimed.items() if mac in macs}
        for address in self.others.keys() & self.claimed.keys() - found.keys():
            other = next((mac for mac in self.others[address] if mac in macs), "")
            if other:
                found[address] = other
        return found

    def down(self, macs: Collection[str]) -> dict[IPAddress, str]:
        """The reserved addresses whose containers run neither here, by those MACs, nor elsewhere,
        by the store."""
        running = self.running(macs)
        return {address: mac for address, mac in self.resting.items() if address not in running}


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
    uses = {use.address: use for use in Uses(store, host=host).everywhere()}
    reservations = store.reservations()
    for held in reservations:
        roster = rosters.get(stands_on.get(held.pool, ""))
        if roster is None or held.kind == NETWORK or held.address in uses:
            continue
        roster.claimed[held.address] = held.mac
        if _rests_here(held, host):
            roster.resting[held.address] = held.mac
    for roster in rosters.values():
        roster.others.update(_others(reservations, roster))
    for use in uses.values():
        roster = rosters.get(stands_on.get(use.pool, ""))
        if roster is not None and use.host == host:
            roster.claimed[use.address] = use.mac
    _claim_endpoints(rosters, state)
    return rosters


def _claim_endpoints(rosters: Mapping[str, Roster], state: State) -> None:
    networks = {network.id: network.parent for network in state.networks()}
    for endpoint in state.endpoints():
        roster = rosters.get(networks.get(endpoint.network, "")) or Roster()
        for own in endpoint.addresses:
            roster.claimed[own.ip] = endpoint.mac
            roster.resting.pop(own.ip, None)


def _others(held: Sequence[Reservation], roster: Roster) -> dict[IPAddress, frozenset[str]]:
    """The MACs that owners of addresses behind an interface hold with their other addresses."""
    owners: dict[tuple[str, str], list[Reservation]] = {}
    for one in held:
        if one.kind == STATIC and one.address in roster.claimed:
            owners.setdefault((one.owner, one.host), []).append(one)
    return {
        one.address: frozenset(other.mac for other in several if other is not one)
        for several in owners.values()
        if len(several) > 1
        for one in several
    }


def _rests_here(held: Reservation, host: str) -> bool:
    """Whether it is this host's to defend. Another host's owner may be about to start there, and
    would find its own address taken."""
    return held.kind == STATIC and held.host in ("", host)
