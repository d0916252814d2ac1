"""What of a stack runs here: see it, stop it, take it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros import stack as stacks
from macvlan_ros.docker_api.labels import LABEL_SERVICE, LABEL_STACK
from macvlan_ros.docker_api.values import Container
from macvlan_ros.engine import Engine
from macvlan_ros.errors import Conflict, InvalidRequest, NotFound
from macvlan_ros.ipam import Ipam
from macvlan_ros.launching import placement
from macvlan_ros.launching.starter import ASIDE
from macvlan_ros.launching.turns import Turns
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.reaching.attends import Attends
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service as it stands. `state` is Docker's word, "absent" when there is no container,
    "elsewhere" when the service belongs to another host; `health` is "" without a healthcheck;
    `conflict` is the MAC of a stranger that was heard with the address within the hour, else "";
    `reached` is whether the address answers this PC, None when that was not asked."""

    service: str
    container: str
    host: str
    address: str
    mac: str
    state: str
    health: str
    image: str
    conflict: str = ""
    reached: bool | None = None


class Running:
    """The containers of stacks on this host. `progress` hears each step; `strangers` gives the
    MACs of strangers that were heard lately with addresses of ours."""

    def __init__(
        self,
        *,
        ipam: Ipam,
        engine: Engine,
        attendance: Attends,
        host: str,
        progress: Callable[[str], None],
        strangers: Callable[[], Mapping[IPAddress, str]],
    ) -> None:
        self._ipam = ipam
        self._engine = engine
        self._attendance = attendance
        self._host = host
        self._progress = progress
        self._strangers = strangers

    def status(self, stack: Stack) -> tuple[ServiceStatus, ...]:
        """Every service of the file, and containers of the stack that the file has no more."""
        found = {
            c.labels.get(LABEL_SERVICE, c.name): c
            for c in self._engine.containers(stack=stack.name)
            if not c.name.endswith(ASIDE)
        }
        rows = [
            self._absent(service)
            for service in stack.services.values()
            if service.name not in found
        ]
        strangers = self._strangers()
        for name, container in found.items():
            rows.append(
                ServiceStatus(
                    name,
                    container.name,
                    self._host,
                    str(container.address or ""),
                    container.mac,
                    container.state,
                    container.health,
                    container.image,
                    next((strangers[a] for a in _addresses([container]) if a in strangers), ""),
                )
            )
        texts = {str(address): mac for address, mac in strangers.items()}
        rows = [replace(row, conflict=row.conflict or texts.get(row.address, "")) for row in rows]
        return tuple(sorted(rows, key=lambda row: row.service))

    def _absent(self, service: Service) -> ServiceStatus:
        here = placement.is_here(service, self._host)
        return ServiceStatus(
            service.name,
            service.container_name,
            service.host or self._host,
            str(service.address or ""),
            "",
            "absent" if here else "elsewhere",
            "",
            service.image,
        )

    def stop(self, stack: Stack, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Stop the containers of the named services, or of all; return those that were running."""
        running = [c for c in self.containers(stack, names) if c.state in ("running", "restarting")]
        self._each(running, self._stop)
        self._attendance.stopped(_addresses(running))
        return tuple(container.name for container in running)

    def one(self, stack: Stack, name: str, *, far: bool = False) -> Container:
        """The running container of a service, to go into; `far` says that it is asked for from
        another PC. Raises ServiceNotFound, NotFound, InvalidRequest (it belongs to another host),
        Conflict (it does not run)."""
        there = "--all-hosts " if far else ""
        found = self.standing(stack, [name])
        if not found:
            service = stack.services[name]
            engine = f"name its engine at x-macvlan-ros.hosts.{service.host}.docker"
            here = placement.is_here(service, self._host)
            said = self.absent(service, else_=f"do it there, or {engine}", far=far)
            raise (NotFound if here else InvalidRequest)(said)
        if not found[0].running:
            raise Conflict(
                f"the container '{found[0].name}' does not run ({found[0].state}); start it with:"
                f" macvlan-ros launch {there}{name}, see why with: macvlan-ros logs {there}{name}"
            )
        return found[0]

    def absent(self, service: Service, *, else_: str, far: bool = False) -> str:
        """What is said of a named service that has no container here; `else_` is what to do about
        one that belongs to another host. `far` as in `one`."""
        if not placement.is_here(service, self._host):
            return (
                f"the service '{service.name}' belongs to the host '{service.host}', and this is"
                f" '{self._host}'; {else_}"
            )
        return (
            f"the service '{service.name}' has no container; make it with: macvlan-ros launch"
            f" {'--all-hosts ' if far else ''}{service.name}"
        )

    def standing(self, stack: Stack, names: Sequence[str]) -> list[Container]:
        """The containers without those that a launch was about to replace when it was killed."""
        found = self.containers(stack, names)
        return [one for one in found if not one.name.endswith(ASIDE)]

    def down(
        self, stack: Stack, names: Sequence[str] = (), *, release: bool = False
    ) -> tuple[str, ...]:
        """Stop and remove containers, and with all of them what else the launch made.

        Reservations stay, unless `release`: the next launch has the same addresses again.
        """
        gone = self.containers(stack, names)
        self._each(gone, self._remove)
        if release:
            self._release(stack, names, gone)
        if not names:
            self._remove_networks(stack)
        # others may need the shim still
        self._attendance.stopped(_addresses(gone))
        return tuple(container.name for container in gone)

    def _each(self, containers: Sequence[Container], step: Callable[[Container], str]) -> None:
        each(containers, step, progress=self._progress, at_once=self._engine.at_once)

    def _stop(self, container: Container) -> str:
        self._engine.stop(container.id)
        return "stopped"

    def _remove(self, container: Container) -> str:
        if container.state == "running":
            self._engine.stop(container.id)
        self._engine.remove(container.id, force=True)
        return "removed"

    def _release(self, stack: Stack, names: Sequence[str], gone: Sequence[Container]) -> None:
        """Also what the services of this host have whose containers went before. A container of
        somebody else's by such a name keeps its address."""
        chosen = [one for one in stack.services.values() if not names or one.name in names]
        here = {one.owner for one in chosen if placement.is_here(one, self._host)}
        owners = {*here, *(container.name for container in gone)}
        standing = self._engine.named(owners).values()
        owners -= {one.name for one in standing if one.labels.get(LABEL_STACK) != stack.name}
        for pool in self._ipam.pools() if owners else ():
            held = self._ipam.held(pool.name, sorted(owners))
            mine = [one.owner for one in held if one.host in ("", self._host)]
            if mine:
                self._ipam.release(pool.name, mine)

    def _remove_networks(self, stack: Stack) -> None:
        for network in self._engine.networks():
            if network.labels.get(LABEL_STACK) == stack.name:
                self._attendance.leaving(network)
                try:
                    self._engine.remove_network(network.name)
                except Conflict as error:
                    # somebody else's containers are on it too: it is theirs from now on
                    self._progress(f"network {network.name}: stays; {error}")
                    continue
                self._attendance.left(network)
                self._progress(f"network {network.name}: removed")
        bridges = {use.name: use for s in stack.services.values() for use in s.bridges}
        for name, use in bridges.items():
            if not use.external and self._engine.remove_bridge(name):
                self._progress(f"network {name}: removed")

    def containers(self, stack: Stack, names: Sequence[str] = ()) -> list[Container]:
        """The containers of the named services, or of all, in every state, by name.

        Raises ServiceNotFound."""
        if names:
            stacks.select(stack, names)  # for its error, when there is no such service
        return [
            container
            for container in self._engine.containers(stack=stack.name)
            if not names or container.labels.get(LABEL_SERVICE) in names
        ]


def _addresses(containers: Sequence[Container]) -> list[IPAddress]:
    both = (each for one in containers for each in (one.address, one.address6))
    return [each for each in both if each is not None]


def each(
    containers: Sequence[Container],
    step: Callable[[Container], str],
    *,
    progress: Callable[[str], None],
    at_once: int,
) -> None:
    """Do `step` to all side by side, for Docker waits up to 10 s for one that does not listen.
    `progress` hears what came of each, in their order."""

    def do(container: Container) -> None:
        turns.say(container.id, f"{container.name}: {step(container)}")

    turns = Turns([one.id for one in containers], progress)
    with turns, ThreadPoolExecutor(at_once) as workers:
        for _ in workers.map(do, containers):
            pass
