"""Many processes on one SQLite file, and processes that die."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores import files, sqlite, sqlite_connections, sqlite_file
from macvlan_ros.stores.sqlite import SqliteStore
from tests.stores.processes import die_after, fork, run_all

PROCESSES = 8


def pool_of(order: str) -> Pool:
    return parse_pool("lab", subnet="10.0.0.0/24", gateway="10.0.0.1", order=order)


def ipam_over(path: Path) -> Ipam:
    """Ipam for a child, which ends without closing anything."""
    return Ipam(SqliteStore(path), surroundings=lambda _: Surroundings(), host="qtpc")


@contextmanager
def opened(path: Path) -> Iterator[Ipam]:
    """Ipam for the parent, which lives on and has to close it."""
    with closing(SqliteStore(path)) as store:
        yield Ipam(store, surroundings=lambda _: Surroundings(), host="qtpc")


def held_in(path: Path) -> tuple[Reservation, ...]:
    with opened(path) as ipam:
        return ipam.reservations()


def add_pool(path: Path, pool: Pool) -> None:
    with opened(path) as ipam:
        ipam.add_pool(pool)


def check(path: Path) -> None:
    """The file is sound by SQLite's own judgement."""
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


def test_allocating_and_releasing_side_by_side_never_shares_an_address(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    small = parse_pool("lab", subnet="10.0.0.0/28", order="sequential")
    add_pool(path, small)
    taken = tmp_path / "taken"
    taken.mkdir()

    def churn(number: int) -> Callable[[], int]:
        def work() -> int:
            ipam = ipam_over(path)
            for count in range(60):
                (made,) = ipam.allocate("lab", [f"p{number}-{count}"])
                flag = taken / str(made.reservation.address)
                flag.touch(exist_ok=False)  # raises if somebody else holds the address just now
                flag.unlink()
                ipam.release("lab", [made.reservation.owner])
            return count + 1

        return work

    assert run_all([churn(number) for number in range(PROCESSES)]) == [60] * PROCESSES
    assert held_in(path) == ()
    check(path)


def test_whatever_step_a_process_is_killed_before_nothing_reported_is_lost(
    tmp_path: Path,
) -> None:
    """From an absent file to reservations and a release, killed once before each line."""
    path = tmp_path / "state.db"
    survivors: set[str] = set()
    for steps in range(1000):
        name = f"n{steps}"

        def work(reporting: int, steps: int = steps, name: str = name) -> None:
            die_after(steps, sqlite_file, sqlite_connections, sqlite, files)
            ipam = ipam_over(path)
            ipam.add_pool(pool_of("hashed"))
            ipam.allocate("lab", [name, f"{name}-second"])
            os.write(reporting, b"reserved\n")
            ipam.release("lab", [f"{name}-second"])
            os.write(reporting, b"released\n")

        with fork(work) as child:
            reported = child.read().split()
            status = child.wait()
        held = {each.owner for each in held_in(path)}
        assert survivors <= held
        mine = {name, f"{name}-second"} & held
        if reported:
            assert name in mine
            survivors.add(name)
        else:
            assert len(mine) in (0, 2), "half of a transaction was kept"
            survivors |= mine
        if b"released" in reported:
            assert mine == {name}
        else:
            # The next one starts with room, and with what a dead process left in the way.
            survivors.discard(f"{name}-second")
        if status == 0:
            break
        assert status == -signal.SIGKILL
        if len(held) > 150:
            with opened(path) as ipam:
                ipam.release("lab", sorted(held))
            survivors.clear()
    assert status == 0
    assert steps > 100
    check(path)


def test_a_process_killed_at_any_moment_loses_nothing_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    pool = parse_pool("lab", subnet="10.0.0.0/16")
    add_pool(path, pool)
    chance = random.Random(1)
    promised: set[bytes] = set()
    for life in range(25):

        def work(reporting: int, life: int = life) -> None:
            ipam = ipam_over(path)
            for count in range(10_000):
                (made,) = ipam.allocate("lab", [f"l{life}-{count}"])
                line = f"{made.reservation.owner} {made.reservation.address}\n"
                os.write(reporting, line.encode())

        with fork(work) as child:
            first = child.read_some()
            time.sleep(chance.uniform(0, 0.05))
            child.kill()
            lines = (first + child.read()).splitlines()
        promised.update(lines)
        stored = held_in(path)
        assert promised <= {f"{held.owner} {held.address}".encode() for held in stored}
        assert len(stored) - len(promised) <= life + 1, "more than one unreported for each life"
    assert len(promised) >= 25
    check(path)


def test_a_store_that_was_open_before_a_fork_works_on_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    add_pool(path, parse_pool("lab", subnet="10.0.0.0/16"))

    def allocate(ipam: Ipam, name: str) -> list[str]:
        return [
            str(ipam.allocate("lab", [f"{name}-{count}"])[0].reservation.address)
            for count in range(100)
        ]

    with opened(path) as ipam:
        ipam.allocate("lab", ["before"])

        def work(reporting: int) -> None:
            os.write(reporting, " ".join(allocate(ipam, "child")).encode())

        with fork(work) as child:
            mine = allocate(ipam, "parent")
            theirs = child.read().decode().split()
            assert child.wait() == 0
    assert len({*mine, *theirs}) == 200
    assert len(held_in(path)) == 201
    check(path)


def test_a_forked_child_opens_the_file_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    store.add_pool(pool_of("hashed"))

    def open_files() -> int:
        numbers = [entry.name for entry in Path("/proc/self/fd").iterdir()]
        links = (Path(f"/proc/self/fd/{fd}") for fd in numbers)
        return sum(1 for link in links if link.exists() and link.readlink() == path)

    def count() -> tuple[int, int]:
        before = open_files()
        store.pools()
        return before, open_files()

    ((before, after),) = run_all([count])
    store.close()
    assert after == before + 1
