"""The composition root: Settings -> the parts, each made when first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from macvlan_ros.closing import Closing
from macvlan_ros.errors import DockerDown, Forbidden, Unavailable
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool
from macvlan_ros.opening import open_for
from macvlan_ros.reserving.around import Surroundings, look_around
from macvlan_ros.settings import Settings
from macvlan_ros.wire.scout import Scout, interface_on

if TYPE_CHECKING:
    from macvlan_ros.chair.errands import Errands
    from macvlan_ros.chair.seats import Seat
    from macvlan_ros.engine import Engine
    from macvlan_ros.fleet.membership import Membership
    from macvlan_ros.lan_names.names import Names
    from macvlan_ros.launch import Launcher, Parents
    from macvlan_ros.launching.images import Images
    from macvlan_ros.launching.restarting import Restarter
    from macvlan_ros.launching.running import Running
    from macvlan_ros.leasing.leases import Leases
    from macvlan_ros.links import Links
    from macvlan_ros.models.links import Link
    from macvlan_ros.reaching.attends import Attends
    from macvlan_ros.reaching.on_lans import OnLans
    from macvlan_ros.reaching.reach import Reach
    from macvlan_ros.reserving.holding import Holding
    from macvlan_ros.reserving.reassigning import Reassigner
    from macvlan_ros.reserving.takeover import Takeover
    from macvlan_ros.stores.base import Store
    from macvlan_ros.wire.deputy import Deputy


def _silent(_text: str) -> None:
    return None


class Parts(Closing):
    """The parts of one command. `note` and `progress` are told what people should read. `as_host`
    is which host the engine's PC is, where somebody has said it for this command."""

    def __init__(
        self,
        settings: Settings,
        *,
        note: Callable[[str], None] = _silent,
        progress: Callable[[str], None] = _silent,
        meter: Callable[[str], None] = _silent,
        quiet: bool = False,
        as_host: str = "",
    ) -> None:
        self.settings = settings
        self._as_host = as_host
        self.note = note
        self.progress = progress
        self.meter = meter
        self.quiet = quiet
        self._open = ExitStack()

    def made(self, text: str) -> None:
        """Tell what was made, or taken over, without being asked for by name."""
        self.note(text)

    def close(self) -> None:
        """Give back everything that was opened. Closing twice is fine."""
        self._open.close()

    @cached_property
    def store(self) -> Store:
        store = open_for(self.settings, note=self.note)
        self._open.callback(store.close)
        return store

    def opened(self, url: str) -> Store:
        """Another store, which is closed with this App. Raises what `open_store` raises."""
        from macvlan_ros.stores import open_store

        store = open_store(url, self.settings.access)
        self._open.callback(store.close)
        return store

    @cached_property
    def ipam(self) -> Ipam:
        return Ipam(
            self.store,
            surroundings=self.surroundings,
            host=self.settings.host_name,
            ask=self.scout.ask if self.settings.probe != "none" else None,
            ask_here=self.ask_here,
            leases=lambda: self.leases,
        )

    @cached_property
    def leases(self) -> Leases:
        from macvlan_ros.leasing.leases import Leases

        return Leases(self.store, host=self.settings.host_name, note=self.note)

    @cached_property
    def scout(self) -> Scout:
        scout = Scout(note=self.note, timing=self.settings.probe)
        self._open.callback(scout.close)
        return scout

    def ask_here(self, pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        """Which containers of this PC hold some of the addresses, though the store knows none of
        them."""
        from macvlan_ros.kernel.filters import own_macs, read_macs

        with suppress(OSError, Unavailable):
            if not read_macs() - own_macs():
                return {}  # nothing runs here: that is soon known
        from macvlan_ros.wire.siblings import Siblings

        siblings = Siblings(
            self.store,
            host=self.settings.host_name,
            running=read_macs,
            links=lambda: self.links,
            note=self.note,
        )
        return siblings.answering(pool, addresses)

    def ask(self, pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        """Who on the LAN answers for the addresses. Raises Unavailable when nobody can tell."""
        if self.settings.probe == "none" or not interface_on(pool.subnet):
            raise Unavailable(
                f"{', '.join(map(str, addresses))} belong to another host, and the LAN has to be"
                f" asked before they are taken over; launch on a PC that is on {pool.subnet},"
                " without --no-probe"
            )
        return self.scout.ask(pool, addresses)

    @cached_property
    def links(self) -> Links:
        from macvlan_ros.links import Links

        links = Links()
        self._open.callback(links.close)
        return links

    @cached_property
    def engine(self) -> Engine:
        from macvlan_ros.engine import Engine

        engine = Engine(self.settings.docker)
        self._open.callback(engine.close)
        return engine

    @cached_property
    def reach(self) -> Reach:
        from macvlan_ros.reaching.reach import Reach

        return Reach(
            ipam=self.ipam,
            store=self.store,
            links=self.links,
            engine=self.engine,
            host=self.settings.host_name,
        )

    def parent(self, wanted: str = "") -> Link:
        """The parent by name, MAC or subnet; else the one of the settings; else the chosen one."""
        return self.links.parent(wanted or self.settings.parent)

    @cached_property
    def far(self) -> Seat | None:
        """The PC of the engine, where that is another one than this. Raises what the engine
        raises."""
        if self.engine.endpoint.scheme == "unix":
            return None
        from macvlan_ros.chair.afar import seat_of

        return seat_of(self.engine)

    @cached_property
    def host(self) -> str:
        """The name of the engine's PC."""
        return self._as_host or (self.far.name if self.far else self.settings.host_name)

    @cached_property
    def errands(self) -> Errands:
        from macvlan_ros.chair.errands import Errands

        return Errands(self.settings.image)

    @cached_property
    def parents(self) -> Parents:
        """What knows the interfaces of the engine's PC."""
        if self.far is None:
            return self.links
        from macvlan_ros.chair.afar import FarParents

        return FarParents(
            self.far,
            errands=self.errands,
            known=self.membership.links_of,
            own=self.parent,
            note=self.note,
        )

    @cached_property
    def attendance(self) -> Attends:
        if self.far is not None:
            return self.attends_on(self.far, ipam=self.ipam, errands=self.errands, note=self.note)
        from macvlan_ros.reaching.attendance import Attendance

        return Attendance(self.reach, wanted=self.settings.shim == "yes", note=self.note)

    def attends_on(
        self, seat: Seat, *, ipam: Ipam, errands: Errands, note: Callable[[str], None]
    ) -> Attends:
        """What sees to what comes and goes on another PC."""
        from macvlan_ros.chair.attending import FarAttendance

        return FarAttendance(
            seat,
            ipam=ipam,
            errands=errands,
            wanted=self.settings.shim == "yes",
            served=self.membership.is_served,
            note=note,
        )

    @cached_property
    def launcher(self) -> Launcher:
        from macvlan_ros.launch import Launcher
        from macvlan_ros.launching.booking import Booking

        return Launcher(
            booking=Booking(self.ipam, takeover=self.takeover, note=self.made),
            links=self.parents,
            engine=self.engine,
            attendance=self.attendance,
            settings=replace(self.settings, host=self.host),
            local=self.far is None,
            note=self.note,
            progress=self.progress,
            meter=self.meter,
            quiet=self.quiet,
        )

    @cached_property
    def takeover(self) -> Takeover:
        from macvlan_ros.reserving.takeover import Takeover

        return Takeover(self.ipam, ask=self.ask, runs=lambda _host, _name: False, note=self.made)

    @cached_property
    def images(self) -> Images:
        from macvlan_ros.launching.images import Images

        return Images(
            self.engine,
            docker=self.settings.docker,
            note=self.note,
            progress=self.progress,
            meter=self.meter,
            quiet=self.quiet,
        )

    @cached_property
    def running(self) -> Running:
        from macvlan_ros.launching.running import Running

        return Running(
            ipam=self.ipam,
            engine=self.engine,
            attendance=self.attendance,
            host=self.host,
            progress=self.progress,
            strangers=self.strangers,
        )

    def strangers(self) -> dict[IPAddress, str]:
        """Who was heard lately with addresses of ours; of several with one address the latest."""
        from macvlan_ros.defence import conflicts

        return {seen.address: seen.mac for seen in reversed(conflicts.recent(self.store))}

    @cached_property
    def reassigner(self) -> Reassigner:
        from macvlan_ros.reserving.reassigning import Reassigner

        return Reassigner(
            self.store,
            engine=lambda: self.engine,
            surroundings=self.surroundings,
            ask=self.scout.ask if self.settings.probe != "none" else None,
            host=self.settings.host_name,
            note=self.note,
        )

    @cached_property
    def restarter(self) -> Restarter:
        from macvlan_ros.launching.restarting import Restarter

        return Restarter(
            self.running, engine=self.engine, attendance=self.attendance, progress=self.progress
        )

    @cached_property
    def membership(self) -> Membership:
        from macvlan_ros.fleet.membership import Membership

        return Membership(
            self.store, settings=self.settings, links=lambda: self.links, engine=lambda: self.engine
        )

    @cached_property
    def deputy(self) -> Deputy:
        from macvlan_ros.wire.deputy import Deputy

        return Deputy(self.store, host=self.settings.host_name, ask=self._ask_for_others)

    def _ask_for_others(
        self, pool: Pool, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """As `ask`, with a socket of its own: whoever answers for weeks sees interfaces go."""
        if self.settings.probe == "none" or not interface_on(pool.subnet):
            raise Unavailable(f"it has no interface in {pool.subnet}, or is set not to probe")
        with closing(Scout(note=self.note, timing=self.settings.probe)) as scout:
            return scout.ask(pool, addresses)

    @cached_property
    def names(self) -> Names:
        from macvlan_ros.lan_names.names import Names

        return Names(self.store, engine=self.engine, host=self.settings.host_name)

    @cached_property
    def on_lans(self) -> OnLans:
        from macvlan_ros.reaching.on_lans import OnLans
        from macvlan_ros.state import State

        return OnLans(self.engine, State(self.store, host=self.settings.host_name))

    @cached_property
    def holding(self) -> Holding:
        from macvlan_ros.reserving.holding import Holding
        from macvlan_ros.uses import Uses

        return Holding(
            Uses(self.store, host=self.settings.host_name),
            host=self.settings.host_name,
            containers=lambda: self.engine.running(),
            running=lambda: self.links.running_macs(),
            note=self.note,
        )

    def surroundings(self, pool: Pool) -> Surroundings:
        """What on this host and around it is in use already, as far as can be known at once."""
        return look_around(self._docker_subnets(pool))

    def _docker_subnets(self, pool: Pool) -> dict[IPNetwork, str]:
        try:
            found = self.engine.subnets()
        except (DockerDown, Forbidden) as error:
            self.note(f"the subnets of Docker's networks were not looked at: {error}")
            return {}
        return {
            subnet: name
            for subnet, name in found.items()
            if subnet in pool.subnet or pool.subnet in subnet
        }
