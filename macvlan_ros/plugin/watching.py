"""Watching: Docker's calls by which containers come and go are told to whoever watches the LAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from macvlan_ros.plugin.answers import Answer
from macvlan_ros.plugin.exchange import Route

__all__ = ["telling"]

_CHANGES = frozenset(
    {
        "/NetworkDriver.CreateEndpoint",
        "/NetworkDriver.Join",
        "/NetworkDriver.Leave",
        "/NetworkDriver.DeleteEndpoint",
        "/IpamDriver.RequestAddress",
        "/IpamDriver.ReleaseAddress",
    }
)


def telling(routes: Mapping[str, Route], tell: Callable[[], None]) -> dict[str, Route]:
    """The same routes; `tell` is called after each call that changes what runs here, before Docker
    has its answer. It must return at once."""
    return {
        path: replace(route, handle=_and_tell(route.handle, tell)) if path in _CHANGES else route
        for path, route in routes.items()
    }


def _and_tell(handle: Callable[[Any], Answer], tell: Callable[[], None]) -> Callable[[Any], Answer]:
    def handled(request: Any) -> Answer:
        try:
            return handle(request)
        finally:
            tell()

    return handled
