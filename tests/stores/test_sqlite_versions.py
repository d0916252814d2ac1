"""Files of former versions of the store: brought up to date whole, or left as they were."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.stores import sqlite_connections, sqlite_file
from macvlan_ros.stores.sqlite import SqliteStore
from macvlan_ros.stores.sqlite_file import SqliteFile
from macvlan_ros.stores.sqlite_schema import MIGRATIONS
from tests.stores.processes import die_after, fork, run_all

# What the first version wrote, letter by letter: its schema must not follow the code's.
FIRST = """
CREATE TABLE pools (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE reservations (
    pool TEXT NOT NULL REFERENCES pools (name),
    owner TEXT NOT NULL,
    address TEXT NOT NULL UNIQUE,
    mac TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL,
    created TEXT NOT NULL,
    PRIMARY KEY (pool, owner)
) WITHOUT ROWID;
PRAGMA application_id = 1836477554;
PRAGMA user_version = 1;
"""
LAB = (
    '{"subnet": "192.168.50.0/24", "ranges": ["192.168.50.192-192.168.50.223"], '
    '"exclude": ["192.168.50.200-192.168.50.200"], "gateway": "192.168.50.1", "order": "hashed"}'
)
SIX = '{"subnet": "fd00::/64", "ranges": [], "exclude": [], "gateway": null, "order": "sequential"}'
POOLS = (
    Pool(
        "lab",
        IPNetwork("192.168.50.0/24"),
        ranges=(IPRange("192.168.50.192", "192.168.50.223"),),
        exclude=(IPRange("192.168.50.200", "192.168.50.200"),),
        gateway=IPAddress("192.168.50.1"),
    ),
    Pool("six", IPNetwork("fd00::/64"), order="sequential"),
)
CREATED = "2026-11-02T10:00:00Z"
HELD = (
    *(
        Reservation(
            "lab",
            IPAddress(f"192.168.50.{last}"),
            f"node{last}",
            f"02:00:00:00:00:{last:02x}",
            host="qtpc",
            created=CREATED,
        )
        for last in range(201, 224)
    ),
    Reservation("six", IPAddress("fd00::7"), "node201", "02:00:00:00:01:07"),
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as the first version left it: with a log, closed."""
    return write_old(tmp_path / "state.db")


def write_old(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(FIRST)
        db.executemany("INSERT INTO pools VALUES (?, ?)", [("lab", LAB), ("six", SIX)])
        rows = [
            (each.pool, each.owner, written(each.address), each.mac, each.host, each.created)
            for each in HELD
        ]
        db.executemany("INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?)", rows)
    return path


def written(address: IPAddress) -> str:
    digits = 8 if address.version == 4 else 32
    return f"{address.version}{int(address):0{digits}x}"


def version(path: Path) -> int:
    """The version that the file says, and that it is a whole one."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        (found,) = db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        columns = [row[1] for row in db.execute("PRAGMA table_info (reservations)")]
        (held,) = db.execute("SELECT count(*) FROM reservations").fetchone()
    assert "reservations_2" not in tables, "a half step"
    assert ("records" in tables) == ("kind" in columns) == (found > 1)
    assert held == len(HELD)
    return int(found)


def check_whole(path: Path) -> None:
    """Everything is there, in the newest version, and can be worked with."""
    with closing(SqliteStore(path)) as store:
        assert store.pools() == POOLS
        assert store.reservations() == HELD
        assert store.inspect() == ()
    assert version(path) == len(MIGRATIONS)


def test_nothing_is_lost_on_the_way_from_the_first_version(old: Path) -> None:
    assert version(old) == 1
    check_whole(old)


def test_what_the_newer_versions_brought_works_in_an_old_file(old: Path) -> None:
    with closing(SqliteStore(old)) as store:
        twin = Reservation(
            "lab", IPAddress("192.168.50.192"), "dynamic:x", HELD[0].mac, kind="dynamic"
        )
        assert store.reserve([twin]) == (twin,), "only static reservations have a MAC alone"
        thief = Reservation("lab", IPAddress("192.168.50.193"), "thief", HELD[0].mac)
        assert store.reserve([thief]) == (HELD[0],)
        record = Record("endpoint", "qtpc/1", "qtpc", "{}")
        assert store.remember(record) is record
        assert store.owner_of_mac("lab", HELD[0].mac) == HELD[0]


def test_reading_alone_brings_the_file_up_to_date_too(old: Path) -> None:
    with closing(SqliteStore(old)) as store:
        assert store.holder(HELD[0].address) == HELD[0]
    assert version(old) == len(MIGRATIONS)


def test_before_whichever_line_a_process_is_killed_the_file_stays_whole(tmp_path: Path) -> None:
    versions = set()
    for steps in range(0, 1000, 3):  # each part of the step is longer
        path = write_old(tmp_path / f"{steps}.db")

        def work(_: int, steps: int = steps, path: Path = path) -> None:
            die_after(steps, sqlite_file, sqlite_connections)
            SqliteStore(path).pools()

        with fork(work) as child:
            status = child.wait()
        found = version(path)
        versions.add(found)
        check_whole(path)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert found == len(MIGRATIONS)
    assert versions == set(range(1, len(MIGRATIONS) + 1)), "no step was cut short"


def test_a_process_killed_at_any_moment_of_the_step_leaves_a_whole_file(tmp_path: Path) -> None:
    """At moments that no line of ours begins at: while SQLite writes or syncs, too."""
    chance = random.Random(2)
    cut_short = 0
    for life in range(30):
        path = write_old(tmp_path / f"{life}.db")

        def work(reporting: int, path: Path = path) -> None:
            os.write(reporting, b"begun")
            with closing(SqliteStore(path)) as store:
                store.pools()
            time.sleep(5)

        with fork(work) as child:
            child.read_some()
            time.sleep(chance.uniform(0, 0.006))
            child.kill()
            child.wait()
        cut_short += version(path) < len(MIGRATIONS)
        check_whole(path)
    assert cut_short > 0, "none was killed before the end"


def test_processes_that_open_an_old_file_at_once_agree(old: Path) -> None:
    def open_and_add(number: int) -> bool:
        with closing(SqliteStore(old)) as store:
            wanted = Reservation(
                "lab", IPAddress(f"192.168.50.{192 + number}"), f"new{number}", f"02::{number}"
            )
            made = store.reserve([wanted]) == (wanted,)
            return made and set(HELD) <= set(store.reservations())

    jobs = [lambda number=number: open_and_add(number) for number in range(4)]
    assert run_all(jobs) == [True] * 4
    with closing(SqliteStore(old)) as store:
        assert {each.owner for each in store.reservations("lab")} >= {f"new{n}" for n in range(4)}
        assert store.release("lab", [f"new{n}" for n in range(4)])
    check_whole(old)


def test_a_process_that_is_killed_in_the_step_is_not_waited_for(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the file's lock, and is in the middle of the transaction, while another opens."""

    def stop_in_the_step(reporting: int) -> None:
        def migrate(*_: object) -> None:
            os.write(reporting, b"within")
            time.sleep(60)

        monkeypatch.setattr(SqliteFile, "_migrate", migrate)  # in this process alone
        SqliteStore(old).pools()

    with fork(stop_in_the_step) as child:
        assert child.read_some() == b"within"

        def read() -> int:
            with closing(SqliteStore(old, patience=10)) as store:
                return len(store.reservations())

        with fork(lambda reporting: _say(reporting, read())) as other:
            time.sleep(0.3)
            child.kill()
            assert other.read(seconds=15) == str(len(HELD)).encode()
    check_whole(old)


def _say(reporting: int, number: int) -> None:
    os.write(reporting, str(number).encode())
