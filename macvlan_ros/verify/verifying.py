"""Verifying: all checks of a stack, side by side, within a time that is known beforehand."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from macvlan_ros.errors import MacvlanRosError, StackFileError
from macvlan_ros.kernel.link_names import shim_links
from macvlan_ros.models.stacks import Stack
from macvlan_ros.ros import Graph
from macvlan_ros.values import dataclass
from macvlan_ros.verify import discovery, finding_places, gone, pairs, rosgraph
from macvlan_ros.verify.check import BAD, WARNING, Check
from macvlan_ros.verify.place import Place, Vantage

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: Seconds after which nothing more is asked, whatever has not answered by then.
LIMIT = 12.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be verified. `master` is a URI in place of the stack's own; `clean` takes stale
    registrations out of the master; `traffic` sends real messages."""

    services: tuple[str, ...] = ()
    master: str = ""
    clean: bool = False
    traffic: bool = False


def verify(app: App, stack: Stack | None, wishes: Wishes) -> tuple[Check, ...]:
    """Every check, in the order in which people read them. Ends within 15 s.

    Without a stack it is about the containers on our networks here. Raises ServiceNotFound,
    StackFileError, and what the engine and the store raise; what cannot be looked at is a check.
    """
    until = time.monotonic() + LIMIT
    here = finding_places.this_host(app)
    if stack is None:
        places = finding_places.on_our_networks(app)
    else:
        places = finding_places.of_stack(app, stack, wishes.services)
    master = wishes.master or finding_places.master_of(
        app, stack, places, os.environ.get("ROS_MASTER_URI", "")
    )
    troubles: list[Check] = []
    graph = Graph()
    if stack is not None:
        try:
            graph = finding_places.graph_of(app, stack, places)
        except StackFileError as error:
            troubles.append(finding_places.in_words(here, error, kind="discovery"))
    find_gone = gone.finder(app, stack)
    found = _Verification(here, places, master, graph, wishes, until, find_gone).run(
        local=app.engine.endpoint.scheme == "unix"
    )
    return (*troubles, *found)


def _news(checks: Sequence[Check], told: Sequence[Check]) -> list[Check]:
    """Without what is bad between places of which it is told already that they do not reach."""
    apart = {
        (one.source, one.target) for one in told if one.kind[:5] == "reach" and one.level == BAD
    }
    return [one for one in checks if one.level != BAD or (one.source, one.target) not in apart]


class _Verification:
    def __init__(
        self,
        here: Place,
        places: Sequence[Place],
        master: str,
        graph: Graph,
        wishes: Wishes,
        until: float,
        find_gone: gone.FindGone,
    ) -> None:
        self._here = here
        self._places = tuple(places)
        self._master = master
        self._graph = graph
        self._find_gone = find_gone
        self._wishes = wishes
        self._until = until
        self._shim = bool(shim_links())

    def run(self, *, local: bool) -> tuple[Check, ...]:
        """`local` is whether the engine is this PC's own, so that its containers can be entered."""
        checks = finding_places.absent(self._places, self._here.name)
        with ExitStack() as undo:
            inside, troubles = self._open(undo) if local else ([], [])
            host = Vantage(self._here)
            undo.callback(host.close)
            checks += troubles
            checks += self._look([host, *inside])
        return tuple(checks)

    def _open(self, undo: ExitStack) -> tuple[list[Vantage], list[Check]]:
        """The containers that can be entered, and a check for each that cannot."""
        found, troubles = [], []
        for place in self._places:
            if place.inside:
                try:
                    vantage = Vantage(place)
                except MacvlanRosError as error:
                    troubles.append(finding_places.in_words(place, error))
                else:
                    undo.callback(vantage.close)
                    found.append(vantage)
        return found, troubles

    def _look(self, vantages: Sequence[Vantage]) -> list[Check]:
        with ThreadPoolExecutor(4, thread_name_prefix="verify") as side_by_side:
            network = side_by_side.submit(self._network, vantages)
            targets, until = self._targets(), self._until
            six = side_by_side.submit(self._network_six, vantages)
            peers = side_by_side.submit(
                discovery.examine, vantages, targets, self._graph, until=until
            )
            ros = side_by_side.submit(self._ros, vantages)
            checks = [*network.result(), *six.result()]
            return [*checks, *_news(peers.result(), checks), *ros.result()]

    def _network(self, vantages: Sequence[Vantage]) -> list[Check]:
        """The pairs. This PC counts as long as it has a way to its containers, or these are none of
        its own."""
        host, *inside = vantages
        targets = self._targets()
        if self._shim or not inside:
            found = self._pairs(vantages, [*targets, self._here])
            return [check for check in found if not self._is_own_affair(check)]
        away = [one for one in targets if not one.pid]
        checks = list(self._pairs([host], away)) if away else []
        checks += self._pairs(inside, targets)
        return [*(one for one in checks if not self._is_own_affair(one)), self._no_shim()]

    def _pairs(self, vantages: Sequence[Vantage], targets: Sequence[Place]) -> tuple[Check, ...]:
        spoken = self._graph.version
        return pairs.examine(vantages, targets, until=self._until, spoken=spoken)

    def _network_six(self, vantages: Sequence[Vantage]) -> list[Check]:
        found = pairs.examine_six(
            vantages, self._targets(), until=self._until, spoken=self._graph.version
        )
        return [check for check in found if not self._is_own_affair(check)]

    def _targets(self) -> list[Place]:
        """What should be there: that a service here does not run is told already."""
        return [one for one in self._places if one.inside or one.host != self._here.name]

    def _is_own_affair(self, check: Check) -> bool:
        """What a PC's own names are like is not asked, nor multicast where nobody needs it."""
        if check.kind in ("multicast", "multicast6"):
            return self._graph.kind != "multicast"
        return self._here.name in (check.source, check.target) and check.kind == "name"

    def _no_shim(self) -> Check:
        return Check(
            "reach",
            self._here.name,
            "its own containers",
            WARNING,
            "this PC and its containers do not reach each other: it has no shim",
            "macvlan-ros shim up",
        )

    def _no_master(self) -> list[Check]:
        said = "no ROS 1 master is named by the stack, by the containers, or by ROS_MASTER_URI"
        return [Check("master", self._here.name, "-", BAD, said, "name it with --master URI")]

    def _ros(self, vantages: Sequence[Vantage]) -> list[Check]:
        if not self._master:
            return self._no_master() if self._wishes.traffic or self._wishes.clean else []
        outcome = rosgraph.examine(
            vantages,
            [*self._places, self._here],
            self._master,
            here=self._here.name,
            shim=self._shim,
            until=self._until,
            clean=self._wishes.clean,
            find_gone=self._find_gone,
        )
        checks = list(outcome.checks)
        if self._wishes.traffic and outcome.master is not None:
            from macvlan_ros.verify import traffic

            inside = [one for one in vantages if self._shim or not one.is_host]
            checks += traffic.send(inside, outcome.master, until=self._until)
        return checks
