"""Stores: where reservations live. `open_store` is the way in; backends load when asked for."""

from __future__ import annotations

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.stores.base import Store

__all__ = ["Store", "open_store"]


def open_store(url: str) -> Store:
    """The store that `url` names: `sqlite:///absolute/path`, a bare path, or `memory:`.

    A bare path may begin with `~` and may be relative to the current folder. Nothing is opened
    or made on disk before the first call. Raises InvalidRequest for anything else.
    """
    scheme, colon, rest = url.partition(":")
    if not url.strip():
        raise InvalidRequest("the store's name is empty; give --store a path")
    if not colon or "/" in scheme:
        return _open_sqlite(url)
    if scheme == "memory" and not rest:
        from macvlan_ros.stores.memory import MemoryStore

        return MemoryStore()
    if scheme == "sqlite":
        if not rest.startswith("///") or rest == "///":
            raise InvalidRequest(
                f"store {url}: write the whole path after three slashes, like "
                "sqlite:///var/lib/macvlan-ros/state.db"
            )
        return _open_sqlite(rest[2:])
    raise InvalidRequest(
        f"store {url}: unknown kind {scheme!r}; give a path, or sqlite:///absolute/path"
    )


def _open_sqlite(path: str) -> Store:
    from macvlan_ros.stores.sqlite import SqliteStore

    return SqliteStore(path)
