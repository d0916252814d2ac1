"""Launching: a stack's services -> running containers, each with its own address for good."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from netaddr import IPAddress

from macvlan_ros import interrupts, networks
from macvlan_ros import stack as stacks
from macvlan_ros.docker_api import labels
from macvlan_ros.docker_api.labels import LABEL_STACK
from macvlan_ros.docker_api.values import Image
from macvlan_ros.engine import Engine
from macvlan_ros.errors import ContainerConflict
from macvlan_ros.lan_names import host_names
from macvlan_ros.launching import devices, landing, placement, plan
from macvlan_ros.launching.booking import Booked, Booking
from macvlan_ros.launching.images import Images
from macvlan_ros.launching.starter import Starter
from macvlan_ros.models.containers import Service
from macvlan_ros.models.links import Link
from macvlan_ros.models.networks import Network
from macvlan_ros.models.stacks import Stack
from macvlan_ros.reaching.attends import Attends, Follower
from macvlan_ros.settings import Settings
from macvlan_ros.undo import Undo, all_or_nothing
from macvlan_ros.values import dataclass

#: Networks whose part the macvlan one takes.
_REPLACED_DRIVERS = ("overlay", "macvlan", "ipvlan", "host")


@dataclass(frozen=True, slots=True)
class Launched:
    """One service after a launch. `action` is unchanged, started, created or recreated, and failed
    where its host was lost; then it may have no address, and when it is not on the LAN."""

    service: str
    container: str
    address: IPAddress | None
    mac: str
    action: str
    host: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What one host is to start, as far as that is known before anything is changed."""

    stack: Stack
    here: tuple[Service, ...]
    site: landing.Site
    images: Mapping[str, Image]


@dataclass(frozen=True, slots=True)
class Ready:
    """What one host is to start, with all that its containers need."""

    stack: Stack
    planned: tuple[plan.Planned, ...]
    network: Network


class Parents(Protocol):
    """What knows a host's interfaces."""

    def parent(self, wanted: str = "") -> Link:
        """The parent by name, MAC or subnet; see `parents.find_parent`."""


