"""Shims: the service's thread that keeps them, and the way to this host that Join answers with.

All that is done about a shim is done in one thread, one thing after another. Docker waits for Join,
so it waits for the shim only so long; a container that cannot be led to this host starts without.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Protocol, TypeVar

from netaddr import IPAddress

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.lan_networks import shim_objection
from macvlan_ros.news import News
from macvlan_ros.plugin.shim_keeper import ShimKeeper, Way
from macvlan_ros.state import DockerNetwork, Endpoint

__all__ = ["NoShims", "ShimService", "Shims"]

log = logging.getLogger("macvlan_ros.plugin")

T = TypeVar("T")

# Docker takes a network's pool back before the network itself, and a network may go while its
# store hangs; the limits of a request are longer.
_PATIENCE = 3.0
# Seconds between two looks at what stands in the kernel: a parent that was down, a reboot.
_ROUNDS = 3.0
# A way that was found longer ago is looked for anew.
_GOOD = 3 * _ROUNDS


class Shims(Protocol):
    """What the network driver tells of its containers, and asks."""

    def ways(self, network: DockerNetwork) -> Mapping[IPAddress, IPAddress]:
        """The next hop to each address of this host's, for a container of the network."""

    def attached(self, network: DockerNetwork, endpoint: Endpoint) -> None:
        """Docker is about to move the endpoint's link into its sandbox."""

    def gone(self, network: DockerNetwork) -> None:
        """The network is no more."""


class NoShims:
    """Nobody shall be led anywhere."""

    def ways(self, network: DockerNetwork) -> Mapping[IPAddress, IPAddress]:  # noqa: ARG002
        return {}

    def attached(self, network: DockerNetwork, endpoint: Endpoint) -> None:
        pass

    def gone(self, network: DockerNetwork) -> None:
        pass


class ShimService:
    """Keeps shims from `start` to `stop`; until it is started nothing is done, and no container is
    led anywhere. Any number of threads may ask. Without `wanted` it only gives up what there is.
    """

    def __init__(
        self,
        keeper: ShimKeeper,
        *,
        wanted: bool = True,
        patience: float = _PATIENCE,
        rounds: float = _ROUNDS,
    ) -> None:
        self._keeper = keeper
        self._wanted = wanted
        self._patience = patience
        self._rounds = rounds
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ways: dict[str, Way] = {}
        self._looked = 0.0
        self._news = News()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, with a look at once."""
        self._thread = threading.Thread(target=self._run, name="macvlan-ros shim", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait a moment for what is being done. The shims stay: containers run on."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(self._patience)

    # -- for the network driver -------------------------------------------------------------------

    def ways(self, network: DockerNetwork) -> Mapping[IPAddress, IPAddress]:
        """The next hop to each address of this host's, for a container of the network.

        Takes as long as an address for the shim and the shim take, at most `patience` seconds;
        empty where there is no way.
        """
        if self._thread is None or not self._wanted or shim_objection(network):
            return {}
        way = self._ways.get(network.parent)
        if way is None or not way.serves(network) or time.monotonic() - self._looked > _GOOD:
            way = self._wait(network)
        return way.routes(network) if way is not None else {}

    def attached(self, network: DockerNetwork, endpoint: Endpoint) -> None:
        """Let this host reach the endpoint's container. Returns at once."""
        way = self._ways.get(network.parent)
        if self._wanted and way is not None and not shim_objection(network):
            addresses = [own.ip for own in endpoint.addresses]
            self._submit(lambda: self._keeper.attach(network.parent, addresses, via=way.via))

    def left(self, endpoint: Endpoint) -> None:
        """The endpoint was deleted. Returns at once."""
        if endpoint.addresses:
            self._submit(lambda: self._keeper.detach(endpoint))

    def gone(self, network: DockerNetwork) -> None:
        """Give up what the network's shim had; waits at most `patience` seconds for it."""
        if self._thread is None:
            return
        self._ways.pop(network.parent, None)
        done = self._submit(lambda: self._keeper.left(network))
        try:
            done.result(self._patience)
        except FutureTimeout:
            self._tell(network.parent, "the shim is still being removed")
        except MacvlanRosError as error:
            self._tell(network.parent, str(error))
        # a look that was under way may have put it back
        self._ways.pop(network.parent, None)

    def _wait(self, network: DockerNetwork) -> Way | None:
        found = self._submit(lambda: self._keeper.lead(network))
        try:
            way = found.result(self._patience)
        except FutureTimeout:
            found.cancel()
            self._tell(network.parent, f"no shim within {self._patience:g} s")
            return None
        except MacvlanRosError as error:
            self._tell(network.parent, str(error))
            return None
        self._ways[network.parent] = way
        return way

    # -- in a thread of its own -------------------------------------------------------------------

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except MacvlanRosError as error:
                future.set_exception(error)

        self._jobs.put(job)
        return future

    def _run(self) -> None:
        due = 0.0
        while True:
            left = due - time.monotonic()
            if left <= 0:
                self._look()
                due = time.monotonic() + self._rounds
                continue
            try:
                job = self._jobs.get(timeout=left)
            except queue.Empty:
                continue
            if job is None:
                return
            job()

    def _look(self) -> None:
        if not self._wanted:
            return
        try:
            ways, wrong = self._keeper.look()
        except MacvlanRosError as error:
            self._tell("", str(error))
            return
        self._ways, self._looked = ways, time.monotonic()
        for parent, text in wrong.items():
            self._tell(parent, text)
        for parent in filter(self._news.over, ("", *ways)):
            log.info("call=shim outcome=Restored parent=%s", parent or "-")

    def _tell(self, about: str, text: str) -> None:
        """Say what is wrong, once."""
        if self._news.is_new(text, about=about):
            log.warning(
                "call=shim outcome=None parent=%s detail=%s", about or "-", json.dumps(text)
            )
