"""The SQLite store's file: opened, full, locked."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from macvlan_ros.errors import InvalidRequest, PoolNotFound, StoreDown
from macvlan_ros.stores import open_store
from macvlan_ros.stores.sqlite import SqliteStore
from tests.stores.processes import as_nobody, fork
from tests.stores.sqlite_files import LAB, TALKER, filled, list_all, refused

pytestmark = pytest.mark.alone


def test_a_store_is_named_by_url_or_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.chdir(path.parent)
    for url in (f"sqlite://{path}", str(path), "~/state.db", "state.db"):
        with closing(open_store(url)) as store:
            assert store.reservations() == (TALKER,)


@pytest.mark.parametrize("url", ["", "redis://a", "memory:x", "sqlite:", "sqlite://", "sqlite:///"])
def test_a_store_of_an_unknown_kind_is_refused(url: str) -> None:
    refused(InvalidRequest, lambda: open_store(url), "store")


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "x#y.db", "ü.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    filled(tmp_path / name)
    assert {each.name for each in tmp_path.iterdir()} == {name, f"{name}.lock"}
    with closing(SqliteStore(tmp_path / name)) as store:
        assert store.reservations() == (TALKER,)


def test_opening_a_store_makes_nothing_and_reading_finds_it_empty(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "new" / "state.db")
    assert store.pools() == ()
    assert store.reservations() == ()
    refused(PoolNotFound, lambda: store.pool("lab"), "there is none yet")
    refused(PoolNotFound, lambda: store.held("lab", ["talker"]), "there is none yet")
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_writing_makes_the_folder_readable_for_all(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "state.db"
    umask = os.umask(0o022)
    try:
        filled(path)
    finally:
        os.umask(umask)
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_is_on_disk_is_synced_and_logged_ahead(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with closing(SqliteStore(path)) as store, store._file.write() as inside:
        assert inside.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert inside.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_file_that_was_moved_away_is_not_written_to(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.add_pool(LAB)
        path.rename(path.with_name("old.db"))
        refused(PoolNotFound, lambda: store.reserve([TALKER]), "there is none yet")
        store.add_pool(LAB)
        store.reserve([TALKER])
    with closing(SqliteStore(path)) as store:
        assert store.reservations() == (TALKER,)


def test_threads_come_and_go_without_leaving_connections_behind(path: Path) -> None:
    with closing(SqliteStore(filled(path))) as store:
        for _ in range(20):
            thread = threading.Thread(target=store.reservations)
            thread.start()
            thread.join(10)
        links = [Path(f"/proc/self/fd/{entry.name}") for entry in Path("/proc/self/fd").iterdir()]
        assert sum(link.exists() and link.readlink() == path for link in links) == 1


def test_a_store_can_be_used_again_after_closing(path: Path) -> None:
    store = SqliteStore(filled(path))
    store.close()
    assert store.reservations() == (TALKER,)
    assert store.release("lab", ["talker"]) == (TALKER,)
    store.close()
    assert not path.with_name("state.db-wal").exists()


ON_A_SMALL_DISK = """
import pathlib, sys
from macvlan_ros.notation import parse_pool
from macvlan_ros.errors import StoreDown
from macvlan_ros.ipam import Ipam
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores.codec import encode_pool
from macvlan_ros.stores.sqlite import SqliteStore

folder = pathlib.Path(sys.argv[1])
ipam = Ipam(SqliteStore(folder / "state.db"), surroundings=lambda _: Surroundings(), host="")
ipam.add_pool(parse_pool("lab", subnet="10.0.0.0/16"))
promised = set()
with open(folder / "ballast", "wb") as ballast:
    ballast.write(bytes(100_000))
try:
    for count in range(20_000):
        (made,) = ipam.allocate("lab", [f"n{count}"])
        promised.add(made.reservation)
except StoreDown as error:
    print(error)
else:
    sys.exit("the disk never filled")
assert promised == set(ipam.reservations()), "something was lost, or kept without a word"
(folder / "ballast").unlink()
ipam.allocate("lab", ["after"])
assert len(ipam.reservations()) == len(promised) + 1
"""

ON_A_READ_ONLY_DISK = """
import pathlib, subprocess, sys
from macvlan_ros.notation import parse_pool
from macvlan_ros.errors import Forbidden
from macvlan_ros.stores.codec import encode_pool
from macvlan_ros.stores.sqlite import SqliteStore

folder = pathlib.Path(sys.argv[1])
store = SqliteStore(folder / "state.db")
store.add_pool(parse_pool("lab", subnet="10.0.0.0/16"))
store.close()
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
assert len(store.pools()) == 1
try:
    store.remove_pool("lab")
except Forbidden as error:
    print(error)
try:
    SqliteStore(folder / "new" / "state.db").remove_pool("lab")
except Forbidden as error:
    print(error)
"""


def on_disk(script: str, folder: Path, *, size: str) -> str:
    """Run a script with a small disk of its own at `folder`, in a mount namespace of its own."""
    mount = f"mount -t tmpfs -o size={size} tmpfs {folder}"
    command = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$0" -c "$1" {folder}']
    run = subprocess.run(
        [*command, sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    told = on_disk(ON_A_SMALL_DISK, tmp_path, size="400k")
    assert "no space left on its disk, nothing was changed; free some" in told


def test_a_read_only_disk_can_be_read_and_refuses_the_rest(tmp_path: Path) -> None:
    told = on_disk(ON_A_READ_ONLY_DISK, tmp_path, size="1m").splitlines()
    assert len(told) == 2
    assert all("no right to write it; use sudo, or a store of your own" in line for line in told)


@pytest.fixture(params=["lock file", "database"])
def holder(request: pytest.FixtureRequest, path: Path) -> Iterator[Path]:
    """A file that another process holds locked, by our lock file or by SQLite's own lock."""
    filled(path)

    def hold(reporting: int) -> None:
        if request.param == "database":
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("BEGIN IMMEDIATE")
            os.write(reporting, b"x")
            os.close(reporting)
            time.sleep(60)
        else:
            with SqliteStore(path)._file.write():
                os.write(reporting, b"x")
                os.close(reporting)
                time.sleep(60)

    with fork(hold) as child:
        assert child.read() == b"x"
        yield path


def test_a_locked_store_is_given_up_on_in_time(holder: Path) -> None:
    began = time.monotonic()
    with closing(SqliteStore(holder, patience=0.3)) as store:
        refused(
            StoreDown,
            lambda: store.release("lab", ["talker"]),
            f"store {holder}: another process keeps it locked; try again",
            "fuser -v",
        )
    assert 0.2 < time.monotonic() - began < 2


def test_a_locked_store_can_be_read_and_closed(holder: Path) -> None:
    began = time.monotonic()
    with closing(SqliteStore(holder, patience=0.3)) as store:
        assert store.reservations() == (TALKER,)
        assert store.held("lab", ["talker"]) == (TALKER,)
    assert time.monotonic() - began < 2


def test_a_store_that_is_locked_for_a_moment_is_waited_for(path: Path) -> None:
    filled(path)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, db.execute, ["ROLLBACK"])
    timer.start()
    with closing(SqliteStore(path)) as store:
        assert store.release("lab", ["talker"]) == (TALKER,)
    timer.join()
    db.close()


def test_an_exclusive_lock_on_a_file_without_a_log_ends_in_time_too(shared: Path) -> None:
    path = filled(shared / "state.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        listed = list_all(path, patience=0.5)
        for call in (lambda: as_nobody(listed), listed):
            began = time.monotonic()
            refused(StoreDown, call, "keeps it locked")
            assert time.monotonic() - began < 3
