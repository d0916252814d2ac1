"""Oversight: a watcher on each interface that a pool stands on, for as long as the service runs.

It defends reserved addresses whose containers are down, and sees strangers on those in use. What a
watcher must know at once is in the outlook; the store is read, and the LAN asked, in threads that
no answer waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress

from netaddr import IPAddress

from macvlan_ros.defence import conflicts
from macvlan_ros.defence.guard import Addresses, HeardConflict
from macvlan_ros.defence.outlook import Outlook
from macvlan_ros.defence.survey import Survey
from macvlan_ros.defence.watcher import Watcher
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.stores.base import Store

__all__ = ["Oversight"]

# Docker starts a container with three calls in a row.
_AFTER_A_TELL = 0.1
_MOST_HEARD = 16
_PATIENCE = 6.0


class Oversight:
    """Watches from `start` to `stop`; when it is made, nothing is opened or read yet.

    `running` gives the MACs of this host's containers (see `Links.running_macs`). Without `defend`
    strangers are seen and nothing is answered. `counted` is called for each conflict that is told
    of; it must not raise.
    """

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        running: Callable[[], Collection[str]],
        defend: bool = True,
        counted: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._host = host
        self._counted = counted
        self._outlook = Outlook(store, host=host, running=running)
        self._survey = self._make_survey() if defend else None
        self._watchers: dict[str, Watcher] = {}
        self._heard: dict[tuple[IPAddress, str], HeardConflict] = {}
        self._lock = threading.Lock()
        self._stopping, self._told = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once. Starting twice is fine."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watch look", daemon=True)
            self._thread.start()
            if self._survey is not None:
                self._survey.start()

    def stop(self) -> None:
        """End, and wait some seconds at most for what is being done. Stopping twice is fine."""
        self._stopping.set()
        self._told.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        for watcher in self._manned():
            watcher.stop()
        if self._survey is not None:
            self._survey.stop()

    def tell(self) -> None:
        """A container comes or goes: look now. Returns at once."""
        self._told.set()

    def _make_survey(self) -> Survey:
        return Survey(
            self._outlook,
            told=self._refresh,
            on_conflict=self._hear,
            on_servers=self._heed,
        )

    # -- for the watchers, in their threads ------------------------------------------------------

    def _defended(self, interface: str) -> Addresses:
        if self._survey is None:
            return {}
        down = self._outlook.down(interface)
        return {address: down[address] for address in self._survey.silent(down)}

    def _hear(self, conflict: HeardConflict) -> None:
        """To be written down at the next look. When many come at once, the latest count."""
        self._counted()
        key = (conflict.address, conflict.mac)
        with self._lock:
            self._heard.pop(key, None)
            self._heard[key] = conflict
            while len(self._heard) > _MOST_HEARD:
                del self._heard[next(iter(self._heard))]

    # -- in a thread of its own -------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            # The outlook remembers what is wrong, and says it.
            with suppress(MacvlanRosError):
                self._look()
            if self._told.wait(self._outlook.rest):
                self._told.clear()
                self._stopping.wait(_AFTER_A_TELL)

    def _look(self) -> None:
        changed = self._outlook.renew()
        self._man(self._outlook.interfaces())
        if changed:
            self._refresh()
            if self._survey is not None:
                self._survey.hurry()
        self._write()

    def _write(self) -> None:
        """What cannot be written now stays for the next look."""
        with self._lock:
            heard = dict(self._heard)
        if heard:
            conflicts.keep(self._store, self._host, tuple(heard.values()))
        with self._lock:
            for key, conflict in heard.items():
                if self._heard.get(key) is conflict:
                    del self._heard[key]

    def _man(self, interfaces: Collection[str]) -> None:
        """A watcher for each of the interfaces, and for no other."""
        for interface in set(self._watchers) - set(interfaces):
            with self._lock:
                watcher = self._watchers.pop(interface)
            watcher.stop()
        for interface in set(interfaces) - set(self._watchers):
            watcher = self._make_watcher(interface)
            with self._lock:
                self._watchers[interface] = watcher
            watcher.start()

    def _make_watcher(self, interface: str) -> Watcher:
        return Watcher(
            interface,
            defended=lambda: self._defended(interface),
            running=lambda: self._outlook.running(interface),
            macs=self._outlook.macs,
            on_conflict=self._hear,
        )

    def _refresh(self) -> None:
        for watcher in self._manned():
            watcher.refresh()

    def _heed(self, interface: str, servers: Collection[IPAddress]) -> None:
        with self._lock:
            watcher = self._watchers.get(interface)
        if watcher is not None:
            watcher.heed(servers)

    def _manned(self) -> tuple[Watcher, ...]:
        with self._lock:
            return tuple(self._watchers.values())
