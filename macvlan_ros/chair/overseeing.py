"""What runs on all hosts, from one chair: see it, stop it, take it down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from macvlan_ros import stack as stacks
from macvlan_ros.chair.seats import AWAY, Seat, hosts_at_once, named
from macvlan_ros.docker_api.values import Container
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.launching.running import Running, ServiceStatus
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.values import dataclass

T = TypeVar("T")

#: The state of a service whose host does not answer.
UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What the hosts that answer said, and why others did not."""

    values: tuple[T, ...]
    troubles: tuple[MacvlanRosError, ...]


class Overseer:
    """The containers of stacks on all `seats`. `running` makes what sees to those of one."""

    def __init__(self, seats: Sequence[Seat], *, running: Callable[[Seat], Running]) -> None:
        self._seats = seats
        self._running = running
        self._lost: dict[str, MacvlanRosError] = {}

    def status(self, stack: Stack) -> Found[ServiceStatus]:
        """Every service on its host, and containers of the stack that the file has no more."""
        said = self._on_each(lambda running: running.status(stack))
        rows = {
            (row.service, row.host): row
            for each in said.values
            for row in each
            if row.state not in ("elsewhere", "absent")
        }
        seen = {service for service, _ in rows}
        away = {seat.name for seat in self._seats if seat.name in self._lost}
        for service in stack.services.values():
            if service.name not in seen:
                row = _missing(service, stack, away)
                rows[row.service, row.host] = row
        return Found(tuple(rows[key] for key in sorted(rows)), said.troubles)

    def containers(self, stack: Stack, names: Sequence[str] = ()) -> Found[tuple[Seat, Container]]:
        """The containers of the named services, or of all, in every state, each with its host."""
        stacks.select(stack, names)  # for its error, when there is no such service

        def look(seat: Seat) -> tuple[tuple[Seat, Container], ...]:
            return tuple((seat, one) for one in self._running(seat).containers(stack, names))

        return _flat(self._at_each(look))

    def stop(self, stack: Stack, names: Sequence[str] = ()) -> Found[str]:
        """Stop the containers of the named services, or of all; those that were running."""
        stacks.select(stack, names)
        return _flat(self._on_each(lambda running: running.stop(stack, names)))

    def down(self, stack: Stack, names: Sequence[str] = (), *, release: bool = False) -> Found[str]:
        """Stop and remove containers, and with all of them what else the launch made."""
        stacks.select(stack, names)
        return _flat(self._on_each(lambda running: running.down(stack, names, release=release)))

    def _on_each(self, do: Callable[[Running], T]) -> Found[T]:
        return self._at_each(lambda seat: do(self._running(seat)))

    def _at_each(self, do: Callable[[Seat], T]) -> Found[T]:
        """Do it on all hosts that answer, side by side. Raises the first error of another kind."""
        there = [seat for seat in self._seats if seat.trouble is None]
        self._lost = {seat.name: seat.trouble for seat in self._seats if seat.trouble is not None}
        at_once = hosts_at_once(self._seats)
        with ThreadPoolExecutor(at_once, thread_name_prefix="host") as side_by_side:
            futures = {seat.name: side_by_side.submit(do, seat) for seat in there}
        values: list[T] = []
        for name, future in futures.items():
            try:
                values.append(future.result())
            except AWAY as error:
                self._lost[name] = named(error, name)
            except MacvlanRosError as error:
                named(error, name)
                raise
        return Found(tuple(values), tuple(self._lost.values()))


def _flat(found: Found[tuple[T, ...]]) -> Found[T]:
    return Found(tuple(one for each in found.values for one in each), found.troubles)


def _missing(service: Service, stack: Stack, away: set[str]) -> ServiceStatus:
    host = service.host or (next(iter(stack.hosts)) if len(stack.hosts) == 1 else "")
    return ServiceStatus(
        service=service.name,
        container=service.container_name,
        host=host,
        address=str(service.address or ""),
        mac="",
        state=UNREACHABLE if host in away or (not host and away) else "absent",
        health="",
        image=service.image,
    )
