"""A launch under way on all hosts: what is being started, waited for, lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Protocol, TypeVar

from macvlan_ros.chair import master, order
from macvlan_ros.chair.schedule import Schedule
from macvlan_ros.chair.seats import AWAY, Seat, named
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.launch import Launched, Launcher, Ready
from macvlan_ros.launching.starter import Starter
from macvlan_ros.models.containers import Dependency, Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.reaching.attends import Follower
from macvlan_ros.ros import MASTER_PORT
from macvlan_ros.undo import Undo
from macvlan_ros.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """What is happening to a service. `what` is a word, "" before anything happens to it, `detail`
    more about it."""

    host: str
    service: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a launch on all hosts came to: a row for each service, and what went wrong with hosts
    that were not reached."""

    rows: tuple[Launched, ...]
    troubles: tuple[MacvlanRosError, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A host that answers, and what launches there."""

    seat: Seat
    launcher: Launcher


class Chair(Protocol):
    """What a launch under way has from the chair that it is launched from."""

    def say(self, service: Service, what: str, detail: str = "") -> None:
        """Tell a step."""

    def note(self, text: str) -> None:
        """Tell what people should know."""

    def trouble(self, host: str) -> MacvlanRosError | None:
        """Why the host was not reached, or was lost."""

    def troubles(self) -> tuple[MacvlanRosError, ...]:
        """The same of all hosts."""

    def lose(self, host: str, error: MacvlanRosError) -> MacvlanRosError:
        """The host was lost on the way; returns why, with its name."""

    def on_each(self, places: Mapping[str, Place], do: Callable[[Place], T]) -> dict[str, T]:
        """Do it on all hosts side by side; those that are lost are left out."""


class Run:
    """One launch under way, on the hosts that are `ready`."""

    def __init__(
        self,
        chair: Chair,
        chosen: Sequence[Service],
        places: Mapping[str, Place],
        ready: Mapping[str, Ready],
        *,
        seconds: float,
        master_seconds: float,
    ) -> None:
        self._chair = chair
        self._services = {service.name: service for service in chosen}
        self._places = {name: place for name, place in places.items() if name in ready}
        self._ready = ready
        self._plans = {one.service.name: one for each in ready.values() for one in each.planned}
        self._seconds = seconds
        self._master_seconds = master_seconds
        self._starters: dict[str, Starter] = {}
        self._given_up = False
        self._master = ""
        self._outside = threading.Lock()
        self._outside_asked = False
        self._schedule: Schedule

    def start(self, stack: Stack, undo: Undo) -> None:
        """Bring everything up. Raises what a launch on one host raises."""
        waits = order.depends_on(stack, list(self._services.values()))
        self._master = stack.master
        arrivals: dict[str, Follower] = {}
        with ExitStack() as attending:
            self._schedule = Schedule(
                waits,
                {name: service.host for name, service in self._services.items()},
                self._workers(attending),
                is_up=self._is_up,
                bring_up=self._bring_up,
                await_condition=self._await,
                give_up=self._give_up,
                failed=lambda name, why: self._chair.say(self._services[name], "failed", str(why)),
            )
            for host, place in self._places.items():
                self._starters[host], arrivals[host] = attending.enter_context(
                    place.launcher.starting(
                        self._ready[host], undo=undo, wait_seconds=self._seconds
                    )
                )
            self._each(lambda place: self._look(place.seat.name))
            self._skip_lost()
            self._schedule.run()
            self._each(lambda place: arrivals[place.seat.name].finish())

    def _workers(self, until: ExitStack) -> dict[str, Executor]:
        """Who brings up the services of each host, some at once; in a dry run, whose order is
        shown, one at a time of all hosts."""
        engines = {name: place.seat.engine for name, place in self._places.items()}
        if any(engine.dry for engine in engines.values()):
            return dict.fromkeys(engines, until.enter_context(ThreadPoolExecutor(1)))
        return {
            name: until.enter_context(ThreadPoolExecutor(engine.at_once, f"start-{name}"))
            for name, engine in engines.items()
        }

    def finish(self) -> Outcome:
        """Remove what was replaced, and say what was done."""
        self._each(lambda place: self._starters[place.seat.name].finish())
        launched = self._each(
            lambda place: place.launcher.launched(self._ready[place.seat.name], self._schedule.done)
        )
        rows = {row.service: row for each in launched.values() for row in each}
        rows |= {name: self._failed_row(name) for name in self._services if name not in rows}
        errors = [*self._schedule.failed.values(), *self._chair.troubles()]
        return Outcome(
            tuple(rows[name] for name in self._services),
            tuple({str(error): error for error in errors}.values()),
        )

    def _each(self, do: Callable[[Place], T]) -> dict[str, T]:
        return self._chair.on_each(
            {n: p for n, p in self._places.items() if self._chair.trouble(n) is None}, do
        )

    def _look(self, host: str) -> None:
        self._starters[host].look(self._ready[host].planned)

    def _skip_lost(self) -> None:
        for service in self._services.values():
            trouble = self._chair.trouble(service.host)
            if trouble is not None:
                self._schedule.skip(service.name, trouble)

    def _failed_row(self, name: str) -> Launched:
        service, planned = self._services[name], self._plans.get(name)
        place = planned.attachment if planned else None
        return Launched(
            name,
            service.container_name,
            place.address if place else None,
            place.mac if place else "",
            "failed",
            service.host,
        )

    def _is_up(self, name: str) -> bool:
        return self._starters[self._services[name].host].is_up(self._plans[name])

    def _bring_up(self, name: str) -> str:
        service, planned = self._services[name], self._plans[name]
        starter = self._starters[service.host]
        self._await_outside_master(service, starter)
        if not starter.is_up(planned):
            self._chair.say(service, "starts")
        try:
            done = starter.bring_up(planned)
        except AWAY as error:
            self._chair.lose(service.host, error)
            raise
        except MacvlanRosError as error:
            named(error, service.host)
            raise
        place = planned.attachment
        self._chair.say(service, done, str(place.address) if place else "off the LAN")
        if name == self._master and done != "unchanged" and not self._is_dry(service.host):
            self._await_master(service)
        return done

    def _await(self, waiting: str, dependency: Dependency) -> None:
        if dependency.condition in (order.BROUGHT_UP, "started"):
            return
        other = self._services[dependency.service]
        self._chair.say(
            self._services[waiting], "waits", f"until {other.name} is {dependency.condition}"
        )
        starter = self._starters[other.host]
        try:
            starter.wait_for(self._plans[other.name], dependency, waiting)
        except AWAY as error:
            self._chair.lose(other.host, error)
            raise
        except MacvlanRosError as error:
            named(error, other.host)
            raise

    def _is_dry(self, host: str) -> bool:
        return self._places[host].seat.engine.dry

    def _await_outside_master(self, service: Service, starter: Starter) -> None:
        """Before the first that is to start, where the master is no service of the stack."""
        if self._is_dry(service.host):
            return
        if not self._master or self._master in self._services or service.ros not in ("", "1"):
            return
        with self._outside:
            if self._outside_asked or starter.is_up(self._plans[service.name]):
                return
            self._outside_asked = True
            uri = self._plans[service.name].environment.get("ROS_MASTER_URI") or ""
            self._chair.say(service, "waits", f"until the master answers at {uri}")
            if not master.wait_for(
                uri,
                listens=lambda: False,
                given_up=lambda: self._given_up,
                seconds=self._master_seconds,
            ):
                self._chair.note(
                    f"the master at {uri} does not answer from here after"
                    f" {self._master_seconds:g} s; the services are started all the same"
                )

    def _await_master(self, service: Service) -> None:
        """Before the others start; one that does not answer is a warning."""
        planned = self._plans[service.name]
        assert planned.attachment, "a master off the LAN is refused with the file"
        uri = f"http://{planned.attachment.address}:{MASTER_PORT}"
        engine = self._places[service.host].seat.engine
        self._chair.say(service, "waits", f"until it answers at {uri}")
        good = master.wait_for(
            uri,
            listens=lambda: engine.listens(service.container_name, MASTER_PORT),
            given_up=lambda: self._given_up,
            seconds=self._master_seconds,
        )
        if good:
            self._chair.say(service, "answers", f"at {uri}")
        elif not self._given_up:
            self._chair.say(service, "is silent", f"at {uri}")
            self._chair.note(
                f"the master '{service.name}' on {service.host} does not answer at {uri} after"
                f" {self._master_seconds:g} s, and the others are started all the same; start"
                f" roscore there, and see: docker logs {service.container_name}"
            )

    def _give_up(self) -> None:
        self._given_up = True
        for starter in self._starters.values():
            starter.give_up()