class Launcher:
    """Brings a stack up on one host, the one of `settings`.

    `note` hears what was replaced, `progress` each step. `local` says that the engine is on this
    very PC.
    """

    def __init__(
        self,
        *,
        booking: Booking,
        links: Parents,
        engine: Engine,
        attendance: Attends,
        settings: Settings,
        local: bool,
        note: Callable[[str], None],
        progress: Callable[[str], None],
        meter: Callable[[str], None],
        quiet: bool = False,
    ) -> None:
        self._booking = booking
        self._links = links
        self._engine = engine
        self._attendance = attendance
        self._settings = settings
        self._local = local
        self._note = note
        self._progress = progress
        self._images = Images(
            engine, docker=settings.docker, note=note, progress=progress, meter=meter, quiet=quiet
        )

    def up(
        self,
        stack: Stack,
        names: Sequence[str] = (),
        *,
        wait_seconds: float = 120,
        rebuild: bool = False,
    ) -> tuple[Launched, ...]:
        """Start the named services (all of this host, when none is named) and what they depend on.

        Images that are missing are built or pulled, with `rebuild` built again in any case.

        Everything is checked before the first change; when a service fails to start, or on
        Ctrl-C, what this launch made is undone, and what ran before runs again.
        """
        host = self._settings.host_name
        stack = self.on_macvlan(stack)
        here = placement.select(stack, names, host=host)
        for note in stack.notes:
            self._note(note)
        if not here:
            self._note(f"the stack '{stack.name}' has no service for the host '{host}'")
            return ()
        checked = self.check(stack, here, rebuild=rebuild)
        with all_or_nothing(self._note) as undo:
            for note in plan.notes_about_waiting(stack, here):
                self._note(note)
            booked = self._booking.book(stack, here, site=checked.site, undo=undo)
            ready = self.prepare(checked, booked, undo=undo)
            with self.starting(ready, undo=undo, wait_seconds=wait_seconds) as (starter, arrivals):
                done = starter.start_all(ready.planned)
                arrivals.finish()
        starter.finish()
        return self.launched(ready, done)

    def check(self, stack: Stack, here: Sequence[Service], *, rebuild: bool = False) -> Checked:
        """Where the services land, and their images, built or pulled if need be. Nothing else is
        changed."""
        site = self._site(stack, self._settings.host_name)
        if self._local:
            devices.check(stack, here)
        self._check_names(stack, here)
        return Checked(stack, tuple(here), site, self._images.ensure(here, rebuild=rebuild))

    def prepare(self, checked: Checked, booked: Booked, *, undo: Undo) -> Ready:
        """The plan of each service, and network, volumes and bridges, made if need be."""
        ready = self._plan(checked, booked, undo=undo)
        self._make_ready(checked.stack, checked.here, undo)
        return ready

    def place(self, stack: Stack, *, undo: Undo) -> Ready:
        """Addresses, environment and network of all that belongs here, for somebody else who makes
        images, volumes and containers."""
        stack = self.on_macvlan(stack)
        here = placement.select(stack, (), host=self._settings.host_name)
        site = self._site(stack, self._settings.host_name)
        booked = self._booking.book(stack, here, site=site, undo=undo)
        checked = Checked(stack, tuple(here), site, self._images.known(here))
        return self._plan(checked, booked, undo=undo)

    def _plan(self, checked: Checked, booked: Booked, *, undo: Undo) -> Ready:
        stack, here, site = checked.stack, checked.here, checked.site
        known = self._booking.elsewhere(stack, site)
        wanted = booked.wanted6 if stack.ros_over == "ipv6" else booked.wanted
        for note in plan.notes_about_hosts(stack, site, {**known, **wanted}):
            self._note(note)
        network = networks.describe(
            stack.network,
            booked.pool,
            parent=site.parent,
            mode=stack.mode,
            labels={LABEL_STACK: stack.name},
            pool6=booked.pool6,
        )
        planned, notes = plan.build(
            stack,
            here,
            site=site,
            held=booked.held,
            wanted={**known, **wanted},
            images=checked.images,
            held6=booked.held6,
        )
        for note in notes:
            self._note(note)
        return Ready(stack, tuple(planned), self._ensure_network(network, site, undo))

    @contextmanager
    def starting(
        self, ready: Ready, *, undo: Undo, wait_seconds: float
    ) -> Iterator[tuple[Starter, Follower]]:
        """What starts the planned containers, and what follows them: to be finished when all have
        started."""
        places = [one.attachment for one in ready.planned if one.attachment]
        both = (each for place in places for each in (place.address, place.address6))
        addresses_here = [each for each in both if each is not None]
        with self._attendance.arriving(ready.network, addresses_here, undo=undo) as arrivals:
            starter = Starter(
                self._engine,
                undo=undo,
                progress=self._progress,
                labels=lambda one: labels.of_container(ready.stack, one),
                started=arrivals.started,
                wait_seconds=wait_seconds,
            )
            yield starter, arrivals

    def launched(self, ready: Ready, done: Mapping[str, str]) -> tuple[Launched, ...]:
        """What was done, by service; what ended at once is noted."""
        self._look_after(ready.stack, [one.service for one in ready.planned])
        return tuple(
            Launched(
                one.service.name,
                one.service.container_name,
                one.attachment.address if one.attachment else None,
                one.attachment.mac if one.attachment else "",
                done[one.service.name],
                self._settings.host_name,
            )
            for one in ready.planned
            if one.service.name in done
        )

    def on_macvlan(self, stack: Stack) -> Stack:
        """The stack without external networks that the macvlan one replaces: what driver they
        have, only the engine knows."""
        external = {
            use.name for one in stack.services.values() for use in one.bridges if use.external
        }
        for name in sorted(external):
            driver = self._engine.driver_of(name)
            if driver in _REPLACED_DRIVERS:
                stack = stacks.replace_network(stack, name, driver=driver)
        return stack

    def _site(self, stack: Stack, host: str) -> landing.Site:
        wanted = landing.wanted_parent(stack, host, self._settings.parent)
        site = landing.site(stack, host=host, parent=self._links.parent(wanted))
        if not self._local or not any(one.host_network for one in stack.services.values()):
            return site
        own = networks.address_on(site.parent, site.subnet)
        names = host_names.known(
            host_names.read(), own_name=socket.gethostname(), own=str(own or "")
        )
        return dataclasses.replace(site, names=names)

    def _check_names(self, stack: Stack, here: Sequence[Service]) -> None:
        standing = self._engine.named([service.container_name for service in here])
        for service in here:
            found = standing.get(service.container_name)
            if found is None:
                continue
            owner = found.labels.get(LABEL_STACK)
            if owner != stack.name:
                made = f"belongs to the stack '{owner}'" if owner else "was not made by macvlan-ros"
                raise ContainerConflict(
                    f"a container '{found.name}' is there already and {made}; remove it with:"
                    f" docker rm -f {found.name}, or give services.{service.name} another"
                    " container_name"
                )

    def _ensure_network(self, network: Network, site: landing.Site, undo: Undo) -> Network:
        with interrupts.shielded():
            own = networks.address_on(site.parent, network.subnet)
            own6 = networks.address_on(site.parent, network.six.subnet) if network.six else None
            stands, created = self._engine.ensure_network(
                network, host_address=own, host_address6=own6
            )
            if created:
                undo.add(self._engine.remove_network, network.name)
        if created:
            self._progress(f"network {network.name}: created over {network.parent}")
        return stands

    def _make_ready(self, stack: Stack, here: Sequence[Service], undo: Undo) -> None:
        """Volumes and additional bridges; a volume that was made stays, for it may hold data."""
        own = {LABEL_STACK: stack.name}
        used = {mount.source for service in here for mount in service.mounts}
        for volume in stack.volumes.values():
            if volume.name in used:
                self._engine.ensure_volume(volume, labels=own)
        for bridge in {use.name: use for service in here for use in service.bridges}.values():
            with interrupts.shielded():
                if self._engine.ensure_bridge(bridge, labels=own):
                    undo.add(self._engine.remove_bridge, bridge.name)

    def _look_after(self, stack: Stack, here: Sequence[Service]) -> None:
        names = {service.container_name for service in here}
        for container in self._engine.containers(stack=stack.name, state="exited"):
            if container.name in names and container.exit_code:
                self._note(
                    f"{container.name} ended at once with exit code {container.exit_code};"
                    f" look at: docker logs {container.name}"
                )
