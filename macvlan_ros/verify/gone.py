"""Gone: which containers, known by their ids alone, no PC of the stack has any more.

A node that knows neither ROS_IP nor ROS_HOSTNAME registers its container's id. That such a name
resolves nowhere tells nothing; that none of the engines on which the stack runs knows it, does.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models.stacks import Stack

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: Docker's default for a container's host name: the beginning of its id.
_SHORT_ID = re.compile(r"[0-9a-f]{12}")

Ids = frozenset[str]
FindGone = Callable[[Collection[str], float], Ids]


def finder(app: App, stack: Stack | None) -> FindGone:
    """Returns a function that says which of the names are ids of containers that are gone, within
    the time that it is given (time.monotonic). It says so of none where a PC may be left that was
    not asked: without a stack, or when that does not name its PCs and their engines."""
    hosts = stack.hosts if stack is not None else {}
    others = [one.docker for name, one in hosts.items() if name != app.settings.host_name]
    if not hosts or not all(others):
        return lambda _names, _until: frozenset()
    return partial(_gone, [app.engine.container_ids, *(partial(_ids, url) for url in others)])


def _gone(asks: list[Callable[[], Ids]], names: Collection[str], until: float) -> Ids:
    wanted = {name for name in names if _SHORT_ID.fullmatch(name)}
    if not wanted:
        return frozenset()
    told: list[Ids] = []
    threads = [
        # nobody waits for an engine that does not answer, not even the end of the process
        threading.Thread(target=_ask, args=(ask, told), name="engine", daemon=True)
        for ask in asks
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(max(0.0, until - time.monotonic()))
    if len(told) < len(asks):
        return frozenset()
    there = {identity[:12] for ids in told for identity in ids}
    return frozenset(wanted - there)


def _ask(ask: Callable[[], Ids], told: list[Ids]) -> None:
    try:
        told.append(ask())
    except MacvlanRosError:
        return  # it was not told, and so nothing is gone


def _ids(url: str) -> Ids:
    from macvlan_ros.engine import Engine

    with Engine(url) as engine:
        return engine.container_ids()
