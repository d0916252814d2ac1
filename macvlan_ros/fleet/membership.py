"""Membership: this host among those that share its store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from macvlan_ros.fleet.enrolment import Enrolment
from macvlan_ros.fleet.hosts import ALIVE, SILENT, Judged, judge
from macvlan_ros.fleet.register import Register
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Reservation
from macvlan_ros.settings import Settings, is_shared
from macvlan_ros.stores.base import Store

if TYPE_CHECKING:
    from macvlan_ros.engine import Engine
    from macvlan_ros.links import Links


class Membership:
    """Writes this host down, and judges the others. `links` and `engine` are made when needed."""

    def __init__(
        self,
        store: Store,
        *,
        settings: Settings,
        links: Callable[[], Links],
        engine: Callable[[], Engine],
    ) -> None:
        self._store = store
        self._settings = settings
        self._links = links
        self._engine = engine
        self.register = Register(store, host=settings.host_name)

    def enrolment(self, service: str) -> Enrolment:
        """What keeps this host in the register, as one with that service of ours."""
        return Enrolment(
            self._store,
            host=self._settings.host_name,
            service=service,
            shared=is_shared(self._settings.store),
            links=lambda: self._links().links(),
            engine=self._engine_text,
        )

    def enter(self) -> None:
        """Write this host into the register, if the engine is on it.

        Raises Conflict when another machine goes by its name.
        """
        if self._engine().endpoint.scheme == "unix":
            self.register.enter(self._links().links(), engine=self._engine_text())

    def judged(self) -> tuple[Judged, ...]:
        """All hosts that share the store, as this one sees them."""
        return self._judge(self._store.reservations())

    def links_of(self, host: str) -> tuple[Link, ...]:
        """The interfaces that the host's service wrote into the store; () if it has not."""
        entry = self.register.host(host)
        return entry.links if entry is not None and entry.services else ()

    def is_served(self, host: str) -> bool:
        """Whether a service there keeps the shim: it was heard lately."""
        return any(
            each.entry.name == host and each.state == ALIVE and each.entry.runs("shim")
            for each in self.judged()
        )

    def silent(self, held: Sequence[Reservation]) -> tuple[str, ...]:
        """A sentence for each host that has some of these reservations, and is silent."""
        judged = self._judge(held) if is_shared(self._settings.store) else ()
        return tuple(each.trouble for each in judged if each.state == SILENT and each.held)

    def _judge(self, held: Sequence[Reservation]) -> tuple[Judged, ...]:
        own, now = self._settings.host_name, time.time()
        return judge(self.register.hosts(), held, own=own, now=now)

    def _engine_text(self) -> str:
        return f"Docker {self._engine().version()}"
