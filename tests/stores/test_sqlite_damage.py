"""Files that are damaged, of another program, or of another version of the store."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from macvlan_ros.errors import StoreDown
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.codec import encode_pool
from macvlan_ros.stores.sqlite import SqliteStore
from macvlan_ros.stores.sqlite_schema import MIGRATIONS
from tests.stores.sqlite_files import LAB, NOW, TALKER, filled, refused, want

pytestmark = pytest.mark.alone


def both(store: Store) -> tuple[Callable[[], object], Callable[[], object]]:
    return store.reservations, lambda: store.release("lab", ["talker"])


def damage_all(path: Path) -> None:
    path.write_bytes(b"this is not a database at all, " * 200)


def damage_header(path: Path) -> None:
    path.write_bytes(os.urandom(100) + path.read_bytes()[100:])


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def damage_address(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE reservations SET address = 'zzz'")


def damage_pool(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE pools SET definition = '{\"subnet\": 5}'")


DAMAGES = (damage_all, damage_header, damage_middle, cut_off, damage_address)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_with_a_remedy_that_works(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(filled(path))
    before = path.read_bytes()
    with closing(SqliteStore(path)) as store:
        for call in both(store):
            message = refused(
                StoreDown, call, f"store {path}: damaged (", "put a backup in its place"
            )
    assert path.read_bytes() == before
    subprocess.run(message.rpartition("after: ")[2], shell=True, check=True)
    with closing(SqliteStore(path)) as store:
        assert store.reservations() == ()
        assert store.add_pool(LAB) == LAB


def test_a_pool_that_does_not_decode_is_damage(path: Path) -> None:
    damage_pool(filled(path))
    with closing(SqliteStore(path)) as store:
        for call in (store.pools, lambda: store.pool("lab"), lambda: store.add_pool(LAB)):
            refused(StoreDown, call, "damaged (pool 'lab' does not decode")


def test_another_programs_database_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    with closing(SqliteStore(path)) as store:
        for call in both(store):
            refused(StoreDown, call, "is another program's database", "--store")
    assert path.read_bytes() == before


def test_a_folder_in_the_files_place_is_told(path: Path) -> None:
    path.mkdir()
    with closing(SqliteStore(path)) as store:
        for call in both(store):
            refused(StoreDown, call, "is a folder; name a file in it", f"--store {path}/state.db")


def test_a_file_in_the_folders_place_is_told(path: Path) -> None:
    path.write_text("")
    with closing(SqliteStore(path / "state.db")) as store:
        for call in both(store):
            refused(StoreDown, call, f"{path} is not a folder", "--store")


def test_a_newer_version_is_told_and_left_as_it_is(path: Path) -> None:
    newer = (*MIGRATIONS, ["ALTER TABLE reservations ADD COLUMN lease TEXT"])
    with closing(SqliteStore(filled(path), migrations=newer)) as store:
        assert store.reservations() == (TALKER,)
    before = path.read_bytes()
    with closing(SqliteStore(path)) as store:
        for call in both(store):
            refused(
                StoreDown,
                call,
                f"store {path}: has schema version {NOW + 1}, and this macvlan-ros knows up to",
                "pip install --upgrade",
            )
    assert path.read_bytes() == before


def test_a_process_that_was_running_before_an_upgrade_stops_writing(path: Path) -> None:
    newer = (*MIGRATIONS, ["ALTER TABLE reservations ADD COLUMN lease TEXT"])
    with (
        closing(SqliteStore(filled(path))) as old,
        closing(SqliteStore(path, migrations=newer)) as new,
    ):
        assert old.reservations() == (TALKER,)
        assert new.reservations() == (TALKER,)
        for call in both(old):
            refused(StoreDown, call, f"has schema version {NOW + 1}")
        assert new.reservations() == (TALKER,)
        new.close()


def test_an_older_file_is_migrated_step_by_step_and_keeps_its_reservations(path: Path) -> None:
    steps = (
        *MIGRATIONS,
        ["ALTER TABLE reservations ADD COLUMN lease TEXT", "UPDATE reservations SET lease = 'one'"],
        ["UPDATE reservations SET lease = lease || ' two'"],
    )
    filled(path)
    for known in (NOW + 1, NOW + 2, NOW + 2):
        with closing(SqliteStore(path, migrations=steps[:known])) as store:
            assert store.reservations() == (TALKER,)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT lease FROM reservations").fetchall() == [("one two",)]
        assert db.execute("PRAGMA user_version").fetchone() == (NOW + 2,)


def test_a_file_of_the_first_version_keeps_its_reservations(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("PRAGMA application_id = 0x6D766C72")
        db.execute("PRAGMA user_version = 1")
        definition = encode_pool(LAB).replace(', "dhcp": false', "")
        db.execute("INSERT INTO pools VALUES ('lab', ?)", (definition,))
        values = ("lab", "talker", "4c0a832c1", TALKER.mac, "", "")
        db.execute("INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?)", values)
    with closing(SqliteStore(path)) as store:
        assert store.pools() == (LAB,)
        assert store.reservations() == (TALKER,)
        other = replace(want("listener", 194), mac=TALKER.mac)
        assert store.reserve([other]) == (TALKER,)


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    steps = (*MIGRATIONS, ["CREATE TABLE half (x)", "INSERT INTO nowhere VALUES (1)"])
    with closing(SqliteStore(filled(path), migrations=steps)) as store:
        for call in both(store):
            refused(StoreDown, call, "nowhere")
    with closing(SqliteStore(path)) as store:
        assert store.reservations() == (TALKER,)


def test_a_backup_made_without_a_log_gets_one_again(path: Path) -> None:
    filled(path)
    copy = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"VACUUM INTO '{copy}'")
    shutil.move(copy, path)
    with closing(SqliteStore(path)) as store:
        assert store.reservations() == (TALKER,)
        store.release("lab", ["talker"])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
