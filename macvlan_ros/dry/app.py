"""The composition root of a dry run: the same parts, over a store and an engine that stay as they
are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property

from macvlan_ros.app import App
from macvlan_ros.attendance import Attendance
from macvlan_ros.dry.engine import DryEngine
from macvlan_ros.dry.store import DryStore
from macvlan_ros.models import IPAddress, Network
from macvlan_ros.opening import open_for
from macvlan_ros.settings import Settings
from macvlan_ros.stores.base import Store

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
        return _Absent(self.reach, wanted=False, note=self.note)


class _Absent(Attendance):
    """Nobody comes and goes: nothing is to be seen to."""

    def stopped(self, addresses: Collection[IPAddress]) -> None:  # noqa: ARG002 - as inherited
        return None

    def leaving(self, network: Network) -> None:  # noqa: ARG002
        return None

    def left(self, network: Network) -> None:  # noqa: ARG002
        return None
