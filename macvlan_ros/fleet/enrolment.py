"""Enrolment: a service writes its host into the register, again and again, and sees the others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from macvlan_ros.fleet.register import Register, Watchman, every
from macvlan_ros.models.links import Link
from macvlan_ros.stores.base import Store

__all__ = ["Enrolment"]

#: Seconds between two entries in a store that no other host reads.
_ALONE = 3600.0


class Enrolment:
    """Enters the host as one with this `service`. `links` gives its interfaces, `engine` what is
    known of its Docker Engine, "" for nothing. `shared` says that other hosts use the store."""

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        service: str,
        shared: bool,
        links: Callable[[], Sequence[Link]],
        engine: Callable[[], str] = lambda: "",
    ) -> None:
        self._register = Register(store, host=host)
        self._watchman = Watchman(host)
        self._service = service
        self._shared = shared
        self._links = links
        self._engine = engine
        self._hosts = 1
        self._next = 0.0

    def enter(self) -> None:
        """Write the entry, with what is seen of the others.

        Raises Conflict when another machine goes by this host's name, and what store and kernel
        raise.
        """
        hosts = self._register.hosts()
        self._hosts = len(hosts)
        self._register.enter(
            self._links(),
            engine=self._engine(),
            service=self._service,
            sights=self._watchman.look(hosts),
        )

    def enter_when_due(self) -> None:
        """The same, but only when the last entry has grown old."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self.rest
            self.enter()

    @property
    def first(self) -> float:
        """Seconds until a service's first entry. In a store of one's own nobody waits for it, and
        reading all interfaces costs a resting service a quarter of its memory."""
        return 0.0 if self._shared else _ALONE

    @property
    def rest(self) -> float:
        """Seconds until the next entry. By chance, so that no two hosts keep step."""
        return every(self._hosts) * random.uniform(0.8, 1.2) if self._shared else _ALONE
