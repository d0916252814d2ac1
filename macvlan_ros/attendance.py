"""Attendance: what follows containers as they come and go: the shim, its routes, announcements.

The commands about stacks and networks do it by themselves. A user without the right to do it, an
engine on another PC, a pool without an address to spare get a note that says what is missing; the
containers run all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from netaddr import IPAddress

from macvlan_ros.errors import Forbidden, MacvlanRosError, PoolExhausted
from macvlan_ros.models import Network
from macvlan_ros.reach import Made, Reach
from macvlan_ros.undo import Undo

_SERVICE = "systemctl enable --now macvlan-ros-shim"


class Attendance:
    """Sees to what comes and goes. `wanted` says whether there shall be shims."""

    def __init__(self, reach: Reach, *, wanted: bool, note: Callable[[str], None]) -> None:
        self._reach = reach
        self._wanted = wanted
        self._note = note

    @contextmanager
    def arriving(
        self, network: Network, addresses: Collection[IPAddress], *, undo: Undo
    ) -> Iterator[Callable[[Collection[str]], None]]:
        """Around the start of containers with these addresses: the shim is made meanwhile.

        Yields what is to be called once they run, with the names of those that were started. What
        was made is taken back with `undo`. Raises what `Reach.prepare` raises.
        """
        objection = self._reach.objection(network) if self._wanted else ""
        if objection:
            self._note(objection)
        if objection or not self._wanted:
            yield lambda started: self._reach.announce(network, started)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="shim") as aside:
            making = aside.submit(self._reach.prepare, network)
            undo.add(self._take_back, making, addresses)
            yield lambda started: self._arrived(network, making, started)

    def left(self, network: Network) -> None:
        """A network was removed: its shim goes, if it was the last that had it."""
        with self._permitted("the shim of this host could not be removed"):
            self._reach.forget(network)

    def stopped(self, addresses: Collection[IPAddress]) -> None:
        """Containers run no more. Routes that a user may not remove do no harm."""
        with suppress(Forbidden):
            self._reach.drop(addresses)

    def _arrived(self, network: Network, making: Future[Made], started: Collection[str]) -> None:
        try:
            with self._permitted("this host and its containers do not reach each other"):
                making.result()
                for refused in self._reach.up(network, announce=started).refused:
                    self._note(refused)
                return
        except PoolExhausted as error:
            self._note(
                f"this host and its containers do not reach each other, for the shim needs an"
                f" address of its own: {error}"
            )
        except MacvlanRosError as error:
            error.args = (f"{error} (or launch without the shim: --no-shim)",)
            raise
        self._reach.announce(network, started)

    def _take_back(self, making: Future[Made], addresses: Collection[IPAddress]) -> None:
        if making.exception() is None:
            self._reach.take_back(making.result(), addresses)

    @contextmanager
    def _permitted(self, otherwise: str) -> Iterator[None]:
        """Say what a missing right means, and how to get it."""
        try:
            yield
        except Forbidden as error:
            self._note(
                f"{otherwise}: {error}, or let the service do it: {_SERVICE}; without the shim:"
                " --no-shim"
            )
