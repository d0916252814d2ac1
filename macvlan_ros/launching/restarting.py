"""Restarting: what runs is stopped and started as it is, and met again on the LAN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter

from macvlan_ros.docker_api.values import Container
from macvlan_ros.engine import Engine
from macvlan_ros.errors import NotFound
from macvlan_ros.launching import placement
from macvlan_ros.launching.running import Running, each
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.reaching.attends import Attends
from macvlan_ros.undo import Undo

__all__ = ["Restarter"]


class Restarter:
    """Restarts what of a stack is on this host. `progress` hears each step."""

    def __init__(
        self,
        running: Running,
        *,
        engine: Engine,
        attendance: Attends,
        progress: Callable[[str], None],
    ) -> None:
        self._running = running
        self._engine = engine
        self._attendance = attendance
        self._progress = progress

    def restart(self, stack: Stack, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Stop and start the containers of the named services, or of all, in the order of
        dependence; return their names. Raises ServiceNotFound, NetworkNotFound, and NotFound, with
        nothing done, for a named one without a container here."""
        found = {one.service: one for one in self._running.standing(stack, names)}
        absent = [stack.services[name] for name in names if name not in found]
        if absent:
            told = (self._running.absent(one, else_="restart it there") for one in absent)
            raise NotFound("; ".join(told))
        if not found:
            return ()
        network = self._engine.network(stack.network)
        waves = _waves(stack, found)
        addresses = [one.address for wave in waves for one in wave if one.address]
        with self._attendance.arriving(network, addresses, undo=Undo()) as arrivals:
            for wave in waves:
                each(
                    wave,
                    lambda one: self._restart(one, arrivals.started),
                    progress=self._progress,
                    at_once=self._engine.at_once,
                )
            arrivals.finish()
        return tuple(sorted(one.name for wave in waves for one in wave))

    def _restart(self, container: Container, started: Callable[[str], None]) -> str:
        self._engine.stop(container.id)
        self._engine.start(container.id)
        started(container.name)
        return "restarted"


def _waves(stack: Stack, found: dict[str, Container]) -> list[list[Container]]:
    """The containers in groups, each after what it depends on; those that the file has no more
    come last."""
    known = _in_order([stack.services[name] for name in found if name in stack.services])
    waves = [[found[one.name] for one in wave] for wave in placement.waves(known)]
    return [*waves, [one for name, one in found.items() if name not in stack.services]]


def _in_order(services: Sequence[Service]) -> list[Service]:
    by_name = {one.name: one for one in services}
    graph = {
        one.name: [other.service for other in one.depends_on if other.service in by_name]
        for one in services
    }
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]
