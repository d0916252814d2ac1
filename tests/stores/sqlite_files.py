"""SQLite files as tests want them, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.models.pools import Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores.sqlite import SqliteStore
from macvlan_ros.stores.sqlite_schema import MIGRATIONS

LAB = parse_pool("lab", subnet="192.168.50.0/24")


def want(owner: str, last: int) -> Reservation:
    return Reservation("lab", IPAddress(f"192.168.50.{last}"), owner, f"02:00:00:00:00:{last:02x}")


#: The schema's version as this code writes it.
NOW = len(MIGRATIONS)

TALKER = want("talker", 193)


def filled(path: Path) -> Path:
    """A file with a pool and a reservation in it, and nobody that has it open."""
    with closing(SqliteStore(path)) as store:
        store.add_pool(LAB)
        store.reserve([TALKER])
    return path


def refused(kind: type[Exception], call: Callable[[], object], *words: str) -> str:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message
    assert "\n" not in message
    return message


REMEDY = ("use sudo", "--store ~/.local/share/macvlan-ros/state.db", "MACVLAN_ROS_STORE")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def list_all(path: Path, *, patience: float = 20) -> Callable[[], tuple[Reservation, ...]]:
    """To be called as another user, say; a busy machine may keep a lock for seconds."""

    def call() -> tuple[Reservation, ...]:
        with closing(SqliteStore(path, patience=patience)) as store:
            return store.reservations()

    return call
