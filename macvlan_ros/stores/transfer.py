"""Moving stores: what one holds, written into another, or into a file and back.

Nothing is written before all of it has been compared with what stands there; writing the same again
changes nothing, so what was interrupted is finished by doing it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from macvlan_ros.errors import Conflict, Forbidden, InvalidRequest, NotFound
from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.codec import (
    decode_pool,
    decode_reservation,
    encode_pool,
    encode_reservation,
)
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.stores.rules import check_new_pool, settle
from macvlan_ros.values import dataclass
from macvlan_ros.whole_file import write_whole

_FORMAT = 1
# So many in one transaction: every kind of store takes that.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Content:
    """All that a store holds."""

    pools: tuple[Pool, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    records: tuple[Record, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pools or self.reservations or self.records)


def read_content(store: Store) -> Content:
    """What the store holds now; it may be in use meanwhile.

    Reservations are read first: one whose pool is gone afterwards was released in between.
    """
    reservations = store.reservations()
    pools = store.pools()
    names = {pool.name for pool in pools}
    return Content(
        pools=pools,
        reservations=tuple(held for held in reservations if held.pool in names),
        records=tuple(record for kind in store.kinds() for record in store.recall(kind)),
    )


def copy_into(store: Store, content: Content) -> None:
    """Add the content to what the store holds.

    A record of another host that stands already is left as it is. Raises Conflict or PoolOverlap,
    before anything is written, when a pool or a reservation contradicts one that stands.
    """
    standing = read_content(store)
    _compare(content, standing)
    for pool in content.pools:
        store.add_pool(pool)
    for batch in _batches(content.reservations):
        stands = store.reserve(batch)
        _check_stands(batch, stands)
    known = {(record.kind, record.key): record for record in standing.records}
    for record in content.records:
        other = known.get((record.kind, record.key))
        if other is None or (other.host == record.host and other != record):
            store.remember(record, replace=True)


def clear(store: Store) -> None:
    """Take everything out of the store: records, reservations, pools."""
    content = read_content(store)
    for record in content.records:
        store.forget(record.kind, record.key)
    for pool in content.pools:
        owners = [held.owner for held in content.reservations if held.pool == pool.name]
        for batch in _batches(owners):
            store.release(pool.name, batch)
        store.remove_pool(pool.name)


def write_backup(path: Path, content: Content) -> None:
    """Write the content as JSON, wholly or not at all; only its owner may read the file.

    Raises what `write_whole` raises.
    """
    write_whole(path, json.dumps(_encode(content), indent=1) + "\n", mode=0o600)


def read_backup(path: Path) -> Content:
    """What `write_backup` wrote. Raises NotFound, Forbidden, InvalidRequest."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"no backup {path}; make one with: macvlan-ros store backup FILE") from error
    except PermissionError as error:
        raise Forbidden(f"{path} cannot be read; use sudo") from error
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read ({error.strerror}); name another") from error
    except (ValueError, RecursionError) as error:
        raise _no_backup(path, "not JSON") from error
    try:
        return _decode(found, path)
    except Undecodable as error:
        raise _no_backup(path, str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_backup(path, f"{error!r}") from error


def _encode(content: Content) -> dict[str, object]:
    return {
        "macvlan-ros backup": _FORMAT,
        "pools": {pool.name: json.loads(encode_pool(pool)) for pool in content.pools},
        "reservations": [encode_reservation(held) for held in content.reservations],
        "records": [
            {"kind": each.kind, "key": each.key, "host": each.host, "value": each.value}
            for each in content.records
        ],
    }


def _decode(found: dict[str, Any], path: Path) -> Content:
    version = found["macvlan-ros backup"]
    if version != _FORMAT:
        raise InvalidRequest(
            f"{path}: is a backup of format {version}, and this macvlan-ros knows {_FORMAT}; "
            "upgrade it with: pip install --upgrade macvlan-ros"
        )
    pools = found["pools"].items()
    return Content(
        pools=tuple(decode_pool(name, json.dumps(fields)) for name, fields in pools),
        reservations=tuple(map(decode_reservation, found["reservations"])),
        records=tuple(
            Record(str(each["kind"]), str(each["key"]), str(each["host"]), str(each["value"]))
            for each in found["records"]
        ),
    )


def _no_backup(path: Path, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path}: is no whole backup of macvlan-ros ({reason}); name another file"
    )


def _compare(content: Content, standing: Content) -> None:
    pools = list(standing.pools)
    for pool in content.pools:
        if check_new_pool(pool, pools):
            pools.append(pool)
    names = {pool.name for pool in pools}
    for held in content.reservations:
        if held.pool not in names:
            raise Conflict(
                f"{held.owner!r} holds {held.address} in pool {held.pool!r}, which is not there; "
                "look with: macvlan-ros store check"
            )
    _check_stands(content.reservations, settle(content.reservations, standing.reservations))


def _check_stands(wanted: Sequence[Reservation], stands: Sequence[Reservation]) -> None:
    for want, held in zip(wanted, stands, strict=True):
        if (want.pool, want.owner, want.address) != (held.pool, held.owner, held.address):
            shared = f" with its MAC {want.mac}" if want.mac == held.mac else ""
            raise Conflict(
                f"{want.owner!r} has {want.address} in pool {want.pool!r} here, and there"
                f" {held.owner!r} has {held.address} in pool {held.pool!r}{shared}; release one of"
                " them, then try again"
            )


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(values), _BATCH):
        yield values[at : at + _BATCH]
