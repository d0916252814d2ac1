"""Reach: this host and its own containers reach each other, by the host's usual address too.

What stands in the kernel is compared with what Docker says that runs, and made so, as often as one
likes. Containers on networks of our plugin share the shim, but another process sees to them: none
of their addresses and routes is touched here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress

from netaddr import IPAddress

from macvlan_ros.addresses import SHIM_OWNER
from macvlan_ros.docker_api.attached import Attached
from macvlan_ros.engine import Engine
from macvlan_ros.errors import Forbidden, InvalidRequest, PoolNotFound
from macvlan_ros.ipam import Ipam
from macvlan_ros.kernel import rights
from macvlan_ros.kernel.link_names import link_exists, shim_links, shim_name
from macvlan_ros.kernel.sandbox import Errand, Visits
from macvlan_ros.links import Links
from macvlan_ros.models.networks import Network
from macvlan_ros.models.pools import Reservation
from macvlan_ros.reaching.shim import (
    Shim,
    add_container,
    ensure_shim,
    remove_container,
    remove_shim,
    show_shim,
)
from macvlan_ros.state import State
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

__all__ = ["Made", "Reach", "Reached", "pools_of"]


@dataclass(frozen=True, slots=True)
class Reached:
    """How the host and the containers of one network reach each other.

    `shim` is None where there is none. `containers` are those that run on the network, `routed`
    the addresses of theirs to which the host has a route. `refused` has a sentence for each that
    could not be led to the host, `objection` says why there cannot be a shim.
    """

    network: Network
    shim: Shim | None
    containers: tuple[Attached, ...] = ()
    routed: tuple[IPAddress, ...] = ()
    refused: tuple[str, ...] = ()
    objection: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """The shim as it stands, whether this very call made it, and what it reserved for that."""

    shim: Shim
    new: bool
    reserved: tuple[Reservation, ...]


class Reach:
    """The ways between this host and its containers. It remembers what it has done in which
    container, so that doing it again costs little."""

    def __init__(
        self, *, ipam: Ipam, store: Store, links: Links, engine: Engine, host: str
    ) -> None:
        self._ipam = ipam
        self._store = store
        self._links = links
        self._engine = engine
        self._host = host
        # by network, by endpoint: an endpoint is made with each start of a container
        self._known: dict[str, dict[str, Attached]] = {}
        self._visits = Visits()

    def objection(self, network: Network) -> str:
        """Why there is no shim for that network, in one sentence; "" when there can be one."""
        if self._engine.endpoint.scheme != "unix":
            return (
                f"the engine at {self._engine.endpoint.url} is not on this PC, so this PC makes no"
                " shim for its containers and announces none of them on the LAN; on that PC run:"
                " macvlan-ros shim up --announce"
            )
        if not network.ours:
            return (
                f"the network {network.name!r} was not made by macvlan-ros, which makes a shim for"
                " its own networks alone; make one with: macvlan-ros network create NAME"
            )
        if network.mode != "bridge":
            return (
                f"the network {network.name!r} has the mode {network.mode}, in which macvlan links"
                " do not reach one another, so no shim can lead this PC and its containers to each"
                " other; in the mode bridge it would"
            )
        return ""

    def networks(self, name: str = "") -> tuple[Network, ...]:
        """Our networks, or the named one. Raises NetworkNotFound, InvalidRequest."""
        if not name:
            return self._engine.networks()
        network = self._engine.network(name)
        objection = self.objection(network)
        if objection:
            raise InvalidRequest(objection)
        return (network,)

    # Making

    def prepare(self, network: Network) -> Made:
        """The shim over the network's parent, made if there is none; routes stay as they are.

        Its address is reserved in the network's pool, for good. All or nothing. Raises
        InvalidRequest (an objection), PoolNotFound, PoolExhausted, AddressInUse, Conflict,
        NotFound, Forbidden, KernelRefused.
        """
        objection = self.objection(network)
        if objection:
            raise InvalidRequest(objection)
        before = show_shim(self._links, parent=network.parent)
        if before is None and not rights.may_change_links():
            raise Forbidden(f"no right to add a shim to {network.parent}; run it as root")
        with ExitStack() as undo:
            reserved: list[Reservation] = []
            own: list[Reservation] = []
            for pool in pools_of(network):
                held, new = self._reserve(pool, before)
                own.append(held)
                if new:
                    undo.callback(self._ipam.release, held.pool, [held.owner])
                    reserved.append(held)
            addresses = [held.address for held in own]
            others = () if before is None else before.addresses
            kept = [a for a in others if a not in addresses and self._shims_own(a) is not None]
            shim = ensure_shim(
                self._links, parent=network.parent, addresses=[*addresses, *kept], mac=own[0].mac
            )
            undo.pop_all()
        return Made(shim, before is None, tuple(reserved))

    def take_back(self, made: Made, addresses: Collection[IPAddress]) -> None:
        """Undo `prepare`, and the routes to `addresses` that there were not before it."""
        parent = made.shim.parent
        if made.new:
            remove_shim(self._links, parent=parent)
        else:
            for address in addresses:
                if address not in made.shim.containers:
                    remove_container(self._links, parent=parent, address=address)
        for held in made.reserved:
            self._release(held)

    def up(
        self, network: Network, *, announce: Collection[str] | None = (), fresh: bool = True
    ) -> Reached:
        """See that the host and every running container of the network reach each other.

        `announce` names the containers to be announced on the LAN, None those that this object
        has not met yet. Without `fresh`, what was done in a container is taken to stand. Raises
        what `prepare` raises, DockerDown.
        """
        made = self.prepare(network)
        containers = self._attached(network)
        if fresh:
            self._visits.forget()
        host = usual_addresses(self._links, network.parent)
        added = self._route(made.shim, containers)
        errand = _errand(network, host, made.shim.addresses)
        refused = self._visits.run(errand, containers, announce=announce)
        routed = _among(containers, {*made.shim.containers, *added})
        return Reached(network, made.shim, containers, routed, refused=refused)

    def welcome(self, network: Network, name: str, *, shim: Shim | None) -> None:
        """Announce a container that has just been started, and with a shim see that the host and
        the container reach each other. Several threads may do it at once."""
        if self._engine.endpoint.scheme != "unix":
            return
        container = self._engine.attached_as(name, network.id)
        if container is None:
            return
        self._known.setdefault(network.id, {})[container.endpoint] = container
        errand = _errand(network)
        if shim is not None:
            self._route(shim, [container])
            errand = _errand(network, usual_addresses(self._links, network.parent), shim.addresses)
        self._visits.run(errand, [container], announce=[name])

    def show(self, network: Network) -> Reached:
        """How it stands; changes nothing."""
        objection = self.objection(network)
        containers = () if objection else self._attached(network)
        shim = None if objection else show_shim(self._links, parent=network.parent)
        routed = _among(containers, shim.containers) if shim else ()
        return Reached(network, shim, containers, routed, objection=objection)

    # Removing

    def down(self, network: Network) -> bool:
        """Remove the shim over the network's parent; its address stays reserved. False when there
        was none."""
        shim = show_shim(self._links, parent=network.parent)
        if shim is None:
            return False
        host = tuple(one.ip for one in self._links.addresses(network.parent))
        self._visits.forget()
        errand = Errand(host, shim.addresses, back=True)
        self._visits.run(errand, self._attached(network), announce=())
        return remove_shim(self._links, parent=network.parent)

    def forget(self, network: Network) -> bool:
        """After a network was removed: remove the shim, and release its address, if this was the
        last of ours over its parent. False when there was nothing to remove."""
        if self.objection(network) or self.is_needed(network.parent):
            return False
        if link_exists(shim_name(network.parent)):
            shim = show_shim(self._links, parent=network.parent)
            if shim is not None:
                self._remove(network.parent)
                for address in shim.addresses:
                    self._release(self._shims_own(address))
        for pool in pools_of(network):
            with suppress(PoolNotFound):
                for held in self._store.held(pool, [self._owner]):
                    self._release(held)
        return True

    def _remove(self, parent: str) -> None:
        remove_shim(self._links, parent=parent)

    def is_needed(self, parent: str) -> bool:
        """Whether a network of ours, Docker's macvlan or the plugin's, stands on that parent."""
        if any(one.parent == parent for one in self._engine.networks()):
            return True
        plugins = State(self._store, host=self._host).networks()
        return any(one.parent == parent for one in plugins) or bool(
            self._engine.drivers_over(parent)
        )

    def drop(self, addresses: Collection[IPAddress]) -> None:
        """The containers with these addresses run no more: forget the host's routes to them."""
        if self._engine.endpoint.scheme != "unix" or not shim_links():
            return
        for link in self._links.macvlans():
            if link.parent and link.name == shim_name(link.parent):
                for address in addresses:
                    remove_container(self._links, parent=link.parent, address=address)

    # Parts

    @property
    def _owner(self) -> str:
        return SHIM_OWNER + self._host

    def _reserve(self, pool: str, shim: Shim | None) -> tuple[Reservation, bool]:
        """The reservation of the shim's address, and whether it was made just now."""
        for address in shim.addresses if shim else ():
            held = self._shims_own(address)
            # one that goes by another name of this host, as `launch --host` gives it, serves too
            if held is not None and held.pool == pool:
                return held, False
        (done,) = self._ipam.allocate(pool, [self._owner])
        return done.reservation, done.new

    def _shims_own(self, address: IPAddress) -> Reservation | None:
        held = self._store.holder(address)
        return held if held is not None and held.owner.startswith(SHIM_OWNER) else None

    def _release(self, held: Reservation | None) -> None:
        if held is not None:
            self._ipam.release(held.pool, [held.owner])

    def _attached(self, network: Network) -> tuple[Attached, ...]:
        before = tuple(self._known.get(network.id, {}).values())
        found = self._engine.attached(network.id, known=before)
        self._known[network.id] = {one.endpoint: one for one in found}
        self._visits.keep({endpoint for known in self._known.values() for endpoint in known})
        return found

    def _route(self, shim: Shim, containers: Sequence[Attached]) -> tuple[IPAddress, ...]:
        versions = {address.version for address in shim.addresses}
        missing = [
            address
            for container in containers
            for address in container.addresses
            if address.version in versions and address not in shim.containers
        ]
        return tuple(
            address
            for address in missing
            if add_container(self._links, parent=shim.parent, address=address)
        )


def usual_addresses(links: Links, parent: str) -> tuple[IPAddress, ...]:
    """Those by which containers over the parent may want to reach the host."""
    own = (one.ip for one in links.addresses(parent))
    return tuple(a for a in own if not (a.is_link_local() or a.is_loopback()))


def _errand(
    network: Network, host: tuple[IPAddress, ...] = (), via: tuple[IPAddress, ...] = ()
) -> Errand:
    """What is to be done in each of the network's containers."""
    no_router6 = network.six is not None and network.six.gateway is None
    return Errand(host, via, no_router6=no_router6)


def pools_of(network: Network) -> tuple[str, ...]:
    """The pools out of which the network's shim has an address each, IPv4's first."""
    six = network.six.pool if network.six else ""
    return tuple(pool for pool in (network.pool, six) if pool)


def _among(containers: Sequence[Attached], reached: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    return tuple(a for one in containers for a in one.addresses if a in reached)
