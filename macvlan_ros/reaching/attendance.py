"""Attendance: what follows containers as they come and go: the shim, its routes, announcements.

The commands about stacks and networks do it by themselves. A user without the right to do it, an
engine on another PC, a pool without an address to spare get a note that says what is missing; the
containers run all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from netaddr import IPAddress

from macvlan_ros import interrupts
from macvlan_ros.errors import Forbidden, MacvlanRosError, PoolExhausted, StoreAway
from macvlan_ros.models.networks import Network
from macvlan_ros.reaching.reach import Made, Reach
from macvlan_ros.reaching.shim import Shim
from macvlan_ros.undo import Undo

_SERVICE = "sudo macvlan-ros plugin install"
_HERE = "this host and its containers do not reach each other"
#: How many containers are seen to side by side.
_AT_ONCE = 4


class Attendance:
    """Sees to what comes and goes. `wanted` says whether there shall be shims."""

    def __init__(self, reach: Reach, *, wanted: bool, note: Callable[[str], None]) -> None:
        self._reach = reach
        self._wanted = wanted
        self._note = note

    @contextmanager
    def arriving(
        self, network: Network, addresses: Collection[IPAddress], *, undo: Undo
    ) -> Iterator[Arrivals]:
        """Around the start of containers with these addresses: the shim is made meanwhile.

        What is made is taken back with `undo`.
        """
        objection = self._reach.objection(network) if self._wanted else ""
        if objection:
            self._note(objection)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="attend") as aside:
            making: Future[Made] | None = None
            if self._wanted and not objection:
                with interrupts.shielded():
                    making = aside.submit(self._reach.prepare, network)
                    undo.add(self._take_back, making, addresses)
            yield Arrivals(self._reach, network, aside=aside, making=making, note=self._note)

    def leaving(self, network: Network) -> None:
        """A network is about to be removed; its shim goes afterwards."""

    def left(self, network: Network) -> None:
        """A network was removed: its shim goes, if it was the last that had it."""
        with _permitted("the shim of this host could not be removed", self._note):
            self._reach.forget(network)

    def stopped(self, addresses: Collection[IPAddress]) -> None:
        """Containers run no more. Routes that a user may not remove do no harm."""
        with suppress(Forbidden):
            self._reach.drop(addresses)

    def _take_back(self, making: Future[Made], addresses: Collection[IPAddress]) -> None:
        if making.exception() is None:
            self._reach.take_back(making.result(), addresses)


class Arrivals:
    """The containers of one launch as they start. `making` is the shim, None when there is none.

    Each is seen to as soon as it runs: others may wait for minutes until it is healthy.
    """

    def __init__(
        self,
        reach: Reach,
        network: Network,
        *,
        aside: Executor,
        making: Future[Made] | None,
        note: Callable[[str], None],
    ) -> None:
        self._reach = reach
        self._network = network
        self._aside = aside
        self._making = making
        self._note = note
        self._welcomed: list[Future[None]] = []

    def started(self, name: str) -> None:
        """A container has started just now. Returns at once."""
        self._welcomed.append(self._aside.submit(self._welcome, name))

    def finish(self) -> None:
        """All are started: wait until they have been seen to, then see to the others on the
        network, and say what could not be done.

        Raises what `Reach.prepare` raises, but for a missing right or address.
        """
        for one in self._welcomed:
            one.result()
        if self._making is None:
            return
        try:
            with _permitted(_HERE, self._note):
                self._making.result()
                for refused in self._reach.up(self._network, fresh=False).refused:
                    self._note(refused)
        except (PoolExhausted, StoreAway) as error:
            self._note(f"{_HERE}, for the shim needs an address of its own: {error}")
        except MacvlanRosError as error:
            error.args = (f"{error} (or launch without the shim: --no-shim)",)
            raise

    def _welcome(self, name: str) -> None:
        shim: Shim | None = None
        # what keeps the shim from being made is said at the end, once
        if self._making is not None and self._making.exception() is None:
            shim = self._making.result().shim
        with suppress(MacvlanRosError):
            self._reach.welcome(self._network, name, shim=shim)


@contextmanager
def _permitted(otherwise: str, note: Callable[[str], None]) -> Iterator[None]:
    """Say what a missing right means, and how to get it."""
    try:
        yield
    except Forbidden as error:
        note(
            f"{otherwise}: {error}, or let the service do it: {_SERVICE}; without the shim:"
            " --no-shim"
        )
