"""Launching: a stack's services -> running containers, each with its own address for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netaddr import IPAddress

from macvlan_ros import addresses, devices, interrupts, labels, networks, placement, plan
from macvlan_ros import stack as stacks
from macvlan_ros.attendance import Attendance
from macvlan_ros.docker_values import LABEL_STACK, Image
from macvlan_ros.engine import Engine
from macvlan_ros.errors import ContainerConflict, ImageNotFound, PoolOverlap
from macvlan_ros.ipam import Ipam
from macvlan_ros.links import Links
from macvlan_ros.models import Network, Pool, Reservation, Service, Stack
from macvlan_ros.settings import Settings
from macvlan_ros.starter import Starter
from macvlan_ros.undo import Undo, all_or_nothing

#: Networks whose part the macvlan one takes.
_REPLACED_DRIVERS = ("overlay", "macvlan", "ipvlan", "host")


@dataclass(frozen=True, slots=True)
class Launched:
    """One service after a launch. `action` is unchanged, started, created or recreated."""

    service: str
    container: str
    address: IPAddress
    mac: str
    action: str
    host: str


class Launcher:
    """Brings a stack up on this host. `note` hears what was replaced, `progress` each step."""

    def __init__(
        self,
        *,
        ipam: Ipam,
        links: Links,
        engine: Engine,
        attendance: Attendance,
        settings: Settings,
        note: Callable[[str], None],
        progress: Callable[[str], None],
        meter: Callable[[str], None],
    ) -> None:
        self._ipam = ipam
        self._links = links
        self._engine = engine
        self._attendance = attendance
        self._settings = settings
        self._note = note
        self._progress = progress
        self._meter = meter

    def up(
        self,
        stack: Stack,
        names: Sequence[str] = (),
        *,
        wait_seconds: float = 120,
    ) -> tuple[Launched, ...]:
        """Start the named services (all of this host, when none is named) and what they depend on.

        Everything is checked before the first change; when a service fails to start, or on
        Ctrl-C, what this launch made is undone, and what ran before runs again.
        """
        host = self._settings.host_name
        stack = self._on_macvlan(stack)
        here = placement.select(stack, names, host=host)
        for note in stack.notes:
            self._note(note)
        if not here:
            self._note(f"the stack '{stack.name}' has no service for the host '{host}'")
            return ()
        site = self._site(stack, host)
        if self._engine.endpoint.scheme == "unix":
            devices.check(stack, here)
        self._check_names(stack, here)
        images = self._images(here)
        with all_or_nothing(self._note) as undo:
            planned, network = self._plan(stack, here, site=site, images=images, undo=undo)
            self._prepare(stack, here, undo)
            addresses_here = [one.attachment.address for one in planned]
            with self._attendance.arriving(network, addresses_here, undo=undo) as arrivals:
                starter = Starter(
                    self._engine,
                    undo=undo,
                    progress=self._progress,
                    labels=lambda one: labels.of_container(stack, one),
                    started=arrivals.started,
                    wait_seconds=wait_seconds,
                )
                done = starter.start_all(planned)
                self._attendance.finish(arrivals)
        starter.finish()
        self._look_after(stack, here)
        return tuple(
            Launched(
                one.service.name,
                one.service.container_name,
                one.attachment.address,
                one.attachment.mac,
                done[one.service.name],
                host,
            )
            for one in planned
        )

    def _on_macvlan(self, stack: Stack) -> Stack:
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

    def _site(self, stack: Stack, host: str) -> plan.Site:
        entry = stack.hosts.get(host)
        wanted = (entry.parent if entry else "") or stack.parent or self._settings.parent
        if not wanted and stack.subnet is not None:
            wanted = str(stack.subnet)
        return plan.site(stack, host=host, parent=self._links.parent(wanted))

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

    def _images(self, here: Sequence[Service]) -> dict[str, Image]:
        images: dict[str, Image] = {}
        for service in here:
            if service.image not in images:
                images[service.image] = self._image(service)
        return images

    def _image(self, service: Service) -> Image:
        try:
            found = self._engine.image(service.image)
        except ImageNotFound as error:
            if service.build:
                raise ImageNotFound(
                    f"services.{service.name}: the image {service.image} has not been built; build"
                    f" it with: docker compose build {service.name}"
                ) from error
            if service.pull_policy == "never":
                raise
        else:
            if service.build:
                self._note(f"{service.name}: the image {service.image} is used as it was built")
            if service.pull_policy != "always" or service.build:
                return found
        self._progress(f"{service.name}: pulling {service.image}")
        self._engine.pull(service.image, progress=self._meter, platform=service.platform)
        return self._engine.image(service.image)

    def _plan(
        self,
        stack: Stack,
        here: Sequence[Service],
        *,
        site: plan.Site,
        images: dict[str, Image],
        undo: Undo,
    ) -> tuple[list[plan.Planned], Network]:
        wanted = plan.wanted_addresses(stack, site)
        for note in plan.notes_about_hosts(stack, site, here, wanted):
            self._note(note)
        pool = self._ensure_pool(plan.wanted_pool(stack, site, wanted, self._ipam.pools()), undo)
        network = networks.describe(
            stack.network,
            pool,
            parent=site.parent,
            mode=stack.mode,
            labels={LABEL_STACK: stack.name},
        )
        held = self._reserve(stack, here, pool=pool, wanted=wanted, undo=undo)
        planned, notes = plan.build(stack, here, site=site, held=held, wanted=wanted, images=images)
        for note in notes:
            self._note(note)
        return planned, self._ensure_network(network, site, undo)

    def _ensure_network(self, network: Network, site: plan.Site, undo: Undo) -> Network:
        with interrupts.shielded():
            own = networks.address_on(site.parent, network.subnet)
            stands, created = self._engine.ensure_network(network, host_address=own)
            if created:
                undo.add(self._engine.remove_network, network.name)
        if created:
            self._progress(f"network {network.name}: created over {network.parent}")
        return stands

    def _ensure_pool(self, pool: Pool, undo: Undo) -> Pool:
        if any(there.name == pool.name for there in self._ipam.pools()):
            return self._ipam.add_pool(pool)
        try:
            return self._make_pool(pool, undo)
        except PoolOverlap as error:
            error.args = (
                f"{error}; or let the stack take the pool that is there, with x-macvlan-ros:"
                " {pool: NAME} instead of its range",
            )
            raise

    def _make_pool(self, pool: Pool, undo: Undo) -> Pool:
        with interrupts.shielded():
            made = self._ipam.add_pool(pool)
            undo.add(self._ipam.remove_pool, pool.name)
        self._note(f"made the pool '{pool.name}': {pool.subnet}, {addresses.size(pool)} addresses")
        return made

    def _reserve(
        self,
        stack: Stack,
        here: Sequence[Service],
        *,
        pool: Pool,
        wanted: dict[str, IPAddress],
        undo: Undo,
    ) -> dict[str, Reservation]:
        """Reserve for all that belongs here, started now or not, for a ROS_MASTER_URI may name it;
        and for what has a fixed address elsewhere: nobody else may get that one here either."""
        host = self._settings.host_name
        belongs = [one for one in stacks.enabled(stack) if placement.is_here(one, host)]
        names = {service.name for service in (*here, *belongs)}
        held_for = [
            service
            for service in stack.services.values()
            if service.name in names
            or (service.name in wanted and addresses.contains(pool, wanted[service.name]))
        ]
        with interrupts.shielded():
            done = self._ipam.allocate(
                pool.name,
                [service.owner for service in held_for],
                addresses={s.owner: wanted[s.name] for s in held_for if s.name in wanted},
                hosts={service.owner: service.host for service in held_for},
            )
            fresh = [allocation.reservation.owner for allocation in done if allocation.new]
            if fresh:
                undo.add(self._ipam.release, pool.name, fresh)
        return {
            service.name: allocation.reservation
            for service, allocation in zip(held_for, done, strict=True)
        }

    def _prepare(self, stack: Stack, here: Sequence[Service], undo: Undo) -> None:
        """Volumes and additional bridges; a volume that was made stays, for it may hold data."""
        own = {LABEL_STACK: stack.name}
        used = {mount.source for service in here for mount in service.mounts}
        for name, external in stack.volumes.items():
            if name in used:
                self._engine.ensure_volume(name, labels=own, external=external)
        for bridge in {use.name: use for service in here for use in service.bridges}.values():
            with interrupts.shielded():
                if self._engine.ensure_bridge(bridge, labels=own):
                    undo.add(self._engine.remove_bridge, bridge.name)

    def _look_after(self, stack: Stack, here: Sequence[Service]) -> None:
        names = {service.container_name for service in here}
        for container in self._engine.containers(stack=stack.name):
            if container.name in names and container.state == "exited" and container.exit_code:
                self._note(
                    f"{container.name} ended at once with exit code {container.exit_code};"
                    f" look at: docker logs {container.name}"
                )
