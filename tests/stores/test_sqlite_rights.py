"""Who may read the store's file, who may write it, and what the others are told."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from macvlan_ros.errors import Forbidden, StoreDown
from macvlan_ros.stores import sqlite_file
from macvlan_ros.stores.sqlite import SqliteStore
from macvlan_ros.stores.sqlite_connections import Connections
from macvlan_ros.stores.sqlite_schema import MIGRATIONS
from tests.stores.processes import as_nobody, fork
from tests.stores.sqlite_files import (
    LAB,
    NOW,
    REMEDY,
    TALKER,
    contents,
    filled,
    list_all,
    refused,
    want,
)

pytestmark = pytest.mark.alone


def test_a_user_without_rights_may_read_a_file_at_rest_and_leaves_no_trace(shared: Path) -> None:
    path = filled(shared / "state.db")
    before = contents(shared)
    assert as_nobody(list_all(path)) == (TALKER,)
    assert as_nobody(lambda: SqliteStore(path).pools()) == (LAB,)
    assert as_nobody(lambda: SqliteStore(path).held("lab", ["talker"])) == (TALKER,)
    assert contents(shared) == before


def test_a_user_without_rights_reads_what_a_running_process_has_just_written(shared: Path) -> None:
    path = filled(shared / "state.db")
    with closing(SqliteStore(path)) as store:
        store.reserve([want("listener", 194)])
        assert as_nobody(list_all(path)) == (TALKER, want("listener", 194))


def test_a_user_without_rights_reads_what_a_killed_process_left_in_the_log(shared: Path) -> None:
    path = filled(shared / "state.db")

    def work(reporting: int) -> None:
        store = SqliteStore(path)
        store.reserve([want("listener", 194)])
        os.write(reporting, b"done")
        os.close(reporting)
        time.sleep(60)

    with fork(work) as child:
        assert child.read() == b"done"
        child.kill()
        child.wait()
    assert path.with_name("state.db-wal").stat().st_size > 0
    assert as_nobody(list_all(path)) == (TALKER, want("listener", 194))


def test_reading_without_rights_while_others_write_sees_whole_states(shared: Path) -> None:
    path = filled(shared / "state.db")

    def write(reporting: int) -> None:
        os.write(reporting, b"x")
        while True:
            with closing(SqliteStore(path)) as store:  # closing folds the log into the file
                store.reserve([want(f"n{n}", n) for n in range(1, 100)])
                store.release("lab", [f"n{n}" for n in range(1, 100)])

    with fork(write) as child:
        assert child.read_some() == b"x"
        counts = as_nobody(lambda: [len(list_all(path)()) for _ in range(60)])
    assert set(counts) <= {1, 100}


def test_reading_without_rights_notices_writers_that_know_nothing_of_the_lock(
    shared: Path,
) -> None:
    path = filled(shared / "state.db")

    def write(reporting: int) -> None:
        os.write(reporting, b"x")
        while True:
            with closing(sqlite3.connect(path, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                for number in range(300):
                    values = ("lab", f"n{number}", f"4{number:08x}", f"{number}", "x" * 100)
                    db.execute(
                        "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, '', 'static')", values
                    )
                db.execute("COMMIT")
            with closing(sqlite3.connect(path, isolation_level=None)) as db:
                db.execute("DELETE FROM reservations WHERE owner != 'talker'")

    with fork(write) as child:
        assert child.read_some() == b"x"
        with closing(SqliteStore(path)):
            counts = as_nobody(lambda: [len(list_all(path)()) for _ in range(150)])
    assert set(counts) <= {1, 301}


def test_a_file_that_changes_while_it_is_copied_is_copied_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    copies = []
    connect = Connections.open

    def change_and_connect(self: Connections, *how: Any) -> Any:
        copies.append(how)
        if len(copies) == 1:
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("DELETE FROM reservations")
        return connect(self, *how)

    monkeypatch.setattr(Connections, "open", change_and_connect)
    monkeypatch.setattr(sqlite_file.SqliteFile, "_is_ours_to_write", lambda _: False)
    assert list_all(path)() == ()
    assert len(copies) == 2


def test_a_user_without_rights_may_not_write_and_leaves_no_trace(shared: Path) -> None:
    path = filled(shared / "state.db")
    before = contents(shared)
    call = lambda: as_nobody(lambda: SqliteStore(path).release("lab", ["talker"]))  # noqa: E731
    refused(Forbidden, call, f"store {path}: no right to write it", *REMEDY)
    assert contents(shared) == before


@pytest.mark.parametrize("running", [False, True])
def test_a_file_that_is_not_for_everybody_is_refused(shared: Path, running: bool) -> None:
    path = filled(shared / "state.db")
    path.chmod(0o600)
    with closing(SqliteStore(path)) as store:
        if running:
            store.reserve([want("listener", 194)])
        refused(Forbidden, lambda: as_nobody(list_all(path)), "no right to read it", *REMEDY)


def test_a_folder_that_is_not_for_everybody_is_refused(shared: Path) -> None:
    path = filled(shared / "closed" / "state.db")
    path.parent.chmod(0o700)
    refused(Forbidden, lambda: as_nobody(list_all(path)), "no right to read it", *REMEDY)
    call = lambda: as_nobody(lambda: SqliteStore(path).add_pool(LAB))  # noqa: E731
    refused(Forbidden, call, "no right to write it", *REMEDY)


def test_where_there_is_no_file_a_user_without_rights_sees_an_empty_store(shared: Path) -> None:
    path = shared / "new" / "state.db"
    assert as_nobody(list_all(path)) == ()
    call = lambda: as_nobody(lambda: SqliteStore(path).add_pool(LAB))  # noqa: E731
    refused(Forbidden, call, f"store {path}: no right to write it", *REMEDY)
    assert list(shared.iterdir()) == []


def test_a_file_for_all_in_a_folder_for_one_can_be_read_but_not_written(shared: Path) -> None:
    path = filled(shared / "state.db")
    path.chmod(0o666)
    assert as_nobody(list_all(path)) == (TALKER,)
    call = lambda: as_nobody(lambda: SqliteStore(path).remove_pool("lab"))  # noqa: E731
    refused(Forbidden, call, "no right to write it", *REMEDY)


def test_a_file_that_is_read_only_in_a_folder_of_ones_own_is_refused(shared: Path) -> None:
    path = filled(shared / "state.db")
    path.chmod(0o444)
    shared.chmod(0o777)
    assert as_nobody(list_all(path)) == (TALKER,)
    call = lambda: as_nobody(lambda: SqliteStore(path).release("lab", ["talker"]))  # noqa: E731
    refused(Forbidden, call, "no right to write it", *REMEDY)


def test_an_old_file_tells_a_user_without_rights_who_can_bring_it_up_to_date(shared: Path) -> None:
    path = filled(shared / "state.db")
    newer = (*MIGRATIONS, ["CREATE TABLE more (x)"])
    call = lambda: as_nobody(lambda: SqliteStore(path, migrations=newer).pools())  # noqa: E731
    refused(StoreDown, call, f"has schema version {NOW}", "sudo macvlan-ros list")


def test_a_file_without_a_schema_is_empty_for_a_user_without_rights(shared: Path) -> None:
    path = shared / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    assert as_nobody(list_all(path)) == ()
    with closing(SqliteStore(path)) as store:
        assert store.reservations() == ()
