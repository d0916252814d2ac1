"""Reservations per second: one process, then 8 at once on the same SQLite file.

    python -m bench.bench_store [--seconds 2] [--folder DIR]

Beside them the floor: SQLite's own synced INSERT into a table with the same three unique columns.
Counts only what was committed and synced, then reads the file back and counts duplicates, which
have to be none.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from bench.figures import milliseconds, show
from macvlan_ros.ipam import Ipam
from macvlan_ros.notation import parse_pool
from macvlan_ros.opening import open_for
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.settings import Settings

POOL = "bench"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured; times in seconds."""

    processes: int
    reservations: int
    per_second: float
    median: float
    p99: float
    worst: float
    duplicates: int
    lost: int


def measure(url: str, *, processes: int, seconds: float, copy: str = "none") -> Figures:
    """Allocate one new name after the other for `seconds`, in each of `processes`."""
    with_pool = open_ipam(url, copy)
    with_pool.add_pool(parse_pool(POOL, subnet="10.0.0.0/12"))
    context = multiprocessing.get_context("fork")
    start = context.Barrier(processes)
    with context.Pool(processes, initializer=_remember, initargs=(start,)) as workers:
        jobs = [(url, number, seconds, copy) for number in range(processes)]
        results = workers.starmap(_allocate_for, jobs, chunksize=1)
    times = sorted(time for _, times in results for time in times)
    promised = {owner_address for made, _ in results for owner_address in made}
    held = with_pool.reservations(POOL)
    stored = {(each.owner, str(each.address)) for each in held}
    return Figures(
        processes=processes,
        reservations=len(times),
        per_second=len(times) / seconds,
        median=times[len(times) // 2],
        p99=times[len(times) * 99 // 100],
        worst=times[-1],
        duplicates=len(held) - len({each.address for each in held}),
        lost=len(promised - stored),
    )


def open_ipam(url: str, copy: str = "none") -> Ipam:
    """Ipam over the store, with nothing around; `copy` is the folder of an etcd's local copy."""
    settings = Settings(store=url, host="bench", etcd_copy=copy)
    store = open_for(settings, note=print)
    return Ipam(store, surroundings=lambda _: Surroundings(), host="bench")


_start: Barrier


def _remember(start: Barrier) -> None:
    global _start
    _start = start


def _allocate_for(
    url: str, number: int, seconds: float, copy: str
) -> tuple[list[tuple[str, str]], list[float]]:
    ipam = open_ipam(url, copy)
    made: list[tuple[str, str]] = []
    times: list[float] = []
    _start.wait(30)
    began = time.perf_counter()
    end = began + seconds
    while began < end:
        owner = f"p{number}-{len(made)}"
        (allocation,) = ipam.allocate(POOL, [owner])
        now = time.perf_counter()
        times.append(now - began)
        began = now
        made.append((owner, str(allocation.reservation.address)))
    return made, times


def measure_floor(path: Path, *, seconds: float) -> float:
    """Synced inserts per second of SQLite alone, with nothing chosen, checked or locked by us."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(
            "CREATE TABLE floor (owner TEXT PRIMARY KEY, address TEXT UNIQUE, mac TEXT UNIQUE)"
        )
        end, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            db.execute("INSERT INTO floor VALUES (?1, ?1, ?1)", (f"o{count}",))
            count += 1
    return count / seconds


def describe(found: Figures) -> str:
    """One run in one line."""
    return (
        f"{found.per_second:6.0f}/s   median {milliseconds(found.median)}   "
        f"p99 {milliseconds(found.p99)}   worst {milliseconds(found.worst)}   "
        f"duplicates {found.duplicates}   lost {found.lost}"
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Reservations per second.")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run")
    parser.add_argument("--folder", help="where the files are made (default: the temporary one)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        floor = measure_floor(Path(folder) / "floor.db", seconds=options.seconds)
        one, eight = (
            measure(f"{folder}/{count}.db", processes=count, seconds=options.seconds)
            for count in (1, 8)
        )
    show(
        "reservations in an SQLite file, each one synced",
        [
            ("one process", describe(one)),
            ("8 processes at once, together", describe(eight)),
            ("SQLite's own INSERT, one process", f"{floor:6.0f}/s"),
            ("ratio of one process to that", f"{one.per_second / floor:6.2f}"),
        ],
    )
    if one.duplicates + one.lost + eight.duplicates + eight.lost:
        raise SystemExit("an address was given twice, or a reservation was lost")


if __name__ == "__main__":
    main(sys.argv[1:])
