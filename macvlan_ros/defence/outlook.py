"""The outlook: what the store said a moment ago of our addresses, and what the kernel says now.

The store is read in one thread; whoever asks here never waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.reserving import roster
from macvlan_ros.reserving.roster import Roster
from macvlan_ros.stores.base import Store

__all__ = ["Outlook"]

_log = logging.getLogger(__name__)

# Just long enough for the frames that came together: a container that is up must never find that
# its own address is answered for.
_MACS_GOOD = 0.002
_EVERY = 1.0
# However large the store is, reading it takes a hundredth of a core.
_REST = 100
# A store that hangs says so within 5 s.
_STALE = 10.0


class Outlook:
    """Any number of threads may ask; one renews. `running` gives the MACs of this host's
    containers, as the kernel has them, and may raise our errors."""

    def __init__(self, store: Store, *, host: str, running: Callable[[], Collection[str]]) -> None:
        self._store = store
        self._host = host
        self._read_macs = running
        self._macs: Collection[str] = ()
        self._macs_at = -_MACS_GOOD
        self._lock = threading.Lock()
        self._stands_on: dict[str, str] = {}
        self._rosters: dict[str, Roster] = {}
        self._took = 0.0
        self._good_until = 0.0
        self._trouble = "the store has not been read yet"

    @property
    def rest(self) -> float:
        """Seconds until the store is to be read again."""
        return max(_EVERY, self._took * _REST)

    def renew(self) -> bool:
        """Read the store; whether it says anything new. It counts until well after the next look.

        Raises what the store raises; then nothing is known to be down.
        """
        began = time.thread_time()
        try:
            stands_on = roster.places(self._store, host=self._host, before=self._stands_on)
            rosters = roster.read(self._store, host=self._host, stands_on=stands_on)
        except MacvlanRosError as error:
            if str(error) != self._trouble:
                _log.warning("nothing is defended: %s", error)
            self._trouble = str(error)
            raise
        changed = rosters != self._rosters
        self._stands_on, self._rosters = stands_on, rosters
        self._took = time.thread_time() - began
        self._good_until, self._trouble = time.monotonic() + self.rest + _STALE, ""
        return changed

    def interfaces(self) -> frozenset[str]:
        """Those that a pool stands on."""
        return frozenset(self._rosters)

    def running(self, interface: str) -> dict[IPAddress, str]:
        """The addresses of containers that run here behind the interface, with their MACs.

        Raises what the kernel's reader raises.
        """
        roster = self._roster(interface)
        return roster.running(self._read()) if roster.claimed else {}

    def down(self, interface: str) -> dict[IPAddress, str]:
        """The reserved addresses behind the interface whose containers run neither here nor, as
        the store says, elsewhere; with their MACs.

        Raises Unavailable while the store does not say, and what the kernel's reader raises.
        """
        if self._trouble:
            raise Unavailable(self._trouble)
        if time.monotonic() > self._good_until:
            raise Unavailable("the store has not been read for a while; is it slow?")
        roster = self._roster(interface)
        return roster.down(self._read()) if roster.resting else {}

    def macs(self) -> Collection[str]:
        """The MACs of this host's containers and interfaces. Raises what the kernel's reader
        raises."""
        return self._read()

    def subnets(self, interface: str) -> frozenset[IPNetwork]:
        """The subnets of the pools that stand on the interface."""
        return frozenset(self._roster(interface).subnets)

    def _roster(self, interface: str) -> Roster:
        return self._rosters.get(interface) or Roster()

    def _read(self) -> Collection[str]:
        with self._lock:
            if time.monotonic() - self._macs_at >= _MACS_GOOD:
                self._macs = self._read_macs()
                self._macs_at = time.monotonic()
            return self._macs
