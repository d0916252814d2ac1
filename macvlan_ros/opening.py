"""Opening the store that the settings name, for the command line and the plugin alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.settings import Settings
from macvlan_ros.stores import LocalCopy, open_store

if TYPE_CHECKING:
    from macvlan_ros.models.pools import Record
    from macvlan_ros.stores.base import Store
    from macvlan_ros.stores.picture import Picture
    from macvlan_ros.stores.settling import Lost

__all__ = ["open_for", "picture_of"]


def open_for(settings: Settings, *, note: Callable[[str], None]) -> Store:
    """The store; one on etcd with its local copy. Raises what `open_store` raises."""
    if settings.etcd_copy == "none":
        return open_store(settings.store, settings.access)
    copy = LocalCopy(
        folder=Path(settings.etcd_copy).expanduser().absolute(),
        host=settings.host_name,
        witness=lambda lost: _record(lost, settings.host_name),
        note=note,
    )
    return open_store(settings.store, settings.access, copy=copy)


def picture_of(settings: Settings, store: Store) -> Picture | None:
    """What keeps the store's local copy current, for a service; None when there is no copy."""
    if not settings.store.startswith(("etcd:", "etcds:")):
        return None
    from macvlan_ros.stores.copied import CopiedStore
    from macvlan_ros.stores.picture import Picture

    return Picture(store) if isinstance(store, CopiedStore) else None


def _record(lost: Lost, host: str) -> Record:
    """A loss as one of the conflicts that `ps` and `doctor` show."""
    import time

    from macvlan_ros.defence import conflicts

    now = time.time()
    return conflicts.as_record(
        conflicts.ConflictSeen(
            host=host,
            address=lost.held.address,
            mac=lost.now.mac,
            ours=lost.held.mac,
            owner=lost.held.owner,
            running=False,
            count=1,
            first=now,
            last=now,
        )
    )
