"""The SQLite store's file: rights, damage, locks, versions, full disks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import Forbidden, InvalidRequest, PoolNotFound, StoreDown
from macvlan_ros.models.pools import Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores import open_store, sqlite_file
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.codec import encode_pool
from macvlan_ros.stores.sqlite import SqliteStore
from macvlan_ros.stores.sqlite_connections import Connections
from macvlan_ros.stores.sqlite_schema import MIGRATIONS
from tests.stores.processes import as_nobody, fork

pytestmark = pytest.mark.alone

LAB = parse_pool("lab", subnet="192.168.50.0/24")


def want(owner: str, last: int) -> Reservation:
    return Reservation("lab", IPAddress(f"192.168.50.{last}"), owner, f"02:00:00:00:00:{last:02x}")


#: The schema's version as this code writes it.
NOW = len(MIGRATIONS)

TALKER = want("talker", 193)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="macvlan-ros-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


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


# --- Opening -----------------------------------------------------------------------------------


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


# --- Rights ------------------------------------------------------------------------------------

REMEDY = ("use sudo", "--store ~/.local/share/macvlan-ros/state.db", "MACVLAN_ROS_STORE")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def list_all(path: Path) -> Callable[[], tuple[Reservation, ...]]:
    def call() -> tuple[Reservation, ...]:
        with closing(SqliteStore(path, patience=0.5)) as store:
            return store.reservations()

    return call


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


# --- Disks -------------------------------------------------------------------------------------

ON_A_SMALL_DISK = """
import pathlib, sys
from macvlan_ros.notation import (parse_pool)
from macvlan_ros.errors import StoreDown
from macvlan_ros.ipam import (Ipam)
from macvlan_ros.around import (Surroundings)
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
from macvlan_ros.notation import (parse_pool)
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


# --- Locks -------------------------------------------------------------------------------------


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
        for call in (lambda: as_nobody(list_all(path)), list_all(path)):
            began = time.monotonic()
            refused(StoreDown, call, "keeps it locked")
            assert time.monotonic() - began < 3


# --- Damage and versions -----------------------------------------------------------------------


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
