"""The composition root of a dry run: the same parts, over a store and an engine that stay as they
are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.app import App
from macvlan_ros.dry.engine import DryEngine
from macvlan_ros.dry.names import DryNames
from macvlan_ros.dry.reach import DryReach
from macvlan_ros.dry.store import DryStore
from macvlan_ros.kernel.link_names import link_exists, shim_name
from macvlan_ros.models.networks import Network
from macvlan_ros.models.stacks import Stack
from macvlan_ros.opening import open_for
from macvlan_ros.reaching.attendance import Arrivals, Attendance
from macvlan_ros.settings import Settings
from macvlan_ros.stores.base import Store
from macvlan_ros.undo import Undo

if TYPE_CHECKING:
    from macvlan_ros.chair.desk import Desk
    from macvlan_ros.chair.errands import Errands
    from macvlan_ros.chair.run import Step
    from macvlan_ros.reaching.attends import Attends

__all__ = ["DryApp"]


class DryApp(App):
    """`changes` has, in order and in words, what would have been changed."""

    def __init__(
        self, settings: Settings, *, note: Callable[[str], None], as_host: str = ""
    ) -> None:
        super().__init__(settings, note=note, quiet=True, as_host=as_host)
        self.changes: list[str] = []
        self._here = ""

    def made(self, text: str) -> None:
        """Nothing was; what would be is among the changes."""

    @cached_property
    def store(self) -> Store:
        real = open_for(self.settings, note=self.note)
        self._open.callback(real.close)
        return DryStore(real, would=self.changes.append)

    def opened(self, url: str) -> Store:
        return DryStore(super().opened(url), would=self.changes.append, records=True)

    @cached_property
    def engine(self) -> DryEngine:
        engine = DryEngine(self.settings.docker, would=self._would)
        self._open.callback(engine.close)
        return engine

    @cached_property
    def reach(self) -> DryReach:
        return DryReach(
            ipam=self.ipam,
            store=self.store,
            links=self.links,
            engine=self.engine,
            host=self.settings.host_name,
            would=self._would,
        )

    @cached_property
    def errands(self) -> Errands:
        from macvlan_ros.dry.desk import DryErrands

        return DryErrands(self.settings.image, would=self.changes.append)

    @cached_property
    def attendance(self) -> Attends:
        if self.far is not None:
            return super().attendance
        return _Absent(self.reach, shim=self.settings.shim == "yes")

    @cached_property
    def names(self) -> DryNames:
        return DryNames(
            self.store, engine=self.engine, host=self.settings.host_name, would=self._would
        )

    def desk(self, stack: Stack, *, told: Callable[[Step], None]) -> Desk:
        from macvlan_ros.dry.desk import DryDesk

        self._here = f"{self.settings.host_name}: "
        desk = DryDesk(self, stack, told=told, would=self.changes.append)
        self._open.callback(desk.close)
        return desk

    def _would(self, text: str) -> None:
        """A change to this host, which is named where there are others."""
        self.changes.append(self._here + text)


class _Absent(Attendance):
    """Nobody comes and goes: nothing is to be seen to."""

    def __init__(self, reach: DryReach, *, shim: bool) -> None:
        super().__init__(reach, wanted=False, note=lambda _text: None)
        self._dry = reach
        self._shim = shim

    @contextmanager
    def arriving(
        self, network: Network, addresses: Collection[IPAddress], *, undo: Undo
    ) -> Iterator[Arrivals]:
        there = link_exists(shim_name(network.parent))
        if self._shim and not there and not self._dry.objection(network):
            self._dry.foretell(network)
        with super().arriving(network, addresses, undo=undo) as arrivals:
            yield arrivals

    def stopped(self, addresses: Collection[IPAddress]) -> None:  # noqa: ARG002 - as inherited
        return None
