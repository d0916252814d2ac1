"""The composition root of a dry run: the same parts, over a store and an engine that stay as they
are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from macvlan_ros.app import App
from macvlan_ros.attendance import Arrivals, Attendance
from macvlan_ros.dry.engine import DryEngine
from macvlan_ros.dry.store import DryStore
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.lan_networks import link_exists
from macvlan_ros.models import IPAddress, Network, Stack
from macvlan_ros.opening import open_for
from macvlan_ros.reach import Reach
from macvlan_ros.settings import Settings
from macvlan_ros.shim import shim_name
from macvlan_ros.stores.base import Store
from macvlan_ros.undo import Undo

if TYPE_CHECKING:
    from macvlan_ros.chair.desk import Desk
    from macvlan_ros.chair.run import Step

__all__ = ["DryApp"]


class DryApp(App):
    """`changes` has, in order and in words, what would have been changed."""

    def __init__(self, settings: Settings, *, note: Callable[[str], None]) -> None:
        super().__init__(settings, note=note, quiet=True)
        self.changes: list[str] = []

    @cached_property
    def store(self) -> Store:
        real = open_for(self.settings, note=self.note)
        self._open.callback(real.close)
        return DryStore(real, would=self.changes.append)

    @cached_property
    def engine(self) -> DryEngine:
        engine = DryEngine(self.settings.docker, would=self.changes.append)
        self._open.callback(engine.close)
        return engine

    @cached_property
    def attendance(self) -> Attendance:
        return _Absent(self.reach, shim=self.settings.shim == "yes", would=self.changes.append)

    def desk(self, stack: Stack, *, told: Callable[[Step], None]) -> Desk:  # noqa: ARG002 - as inherited
        """Raises InvalidRequest: the engines of other hosts would be told all the same."""
        raise InvalidRequest(
            "--dry-run does not go with --all-hosts; run it on each host, or name the host with"
            " --docker and --host"
        )


class _Absent(Attendance):
    """Nobody comes and goes: nothing is to be seen to."""

    def __init__(self, reach: Reach, *, shim: bool, would: Callable[[str], None]) -> None:
        super().__init__(reach, wanted=False, note=lambda _text: None)
        self._shim = shim and reach.objection
        self._would = would

    @contextmanager
    def arriving(
        self, network: Network, addresses: Collection[IPAddress], *, undo: Undo
    ) -> Iterator[Arrivals]:
        there = link_exists(shim_name(network.parent))
        if self._shim and not there and not self._shim(network):
            self._would(f"make the shim over {network.parent}")
        with super().arriving(network, addresses, undo=undo) as arrivals:
            yield arrivals

    def stopped(self, addresses: Collection[IPAddress]) -> None:  # noqa: ARG002 - as inherited
        return None

    def leaving(self, network: Network) -> None:  # noqa: ARG002
        return None

    def left(self, network: Network) -> None:  # noqa: ARG002
        return None
