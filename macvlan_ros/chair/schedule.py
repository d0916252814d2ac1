"""The schedule: each service as soon as what it waits for has come up, all hosts side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from graphlib import TopologicalSorter

from macvlan_ros.chair.seats import AWAY
from macvlan_ros.errors import EngineRefused, MacvlanRosError
from macvlan_ros.models.containers import Dependency


class Schedule:
    """Brings services up in the order of `waits`. `host_of` says where each belongs, `is_up` which
    run already.

    `workers` has who brings up the services of each host. `bring_up` brings one up and returns
    what was done, `await_condition` waits until what it depends on is as it should be; both raise
    our errors. `give_up` makes both end soon.
    """

    def __init__(
        self,
        waits: Mapping[str, Sequence[Dependency]],
        host_of: Mapping[str, str],
        workers: Mapping[str, Executor],
        *,
        is_up: Callable[[str], bool],
        bring_up: Callable[[str], str],
        await_condition: Callable[[str, Dependency], None],
        give_up: Callable[[], None],
        failed: Callable[[str, MacvlanRosError], None],
    ) -> None:
        self._waits = waits
        self._host_of = host_of
        self._is_up = is_up
        self._bring_up = bring_up
        self._await = await_condition
        self._give_up = give_up
        self._workers = workers
        self._told_failed = failed
        self.done: dict[str, str] = {}
        self.failed: dict[str, MacvlanRosError] = {}

    def skip(self, name: str, why: MacvlanRosError) -> None:
        """The service cannot be brought up, because its host is away."""
        self.failed[name] = why

    def run(self) -> None:
        """All of it. What could not be reached is in `failed` afterwards, with all that depends
        on it. Raises what else the first failure raised, once nothing is under way any more."""
        sorter = TopologicalSorter(
            {name: [one.service for one in waits] for name, waits in self._waits.items()}
        )
        sorter.prepare()
        under_way: dict[Future[str], str] = {}
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    if self._is_blocked(name):
                        sorter.done(name)
                    else:
                        worker = self._workers[self._host_of[name]]
                        under_way[worker.submit(self._one, name)] = name
                if not under_way:
                    continue
                ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    name = under_way.pop(future)
                    self._take(name, future)
                    sorter.done(name)
        except BaseException:
            self._give_up()
            for worker in self._workers.values():
                worker.shutdown(wait=True, cancel_futures=True)
            raise

    def _is_blocked(self, name: str) -> bool:
        """Whether the service cannot be brought up; why is noted."""
        if name in self.failed:
            self._told_failed(name, self.failed[name])
            return True
        for one in self._waits[name]:
            if one.required and one.service in self.failed and not self._is_up(name):
                error = EngineRefused(
                    f"{self._host_of[name]}: {name} was not started, because it depends on"
                    f" {one.service} on {self._host_of[one.service]}, which is not up"
                )
                self.failed[name] = error
                self._told_failed(name, error)
                return True
        return False

    def _one(self, name: str) -> str:
        for dependency in self._waits[name]:
            if dependency.service in self.done:
                self._await(name, dependency)
        return self._bring_up(name)

    def _take(self, name: str, future: Future[str]) -> None:
        try:
            self.done[name] = future.result()
        except AWAY as error:
            self.failed[name] = error
            self._told_failed(name, error)
