"""The desk of a dry run: the engines of all hosts are asked as ever, and told nothing.

What only another host's kernel knows is looked up there as ever too: in a short-lived container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.chair.desk import Desk
from macvlan_ros.chair.errands import Errands
from macvlan_ros.chair.run import Step
from macvlan_ros.chair.seats import Seat
from macvlan_ros.dry.engine import DryEngine
from macvlan_ros.engine import Engine
from macvlan_ros.errors import Unavailable
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.models.stacks import HostEntry, Stack

if TYPE_CHECKING:
    from macvlan_ros.dry.app import DryApp

__all__ = ["DryDesk", "DryErrands"]


class DryDesk(Desk):
    """`would` hears what would be changed on other hosts, with their names."""

    def __init__(
        self,
        app: DryApp,
        stack: Stack,
        *,
        told: Callable[[Step], None],
        would: Callable[[str], None],
    ) -> None:
        super().__init__(app, stack, told=told)
        self._would = would

    def _ask_service(
        self,
        seat: Seat,  # noqa: ARG002 - as inherited
        pool: Pool,  # noqa: ARG002
        addresses: Sequence[IPAddress],  # noqa: ARG002
    ) -> Mapping[IPAddress, str]:
        raise Unavailable("its service is asked by way of the store, in which nothing is changed")

    def _open_engine(self, entry: HostEntry, source: str) -> Engine:
        return DryEngine(
            entry.docker, source=source, would=lambda text: self._would(f"{entry.name}: {text}")
        )


class DryErrands(Errands):
    """Errands that look, and no others."""

    def __init__(self, image: str, *, would: Callable[[str], None]) -> None:
        super().__init__(image)
        self._would = would

    def shim_up(
        self,
        seat: Seat,
        network: str,
        *,
        pools: Sequence[Pool],  # noqa: ARG002 - as inherited
        held: Sequence[Reservation],  # noqa: ARG002
    ) -> None:
        self._would(f"{seat.name}: make the shim for {network}, and announce what has started")

    def shim_down(self, seat: Seat, network: str) -> None:
        self._would(f"{seat.name}: remove the shim for {network}")
