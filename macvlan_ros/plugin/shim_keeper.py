"""The shim of the plugin's networks: its addresses, and the host's routes to their containers.

Docker is never asked. What the store knows of networks and endpoints is compared with what stands
in the kernel, and made so, as often as one likes. Containers of the command line's own networks
share the shim; their addresses and routes stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from netaddr import IPAddress, IPNetwork

from macvlan_ros.addresses import SHIM_OWNER
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.kernel.link_names import shim_links, shim_name
from macvlan_ros.lan_networks import shim_objection
from macvlan_ros.links import Links
from macvlan_ros.models.pools import Reservation
from macvlan_ros.reaching.shim import (
    Shim,
    ensure_shim,
    lead_to,
    remove_container,
    remove_shim,
    show_shim,
)
from macvlan_ros.state import DockerNetwork, Endpoint, State
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Use, Uses
from macvlan_ros.values import dataclass

__all__ = ["ShimKeeper", "Way"]

#: Reserves an address for the owner, in the pool that Docker's networks hold on that subnet.
Reserve = Callable[[IPNetwork, str], Reservation]
#: Removes a pool that was made for Docker's networks, if none of them is left.
Tidy = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Way:
    """By what containers over one parent reach this host: `host` are its addresses there, `via`
    those of the shim."""

    host: tuple[IPAddress, ...]
    via: tuple[IPAddress, ...]

    def serves(self, network: DockerNetwork) -> bool:
        """Whether the shim has an address in each of the network's subnets."""
        return all(any(a in subnet for a in self.via) for subnet, _ in network.subnets)

    def routes(self, network: DockerNetwork) -> dict[IPAddress, IPAddress]:
        """The next hop to each of the host's addresses, for a container of the network."""
        hops = {
            address.version: address
            for subnet, _ in network.subnets
            for address in self.via
            if address in subnet
        }
        return {one: hops[one.version] for one in self.host if one.version in hops}


