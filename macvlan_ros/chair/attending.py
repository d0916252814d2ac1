"""Attending on another host: its shim and its announcements, as far as that can be done from here.

Its own service does it, if one runs there; else a container of our image; else it is skipped, and
a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial

from netaddr import IPAddress

from macvlan_ros.addresses import SHIM_OWNER
from macvlan_ros.chair.errands import Errands
from macvlan_ros.chair.seats import Seat
from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.networks import Network
from macvlan_ros.reaching.reach import pools_of
from macvlan_ros.undo import Undo


class FarAttendance:
    """Sees to what comes and goes on another host. `wanted` says whether there shall be shims,
    `served` whether a service of ours there sees to them."""

    def __init__(
        self,
        seat: Seat,
        *,
        ipam: Ipam,
        errands: Errands,
        wanted: bool,
        served: Callable[[str], bool],
        note: Callable[[str], None],
    ) -> None:
        self._seat = seat
        self._ipam = ipam
        self._errands = errands
        self._wanted = wanted
        self._served = served
        self._note = note

    @contextmanager
    def arriving(
        self, network: Network, _addresses: Collection[IPAddress], *, undo: Undo
    ) -> Iterator[FarArrivals]:
        """Around the start of containers; nothing is done before they have started."""
        del undo
        yield FarArrivals(partial(self._welcome, network))

    def _welcome(self, network: Network) -> None:
        """The shim, and who has started is announced. What cannot be done is noted: the containers
        run all the same."""
        if not self._wanted or self._served(self._seat.name):
            return
        if network.mode != "bridge" or not network.ours:
            return
        try:
            if not self._errands.can_run(self._seat):
                raise Unavailable(
                    f"no macvlan-ros service runs there, and its engine has no image"
                    f" {self._errands.image}"
                )
            owner = SHIM_OWNER + self._seat.name
            pools = [self._ipam.pool(name) for name in pools_of(network)]
            held = [
                done.reservation
                for pool in pools
                for done in self._ipam.allocate(pool.name, [owner], hosts={owner: self._seat.name})
            ]
            self._errands.shim_up(self._seat, network.name, pools=pools, held=held)
        except MacvlanRosError as error:
            self._note(
                f"{self._seat.name}: skipped the shim (that host and its own containers do not"
                f" reach each other) and the announcement: {error}; on that PC run:"
                " macvlan-ros shim up --announce"
            )

    def leaving(self, network: Network) -> None:
        """The network is about to be removed: so is the shim, unless somebody needs it."""
        if not self._wanted or self._served(self._seat.name):
            return
        try:
            if self._is_needed(network):
                return
            if self._errands.can_run(self._seat):
                self._errands.shim_down(self._seat, network.name)
        except MacvlanRosError as error:
            self._note(
                f"{self._seat.name}: the shim could not be removed: {error}; on that PC run:"
                " macvlan-ros shim down"
            )

    def left(self, network: Network) -> None:
        """The network is gone: so is the use of the shim's address."""
        if self._is_needed(network):
            return
        known = {pool.name for pool in self._ipam.pools()}
        for name in known.intersection(pools_of(network)):
            self._ipam.release(name, [SHIM_OWNER + self._seat.name])

    def _is_needed(self, network: Network) -> bool:
        """Whether containers are left on the network, or another one has the same parent, and so
        the same shim."""
        engine, parent = self._seat.engine, network.parent
        others = [one for one in engine.networks() if one.name != network.name]
        return bool(
            any(one.parent == parent for one in others)
            or engine.drivers_over(parent)
            or engine.network_users(network.id, network.name)
        )

    def stopped(self, addresses: Collection[IPAddress]) -> None:
        """Containers run no more. The routes to them do no harm."""


class FarArrivals:
    """The containers of one launch on the other host; `welcome` sees to all of them at once."""

    def __init__(self, welcome: Callable[[], None]) -> None:
        self._welcome = welcome
        self._any_started = False

    def started(self, _name: str) -> None:
        """A container has started."""
        self._any_started = True

    def finish(self) -> None:
        """All are started, if any was."""
        if self._any_started:
            self._welcome()
