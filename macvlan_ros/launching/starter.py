"""Starting: from planned containers to running ones, side by side, each step with its undo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.docker_api.labels import LABEL_CONFIG_HASH, LABEL_PEERS
from macvlan_ros.docker_api.values import Container
from macvlan_ros.engine import Engine
from macvlan_ros.errors import EngineRefused, MacvlanRosError
from macvlan_ros.launching import placement
from macvlan_ros.launching.plan import Planned
from macvlan_ros.launching.turns import Turns
from macvlan_ros.models.containers import Dependency, Service
from macvlan_ros.undo import Undo

#: A container that is being replaced waits under this name until the new one runs.
ASIDE = ".replaced"
_POLL = 0.2


class Starter:
    """Starts one plan. `undo` collects, as it goes, how to get back to what was before; `started`
    hears the name of each container that was started."""

    def __init__(
        self,
        engine: Engine,
        *,
        undo: Undo,
        progress: Callable[[str], None],
        labels: Callable[[Planned], dict[str, str]],
        started: Callable[[str], None],
        wait_seconds: float = 120,
    ) -> None:
        self._engine = engine
        self._undo = undo
        self._progress = progress
        self._labels = labels
        self._started = started
        self._wait_seconds = wait_seconds
        self._stopped = threading.Event()
        self._standing: dict[str, Container] = {}
        self._planned_at: dict[IPAddress, Planned] = {}
        self._aside: list[str] = []

    def start_all(self, planned: Sequence[Planned]) -> dict[str, str]:
        """Bring everything up in the order of dependence; return by service what was done:
        unchanged, started, created or recreated. Raises what the first failure raised, once
        nothing is under way any more.
        """
        plans = {plan.service.name: plan for plan in planned}
        self.look(planned)
        done: dict[str, str] = {}
        waves = placement.waves([plan.service for plan in planned])
        turns = Turns([service.name for wave in waves for service in wave], self._progress)
        workers = ThreadPoolExecutor(self._engine.at_once, thread_name_prefix="start")
        with turns, workers:

            def start(plan: Planned) -> str:
                what = self._start_one(plan, plans)
                turns.say(plan.service.name, _told(plan, what))
                return what

            try:
                for wave in waves:
                    self._tell_waits(wave, plans)
                    futures = {
                        workers.submit(start, plans[service.name]): service.name for service in wave
                    }
                    wait(futures, return_when=FIRST_EXCEPTION)
                    for future in futures:
                        if future.done() and future.exception():
                            raise future.exception() or AssertionError
                    done |= {name: future.result() for future, name in futures.items()}
            except BaseException:
                self.give_up()
                workers.shutdown(wait=True, cancel_futures=True)
                raise
        return done

    def look(self, planned: Sequence[Planned]) -> None:
        """See what stands of the plan already, before anything is brought up."""
        names = [plan.service.container_name for plan in planned]
        self._standing = self._engine.named([*names, *(name + ASIDE for name in names)])
        self._planned_at = {at: plan for plan in planned for at in _addresses(plan)}

    def is_up(self, plan: Planned) -> bool:
        """Whether the container ran already, as planned, when it was looked at."""
        found = self._standing.get(plan.service.container_name)
        return found is not None and self._is_as(found, plan) and found.state == "running"

    def _is_as(self, found: Container, plan: Planned) -> bool:
        """Whether the container is as planned. It need not know a ROS 2 peer that knows it: nodes
        find one another when one of the two does (docs.ros.org, "Improved Dynamic Discovery")."""
        knows = found.labels.get(LABEL_PEERS, "").split()
        return found.labels.get(LABEL_CONFIG_HASH) == plan.config_hash and all(
            str(peer) in knows or self._will_know(peer, plan) for peer in plan.peers
        )

    def _will_know(self, peer: IPAddress, plan: Planned) -> bool:
        """Whether what has that address after this launch is told of this one."""
        other = self._planned_at.get(peer)
        if other is None:
            return False
        found = self._standing.get(other.service.container_name)
        if found is None or found.labels.get(LABEL_CONFIG_HASH) != other.config_hash:
            return True  # made anew, it is told of all
        knows = found.labels.get(LABEL_PEERS, "").split()
        return any(str(own) in knows for own in _addresses(plan))

    def give_up(self) -> None:
        """Start nothing more, and wait for nothing."""
        self._stopped.set()

    def finish(self) -> None:
        """Remove what was replaced. From here on there is no way back."""
        for container_id in self._aside:
            self._engine.remove(container_id, force=True)

    def _tell_waits(self, wave: Sequence[Service], plans: Mapping[str, Planned]) -> None:
        for service in wave:
            for dependency in service.depends_on:
                if dependency.service in plans and self._must_wait(dependency):
                    self._progress(
                        f"{service.name}: waits until {dependency.service} is"
                        f" {dependency.condition}"
                    )

    def _must_wait(self, dependency: Dependency) -> bool:
        return dependency.condition != "started" and not self._engine.dry

    def _start_one(self, plan: Planned, plans: Mapping[str, Planned]) -> str:
        for dependency in plan.service.depends_on:
            if dependency.service in plans:
                self.wait_for(plans[dependency.service], dependency, plan.service.name)
        return self.bring_up(plan)

    def bring_up(self, plan: Planned) -> str:
        """Make one container what it shall be; return what was done. Several threads may."""
        name = plan.service.container_name
        found = self._standing.get(name)
        aside = self._standing.get(name + ASIDE)
        if aside is not None:
            # an earlier launch was killed while it replaced this one
            found = self._settle(found, aside)
        if found is None:
            self._create(plan)
            self._start(plan)
            return "created"
        if self._is_as(found, plan) and _on_its_networks(found, plan):
            return self._keep(found, plan)
        return self._replace(found, plan)

    def _settle(self, found: Container | None, aside: Container) -> Container:
        """Of a container and the one that it replaces, keep one under the name."""
        if found is not None:
            self._engine.remove(aside.id, force=True)
            return found
        name = aside.name.removesuffix(ASIDE)
        self._engine.rename(aside.id, name)
        return replace(aside, name=name)

    def _keep(self, found: Container, plan: Planned) -> str:
        if found.state == "running":
            return "unchanged"
        if found.state == "paused":  # Docker starts none of these
            self._undo.add(self._engine.pause, found.id)
            self._engine.unpause(found.id)
            return "started"
        self._undo.add(self._engine.stop, found.id)
        self._start(plan)
        return "started"

    def _replace(self, found: Container, plan: Planned) -> str:
        was_running = found.state in ("running", "restarting", "paused")
        if was_running:
            self._undo.add(self._engine.start, found.id)
            self._engine.stop(found.id)
        self._undo.add(self._engine.rename, found.id, found.name)
        self._engine.rename(found.id, found.name + ASIDE)
        self._create(plan)
        self._start(plan)
        self._aside.append(found.id)
        return "recreated"

    def _create(self, plan: Planned) -> None:
        container_id = self._engine.create(
            plan.service,
            attachment=plan.attachment,
            environment=plan.environment,
            hosts=plan.hosts,
            labels=self._labels(plan),
            files=plan.files,
        )
        self._undo.add(self._engine.remove, container_id, force=True)

    def _start(self, plan: Planned) -> None:
        if self._stopped.is_set():
            raise EngineRefused(f"{plan.service.name} was not started: the launch was given up")
        try:
            self._engine.start(plan.service.container_name)
        except MacvlanRosError as error:
            error.args = (f"{plan.service.name} did not start: {error}",)
            raise
        self._started(plan.service.container_name)

    def wait_for(self, plan: Planned, dependency: Dependency, waiting: str) -> None:
        """Wait until the condition holds for the container of `plan`, on which the service
        `waiting` depends. Raises EngineRefused when it never will, or has not in time."""
        if not self._must_wait(dependency):
            return
        deadline = time.monotonic() + self._wait_seconds
        while True:
            state = self._engine.container(plan.service.container_name)
            verdict = _verdict(state, dependency.condition)
            if verdict is True:
                return
            late = time.monotonic() > deadline
            if verdict or late or self._stopped.is_set():
                reason = verdict or (
                    f"it was not {dependency.condition} after {self._wait_seconds:g} s"
                    if late
                    else "the launch was given up"
                )
                raise EngineRefused(
                    f"{waiting} was not started, because it depends on"
                    f" {dependency.service}: {reason}; look at: docker logs"
                    f" {plan.service.container_name}"
                )
            time.sleep(_POLL)


def _on_its_networks(found: Container, plan: Planned) -> bool:
    """Somebody may have taken it off its network, which is no part of what it was made from. And
    docker-compose 1.29's `start` joins what it starts to its own, where there is none."""
    if plan.network == "none":
        # nor has one that Compose put into another's network any of its own
        return not found.networks.keys() - {"none"}
    own = {plan.network, *(bridge.name for bridge in plan.service.bridges)}
    stray = found.state != "running" and found.networks.keys() - own
    return plan.network in found.networks and not stray


def _addresses(plan: Planned) -> list[IPAddress]:
    place = plan.attachment
    return [at for at in (place.address, place.address6) if at] if place else []


def _told(plan: Planned, what: str) -> str:
    where = plan.attachment.address if plan.attachment else "off the LAN"
    return f"{plan.service.name}: {what}, {where}"


def _verdict(state: Container | None, condition: str) -> bool | str:
    """True when the condition holds, False when it may yet, else why it never will."""
    if state is None:
        return "its container is gone"
    ended = state.state in ("exited", "dead")
    if condition == "completed":
        if ended and state.exit_code:
            return f"it ended with exit code {state.exit_code}"
        return ended
    if ended:
        return f"it ended with exit code {state.exit_code}"
    if state.health == "unhealthy":
        return "it is unhealthy"
    if not state.health:
        return "it has no healthcheck"
    return bool(state.health == "healthy")
