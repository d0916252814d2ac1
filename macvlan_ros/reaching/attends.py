"""What follows containers as they come and go, as those see it who start and stop them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

from netaddr import IPAddress

from macvlan_ros.models.networks import Network
from macvlan_ros.undo import Undo

__all__ = ["Attends", "Follower"]


class Follower(Protocol):
    """Hears of the containers of one launch."""

    def started(self, name: str) -> None:
        """A container has started just now. Returns at once."""

    def finish(self) -> None:
        """All are started: see to all that they need on the LAN."""


class Attends(Protocol):
    """One host's: `attendance.Attendance` here, `chair.attending.FarAttendance` elsewhere."""

    def arriving(
        self, network: Network, addresses: Collection[IPAddress], *, undo: Undo
    ) -> AbstractContextManager[Follower]:
        """Around the start of containers; what is made for them is taken back with `undo`."""

    def leaving(self, network: Network) -> None:
        """A network is about to be removed."""

    def left(self, network: Network) -> None:
        """A network was removed."""

    def stopped(self, addresses: Collection[IPAddress]) -> None:
        """Containers with these addresses run no more."""
