"""What commands call that more than one part has a hand in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros import addresses, networks, notation
from macvlan_ros.models.pools import DEFAULT_POOL, Pool, Reservation
from macvlan_ros.parts import Parts
from macvlan_ros.undo import Undo, all_or_nothing

if TYPE_CHECKING:
    from macvlan_ros.chair.desk import Desk
    from macvlan_ros.chair.run import Step
    from macvlan_ros.lan_names.host_environment import HostEnvironment
    from macvlan_ros.leasing.book import Lease
    from macvlan_ros.models.links import Link, NetworkMode
    from macvlan_ros.models.networks import Network
    from macvlan_ros.models.stacks import Stack
    from macvlan_ros.wire.census import Sighting


class App(Parts):
    """Everything a command can call: the parts, and what they do together."""

    def desk(self, stack: Stack, *, told: Callable[[Step], None]) -> Desk:
        """What serves all hosts of the stack; `told` hears each step of a launch."""
        from macvlan_ros.chair.desk import Desk

        desk = Desk(self, stack, told=told)
        self._open.callback(desk.close)
        return desk

    def engine_parent(self, wanted: str = "") -> Link:
        """The same on the PC of the engine, of which the settings know nothing."""
        return self.parents.parent(wanted) if self.far else self.parent(wanted)

    @contextmanager
    def pool_to_use(
        self, name: str | None, *, over: Link | None = None, version: int | None = None
    ) -> Iterator[Pool]:
        """The named pool, the default one, or one made now from the subnet of the parent, or of
        `over`; that one goes again when the block fails."""
        pool = self.ipam.choose_pool(name, version=version)
        if pool is not None:
            yield pool
            return
        with all_or_nothing(self.note) as undo:
            pool, told = self._add_default_pool(over or self.parent())
            undo.add(self.ipam.remove_pool, pool.name)
            yield pool
        self.made(told)

    def release(
        self, pool_name: str | None, owners: Sequence[str], *, force: bool
    ) -> tuple[Pool | None, tuple[Reservation, ...]]:
        """Give up what these owners hold; the pool, None when there is none at all, and what was
        held. Raises Conflict, unless `force`, when a container runs with one of the addresses."""
        pool = self.ipam.pool_of(owners, pool_name)
        if pool is None:
            return None, ()
        if not force:
            self.holding.check(self.store.held(pool.name, owners))
        return pool, self.ipam.release(pool.name, owners)

    def make_default_pool(self, parent: Link) -> Pool:
        """A pool over the upper part of the parent's IPv4 subnet, and a note that says so."""
        pool, told = self._add_default_pool(parent)
        self.made(told)
        return pool

    def _add_default_pool(self, parent: Link) -> tuple[Pool, str]:
        subnet = next(a.cidr for a in parent.addresses if a.version == 4)
        ranges = addresses.default_range(subnet)
        pool = self.ipam.add_pool(
            Pool(DEFAULT_POOL, subnet, ranges=(ranges,), gateway=parent.gateway)
        )
        return pool, (
            f"made the pool '{pool.name}' from {parent.name}: {subnet}, handing out {ranges}"
            " (another: macvlan-ros pool add)"
        )

    def make_network(
        self,
        name: str,
        pool_name: str | None,
        *,
        parent: str,
        mode: NetworkMode,
        pool6_name: str | None = None,
    ) -> Network:
        """Docker's network over the parent, for the pool (made when there is none yet), and with
        IPv6 if there is a pool for that."""
        link = self.engine_parent(parent)
        with self.pool_to_use(pool_name, over=link, version=4) as pool:
            six = self.ipam.pool(pool6_name) if pool6_name else None
            made, created = self.engine.ensure_network(
                networks.describe(name, pool, parent=link, mode=mode, pool6=six),
                host_address=networks.address_on(link, pool.subnet),
                host_address6=networks.address_on(link, six.subnet) if six else None,
            )
        if not created:
            self.note(f"the network '{name}' was there already")
        elif self.settings.shim == "yes" and not self.far:
            self._note_objection(made)
        return made

    def _note_objection(self, network: Network) -> None:
        if objection := self.reach.objection(network):
            self.note(objection)

    def add_pool(self, wanted: Pool) -> Pool:
        """Add a pool, and note what the LAN's DHCP servers would hand out of a new one."""
        known = wanted in self.ipam.pools()
        pool = self.ipam.add_pool(wanted)
        if not known and self.settings.probe != "none":
            for text in self.scout.dhcp_conflicts(pool, progress=self.progress):
                self.note(text)
        return pool

    def keep_leases(self) -> tuple[Lease, ...]:
        """Renew the leases that are due, and what else is to be done about this host's."""
        from macvlan_ros.leasing.keeping import keep_up

        for done in keep_up(self.store, self.leases):
            self.note(f"'{done.lease.owner}' ({done.lease.address}): {done.text or done.what}")
        return self.leases.book.everybodys()

    def scan(
        self,
        pool_name: str | None,
        *,
        subnet: str | None = None,
        rate: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Sighting, ...]:
        """Everybody on the LAN of a pool (without one: of the parent), and whose they are."""
        from macvlan_ros.wire import census

        pool = self.ipam.choose_pool(pool_name)
        parent = self.parent(str(pool.subnet) if pool else "")
        whole = pool.subnet if pool else next(a.cidr for a in parent.addresses if a.version == 4)
        asked = notation.parse_subnet(subnet) if subnet else whole
        held = self.store.reservations()
        seen = self.scout.wire(parent.name).scan(
            asked, rate=rate, progress=progress, known=[one.address for one in held]
        )
        return census.classify(
            seen,
            pools=self.store.pools(),
            reservations=[one for one in held if one.address in asked],
            running=self.links.running_macs(),
            own={own.ip: parent.mac for own in parent.addresses if own.ip in asked},
            elsewhere=[one for one in held if one.address.version != asked.version],
        )

    def host_environment(
        self, stack: Stack, *, wanted: str, environ: Mapping[str, str]
    ) -> HostEnvironment:
        """What ROS on this PC itself needs to be one of the stack's nodes, or its master."""
        from macvlan_ros.lan_names import host_environment
        from macvlan_ros.launching import landing
        from macvlan_ros.reaching.shim import show_shim

        host = self.settings.host_name
        parent = self.links.parent(landing.wanted_parent(stack, host, self.settings.parent))
        site = landing.site(stack, host=host, parent=parent)
        known = host_environment.known_addresses(stack, site, self.store.reservations())
        found = host_environment.of_host(
            stack, site=site, known=known, wanted=wanted, environ=environ
        )
        if show_shim(self.links, parent=parent.name) is None:
            self.note(
                f"there is no shim on {parent.name}, so this PC and its own containers do not"
                " reach each other; make one with: macvlan-ros launch, or macvlan-ros shim up"
            )
        return found

    def attend(
        self,
        network: Network,
        names: Sequence[str],
        *,
        addresses: Collection[IPAddress] = (),
        undo: Undo | None = None,
    ) -> None:
        """See to containers that run by now, as if they had been started here."""
        with self.attendance.arriving(network, addresses, undo=undo or Undo()) as arrivals:
            for name in names:
                arrivals.started(name)
            arrivals.finish()

    def remove_network(self, name: str) -> bool:
        """Remove Docker's network, and the shim that it was the last to need."""
        known = {network.name: network for network in self.engine.networks()}
        if name in known:
            self.attendance.leaving(known[name])
        removed = self.engine.remove_network(name)
        if removed and name in known:
            self.attendance.left(known[name])
        return removed
