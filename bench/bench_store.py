"""Reservations per second: one process, then 8 at once on the same SQLite file.

    python -m bench.bench_store [--seconds 3] [--folder DIR]

Counts only what was committed and synced, then reads the file back and counts duplicates, which
have to be none.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from macvlan_ros.addresses import parse_pool
from macvlan_ros.ipam import Ipam, Surroundings
from macvlan_ros.stores import open_store

POOL = "bench"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured; times in milliseconds."""

    processes: int
    reservations: int
    per_second: float
    median: float
    p99: float
    worst: float
    duplicates: int
    lost: int


def measure(path: Path, *, processes: int, seconds: float) -> Figures:
    """Allocate one new name after the other for `seconds`, in each of `processes`."""
    with_pool = open_ipam(path)
    with_pool.add_pool(parse_pool(POOL, subnet="10.0.0.0/12"))
    context = multiprocessing.get_context("fork")
    start = context.Barrier(processes)
    with context.Pool(processes, initializer=_remember, initargs=(start,)) as workers:
        jobs = [(path, number, seconds) for number in range(processes)]
        results = workers.starmap(_allocate_for, jobs, chunksize=1)
    times = sorted(time for _, times in results for time in times)
    promised = {owner_address for made, _ in results for owner_address in made}
    held = with_pool.reservations(POOL)
    stored = {(each.owner, str(each.address)) for each in held}
    return Figures(
        processes=processes,
        reservations=len(times),
        per_second=len(times) / seconds,
        median=times[len(times) // 2] * 1000,
        p99=times[len(times) * 99 // 100] * 1000,
        worst=times[-1] * 1000,
        duplicates=len(held) - len({each.address for each in held}),
        lost=len(promised - stored),
    )


def open_ipam(path: Path) -> Ipam:
    """Ipam over the file, with nothing around."""
    return Ipam(open_store(str(path)), surroundings=lambda _: Surroundings(), host="bench")


_start: Barrier


def _remember(start: Barrier) -> None:
    global _start
    _start = start


def _allocate_for(
    path: Path, number: int, seconds: float
) -> tuple[list[tuple[str, str]], list[float]]:
    ipam = open_ipam(path)
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--folder", help="where the files are made (default: the temporary one)")
    options = parser.parse_args()
    print("processes  reservations  per second  median ms  p99 ms  worst ms  duplicates  lost")
    for processes in (1, 8):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found = measure(Path(folder) / "state.db", processes=processes, seconds=options.seconds)
        print(
            f"{found.processes:9}  {found.reservations:12}  {found.per_second:10.0f}"
            f"  {found.median:9.2f}  {found.p99:6.1f}  {found.worst:8.1f}"
            f"  {found.duplicates:10}  {found.lost:4}"
        )


if __name__ == "__main__":
    main()
