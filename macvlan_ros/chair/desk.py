"""The desk: the parts that serve all hosts of a stack, put together around this PC's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.chair.facts import Facts, Lan, first_lan, lan_of
from macvlan_ros.chair.launching import ChairLauncher
from macvlan_ros.chair.overseeing import Overseer
from macvlan_ros.chair.run import Step
from macvlan_ros.chair.seats import Seat, take_seats
from macvlan_ros.closing import Closing
from macvlan_ros.engine import Engine
from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.fleet.register import Register
from macvlan_ros.ipam import Ipam
from macvlan_ros.launch import Launcher
from macvlan_ros.launching.booking import Booking
from macvlan_ros.launching.running import Running
from macvlan_ros.models.pools import Pool
from macvlan_ros.models.stacks import HostEntry, Stack
from macvlan_ros.news import News
from macvlan_ros.reaching.attends import Attends
from macvlan_ros.reserving.takeover import Takeover
from macvlan_ros.wire import deputy
from macvlan_ros.wire.scout import interface_on

if TYPE_CHECKING:
    from macvlan_ros.app import App


#: Seconds by which clocks may differ without a word.
_CLOCKS = 5.0


class Desk(Closing):
    """What `--all-hosts` works with. Close it when done; the App stays open."""

    def __init__(self, app: App, stack: Stack, *, told: Callable[[Step], None]) -> None:
        self._app = app
        self._stack = stack
        self._told = told
        self._news = News()
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._errands = app.errands

    def close(self) -> None:
        """Give back the connections to other hosts. Closing twice is fine."""
        self._open.close()

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """The hosts, asked now whether they answer."""
        seats = take_seats(
            self._stack,
            own=self._app.settings.host_name,
            own_engine=lambda: self._app.engine,
            open_engine=self._open_engine,
        )
        for seat in seats:
            if seat.engine is not self._own(seat):
                self._open.callback(seat.engine.close)
        return seats

    @cached_property
    def launcher(self) -> ChairLauncher:
        """What launches on all hosts."""
        if self._app.settings.store.startswith("sqlite") and len(self._stack.hosts) > 1:
            self._note(
                "the reservations are kept on this PC alone; so that the other PCs know of them,"
                " share a store (docs/etcd.md)"
            )
        self._enrol()
        return ChairLauncher(
            self.seats,
            launcher=self._launcher,
            booking=self._booking,
            note=self._note,
            told=self._tell,
        )

    @cached_property
    def _booking(self) -> Booking:
        made = self._app.made
        takeover = Takeover(self._ipam, ask=self._must_ask, runs=self._runs, note=made)
        return Booking(self._ipam, takeover=takeover, note=made)

    @cached_property
    def overseer(self) -> Overseer:
        """What sees to what runs on all hosts."""
        return Overseer(self.seats, running=self._running)

    def running_on(self, host: str) -> Running:
        """What sees to the containers of one host. Raises why that one cannot be reached."""
        (seat,) = (one for one in self.seats if one.name == host)
        if seat.trouble is not None:
            raise seat.trouble
        return self._running(seat)

    @cached_property
    def _ipam(self) -> Ipam:
        asks = self._app.settings.probe != "none"
        return Ipam(
            self._app.store,
            surroundings=self._app.surroundings,
            host=self._app.settings.host_name,
            ask=self._ask if asks else None,
            ask_here=self._app.ask_here,
            leases=lambda: self._app.leases,
            asks_for_all=True,
        )

    def _runs(self, host: str, container: str) -> bool:
        """Whether the container runs on the host, as far as its engine says; a PC cannot ask the
        LAN for its own containers."""
        for seat in self.seats:
            if seat.name == host and seat.trouble is None:
                found = seat.engine.named([container]).get(container)
                return found is not None and found.running
        return False

    def _must_ask(self, pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        """Ask the LAN. Raises Unavailable when nobody can."""
        if self._app.settings.probe != "none" and not interface_on(pool.subnet):
            for seat in self._others:
                with suppress(Unavailable):
                    return self._ask_there(seat, pool, addresses)
        return self._app.ask(pool, addresses)

    def _ask(self, pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        """Ask the LAN by this PC's interface, or by a host's that can; else nobody is asked."""
        if interface_on(pool.subnet):
            return self._app.scout.ask(pool, addresses)
        reasons = [f"this PC has no interface in {pool.subnet}"]
        for seat in self._others:
            try:
                return self._ask_there(seat, pool, addresses)
            except MacvlanRosError as error:
                reasons.append(f"{seat.name}: {error}")
        self._note(f"nobody was asked whether the addresses are free: {', and '.join(reasons)}")
        return {}

    @property
    def _others(self) -> list[Seat]:
        """The other hosts that answer."""
        return [seat for seat in self.seats if not seat.local and seat.trouble is None]

    def _ask_there(
        self, seat: Seat, pool: Pool, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Ask the other host's LAN: its service does, else a container of our image there. Raises
        Unavailable when neither can."""
        why = "no macvlan-ros service runs there"
        if self._app.membership.is_served(seat.name):
            try:
                return self._ask_service(seat, pool, addresses)
            except Unavailable as error:
                why = str(error)
        if self._errands.can_run(seat):
            return self._errands.ask(seat, pool, addresses)
        raise Unavailable(f"{why}, and its engine has no image {self._errands.image}")

    def _ask_service(
        self, seat: Seat, pool: Pool, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        own = self._app.settings.host_name
        return deputy.ask(self._app.store, seat.name, pool, addresses, own=own)

    def _enrol(self) -> None:
        """Write the hosts into the register, and note the clocks that are off."""
        for seat in self.seats:
            if seat.local:
                self._app.membership.enter()
            elif seat.info is not None and self._app.membership.register.host(seat.name) is None:
                other = Register(self._app.store, host=seat.name, machine="")
                other.enter((), engine=f"Docker {seat.info.version}")
            if seat.clock_ahead is not None and abs(seat.clock_ahead) > _CLOCKS:
                way = "ahead of" if seat.clock_ahead > 0 else "behind"
                self._note(
                    f"the clock of '{seat.name}' is {abs(seat.clock_ahead):.0f} s {way} this PC's,"
                    " and ROS takes messages for old or for the future; set it there with:"
                    " timedatectl set-ntp true"
                )

    def _open_engine(self, entry: HostEntry, source: str) -> Engine:
        """The engine of another host. Raises what `Engine` raises."""
        return Engine(entry.docker, source=source)

    def _own(self, seat: Seat) -> object:
        return self._app.engine if seat.name == self._app.settings.host_name else None

    def _launcher(self, seat: Seat) -> Launcher:
        own = self._app.settings
        return Launcher(
            booking=self._booking,
            links=self._app.links if seat.local else self._facts(seat),
            engine=seat.engine,
            attendance=self._app.attendance if seat.local else self._attendance(seat),
            settings=(
                own
                if seat.local
                else replace(own, host=seat.name, parent="", docker=seat.entry.docker)
            ),
            local=seat.local,
            note=self._note,
            progress=lambda _text: None,
            meter=self._app.meter,
            # several hosts may build at once
            quiet=True,
        )

    def _running(self, seat: Seat) -> Running:
        return Running(
            ipam=self._ipam,
            engine=seat.engine,
            attendance=self._app.attendance if seat.local else self._attendance(seat),
            host=seat.name,
            progress=lambda text: self._app.progress(f"{seat.name}: {text}"),
            strangers=self._app.strangers,
        )

    def _attendance(self, seat: Seat) -> Attends:
        return self._app.attends_on(seat, ipam=self._ipam, errands=self._errands, note=self._note)

    def _facts(self, seat: Seat) -> Facts:
        return Facts(
            seat,
            errands=self._errands,
            known=self._app.membership.links_of,
            lan=self._lan,
            note=self._note,
            ipv6=self._stack.ipv6,
        )

    def _lan(self) -> Lan | None:
        """What the file says, or this PC's own interface."""

        def said() -> Lan | None:
            subnet = self._stack.subnet
            return Lan(subnet, self._stack.gateway) if subnet is not None else None

        def own() -> Lan | None:
            return lan_of(self._app.links.parent(self._app.settings.parent))

        return first_lan(said, own)

    def _note(self, text: str) -> None:
        """Say it once, whichever host it is from."""
        if self._news.is_new(text):
            self._app.note(text)

    def _tell(self, step: Step) -> None:
        with self._lock:
            self._told(step)