class ShimKeeper:
    """Keeps shims over the parents of this host's networks. For one thread.

    A network has its shim as soon as an address is reserved for one: with its first endpoint.
    """

    def __init__(
        self, store: Store, *, links: Links, host: str, reserve: Reserve, tidy: Tidy
    ) -> None:
        self._store = store
        self._state = State(store, host=host)
        self._uses = Uses(store, host=host)
        self._links = links
        self._host = host
        self._owner = SHIM_OWNER + host
        self._reserve = reserve
        self._tidy = tidy
        self._orphans: frozenset[tuple[str, IPAddress]] = frozenset()

    def lead(self, network: DockerNetwork) -> Way:
        """See that there is a shim for the network; the way by which its containers reach this
        host. A subnet of several may have no address to spare. Raises what reserving an address
        and `ensure_shim` raise."""
        refused: list[MacvlanRosError] = []
        for subnet, _ in network.subnets:
            try:
                if not self._held_on(subnet):
                    self._reserve(subnet, self._owner)
            except MacvlanRosError as error:
                refused.append(error)
        wanted = self._wanted([network])
        if refused and not wanted:
            raise refused[0]
        return self._ensure(network.parent, wanted)

    def attach(
        self, parent: str, addresses: Iterable[IPAddress], *, via: Sequence[IPAddress]
    ) -> None:
        """A container with these addresses is about to run: let the host reach it, and forget
        which MAC had them before. `via` are the shim's addresses. Raises what `lead_to` raises."""
        for address in addresses:
            if lead_to(self._links, parent=parent, address=address, via=via):
                self._links.forget_neighbour(address, link=shim_name(parent))

    def detach(self, endpoint: Endpoint) -> None:
        """Its container has left, maybe with its network."""
        for link in shim_links():
            for own in endpoint.addresses:
                self._links.remove_route(IPNetwork(own.ip), link=link)
                self._links.forget_neighbour(own.ip, link=link)

    def left(self, network: DockerNetwork) -> None:
        """The network is no more: give up what its shim had, if nobody else needs it.

        A shim that reaches other containers than those of Docker's networks here stays.
        """
        shim = show_shim(self._links, parent=network.parent)
        others = self._state.networks()
        if shim is not None and not any(each.parent == network.parent for each in others):
            if any(self._runs(address) for address in self._strange(shim)):
                return
            remove_shim(self._links, parent=network.parent)
        for subnet, _ in network.subnets:
            if not any(subnet == other for each in others for other, _ in each.subnets):
                self._give_up(network.parent, subnet)

    def look(self) -> tuple[dict[str, Way], dict[str, str]]:
        """See that every shim that there shall be stands, with a route to each container.

        Returns the way over each parent, and what is wrong over the others.
        """
        ways: dict[str, Way] = {}
        wrong: dict[str, str] = {}
        by_parent: dict[str, list[DockerNetwork]] = {}
        for network in self._state.networks():
            if not shim_objection(network):
                by_parent.setdefault(network.parent, []).append(network)
        orphans: set[tuple[str, IPAddress]] = set()
        for parent, networks in by_parent.items():
            wanted = self._wanted(networks)
            if not wanted:
                continue
            try:
                ways[parent] = self._ensure(parent, wanted)
                orphans.update(self._mend_routes(parent, networks))
            except MacvlanRosError as error:
                wrong[parent] = str(error)
        self._orphans = frozenset(orphans)
        return ways, wrong

    # -- the shim ---------------------------------------------------------------------------------

    def _wanted(self, networks: Iterable[DockerNetwork]) -> list[Reservation]:
        subnets = {subnet for network in networks for subnet, _ in network.subnets}
        held = [one for subnet in sorted(subnets) for one in self._held_on(subnet)]
        return list(dict.fromkeys(held))

    def _ensure(self, parent: str, wanted: list[Reservation]) -> Way:
        own = [held.address for held in wanted]
        shim = ensure_shim(self._links, parent=parent, addresses=own, mac=wanted[0].mac, keep=True)
        for held in wanted:
            self._note_mac(held, shim)
        usual = [one.ip for one in self._links.addresses(parent)]
        host = tuple(a for a in usual if not (a.is_link_local() or a.is_loopback()))
        return Way(host, tuple(own))

    def _note_mac(self, held: Reservation, shim: Shim) -> None:
        """A shim has one MAC and may have addresses of several pools: others must not take the one
        that is reserved with an address for the one that it has."""
        use = self._uses.find(held.pool, held.address)
        if held.mac == shim.mac:
            if use is not None:
                self._uses.drop(held.pool, held.address)
        elif use is None or use.mac != shim.mac:
            self._uses.keep(Use(held.pool, held.address, shim.mac, self._host, time.time()))

    def _held_on(self, subnet: IPNetwork) -> list[Reservation]:
        """What is reserved for this host's shim on the subnet."""
        pools = [pool.name for pool in self._store.pools() if pool.subnet == subnet]
        return [one for name in pools for one in self._store.held(name, [self._owner])]

    def _give_up(self, parent: str, subnet: IPNetwork) -> None:
        for held in self._held_on(subnet):
            self._take_address(parent, held.address)
            self._uses.drop(held.pool, held.address)
            self._store.release(held.pool, [held.owner])
            self._tidy(held.pool)

    def _take_address(self, parent: str, address: IPAddress) -> None:
        shim = show_shim(self._links, parent=parent)
        if shim is not None and address in shim.addresses:
            self._links.remove_address(shim.link, IPNetwork(address))

    # -- routes -----------------------------------------------------------------------------------

    def _mend_routes(
        self, parent: str, networks: Iterable[DockerNetwork]
    ) -> Iterator[tuple[str, IPAddress]]:
        """Make the routes that are missing; those that nobody needs go when they are seen a second
        time, for somebody may be at it."""
        shim = show_shim(self._links, parent=parent)
        if shim is None:
            return
        joined = self._addresses(networks)
        versions = {address.version for address in shim.addresses}
        for address in joined:
            if address.version in versions and address not in shim.containers:
                self.attach(parent, [address], via=shim.addresses)
        for address in self._strange(shim):
            # one that nobody has reserved may be of somebody else's container
            if self._store.holder(address) is None or self._runs(address):
                continue
            if (parent, address) in self._orphans:
                remove_container(self._links, parent=parent, address=address)
            else:
                yield parent, address

    def _addresses(self, networks: Iterable[DockerNetwork]) -> set[IPAddress]:
        """Those of the containers that have joined."""
        ids = {network.id for network in networks}
        return {
            own.ip
            for endpoint in self._state.endpoints()
            if endpoint.network in ids and endpoint.sandbox
            for own in endpoint.addresses
        }

    def _strange(self, shim: Shim) -> list[IPAddress]:
        """Addresses that the host reaches by the shim and that no endpoint of ours has."""
        own = {one.ip for endpoint in self._state.endpoints() for one in endpoint.addresses}
        return [address for address in shim.containers if address not in own]

    def _runs(self, address: IPAddress) -> bool:
        """Whether a container of this host has the address, by the MAC that it is reserved with."""
        held = self._store.holder(address)
        return held is not None and held.mac in self._links.running_macs()
