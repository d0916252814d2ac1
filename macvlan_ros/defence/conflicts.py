"""Conflicts: strangers that were heard with addresses of ours, kept for who looks later.

The service hears them; `macvlan-ros ps` and `doctor` show them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from netaddr import IPAddress

from macvlan_ros.defence.guard import HeardConflict
from macvlan_ros.models.pools import Record
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

__all__ = ["RECENT", "ConflictSeen", "as_record", "keep", "recent"]

_KIND = "conflict"
_DAY = 86400.0
_REWRITE = 60.0
_MOST = 256

#: Seconds for which a conflict is worth showing: a device that sleeps is back within the hour.
RECENT = 3600.0


@dataclass(frozen=True, slots=True)
class ConflictSeen:
    """`host` heard the stranger `mac` with an address that belongs to `owner`, whose MAC is `ours`.

    `running` tells a container that ran from one that was down. `count` is how many frames were
    heard since the service started; `first` and `last` are seconds since the epoch.
    """

    host: str
    address: IPAddress
    mac: str
    ours: str
    owner: str
    running: bool
    count: int
    first: float
    last: float


def keep(store: Store, host: str, heard: Sequence[HeardConflict]) -> None:
    """Write what was heard, each stranger at most once a minute.

    Of this host's conflicts those of the last day are kept, at most 256. Raises what the store
    raises.
    """
    known = {_key(seen): seen for seen in _read(store) if seen.host == host}
    for conflict in heard:
        seen = _seen(store, host, conflict)
        before = known.get(_key(seen))
        if before is not None:
            if abs(seen.last - before.last) < _REWRITE:
                continue
            seen = replace(seen, first=min(before.first, seen.first))
        known[_key(seen)] = seen
        store.remember(as_record(seen), replace=True)
    _prune(store, sorted(known.values(), key=lambda seen: seen.last))


def as_record(seen: ConflictSeen) -> Record:
    """As it stands in the store."""
    return Record(_KIND, _key(seen), seen.host, json.dumps(_facts(seen)))


def recent(store: Store, *, seconds: float = RECENT) -> tuple[ConflictSeen, ...]:
    """The conflicts that any host heard in the last `seconds`, the latest first."""
    since = time.time() - seconds
    found = (seen for seen in _read(store) if seen.last > since)
    return tuple(sorted(found, key=lambda seen: -seen.last))


def _prune(store: Store, known: Sequence[ConflictSeen]) -> None:
    """`known` has the latest last."""
    since = time.time() - _DAY
    for place, seen in enumerate(known):
        if seen.last < since or place < len(known) - _MOST:
            store.forget(_KIND, _key(seen))


def _seen(store: Store, host: str, conflict: HeardConflict) -> ConflictSeen:
    held = store.holder(conflict.address)
    return ConflictSeen(
        host=host,
        address=conflict.address,
        mac=conflict.mac,
        ours=conflict.ours,
        owner=held.owner if held else "",
        running=conflict.running,
        count=conflict.count,
        first=conflict.first,
        last=conflict.last,
    )


def _key(seen: ConflictSeen) -> str:
    return f"{seen.host}/{seen.address}/{seen.mac}"


def _facts(seen: ConflictSeen) -> dict[str, Any]:
    return {name: value for name, value in asdict(seen).items() if name != "host"} | {
        "address": str(seen.address)
    }


def _read(store: Store) -> list[ConflictSeen]:
    found = []
    for record in store.recall(_KIND):
        facts = json.loads(record.value)
        facts["address"] = IPAddress(facts["address"])
        found.append(ConflictSeen(host=record.host, **facts))
    return found
