"""Reservations per second in one etcd, beside SQLite's: one process, then 8 at once, at different
numbers of addresses in use; and how many tries an allocation takes as a pool fills.

    python -m bench.bench_etcd [--seconds 2] [--pool 1000]

Each process keeps the local copy, as the command line does; while a pool fills, none does. The etcd
is a real one, started here on the loopback, with its data in a temporary folder.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from netaddr import IPAddress

from bench.bench_store import describe, measure
from bench.figures import milliseconds, show
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores import open_store
from macvlan_ros.stores.etcd import EtcdStore
from tests.stores.etcd_server import running

POOL = "bench"
PROCESSES = 8
_MARKS = (0, 20, 40, 60, 80, 90, 95, 100)


class CountingStore(EtcdStore):
    """Counts how often something was to be reserved, successful or not."""

    tries = 0

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        self.tries += 1
        return super().reserve(wanted)


@dataclass(frozen=True, slots=True)
class Step:
    """One allocation: when (monotonic seconds), after how many tries, in how many seconds."""

    at: float
    tries: int
    seconds: float
    address: str


_start: Barrier


def _remember(start: Barrier) -> None:
    global _start
    _start = start


def _ipam(store: EtcdStore) -> Ipam:
    return Ipam(store, surroundings=lambda _: Surroundings(), host="bench")


def _fill(url: str, number: int, count: int) -> list[Step]:
    steps = []
    with closing(CountingStore(url)) as store:
        ipam = _ipam(store)
        store.pools()
        _start.wait(60)
        for index in range(count):
            before, began = store.tries, time.perf_counter()
            (made,) = ipam.allocate(POOL, [f"p{number}-{index}"])
            ended = time.perf_counter()
            address = str(made.reservation.address)
            steps.append(Step(ended, store.tries - before, ended - began, address))
    return steps


def fill(url: str, *, size: int) -> list[Step]:
    """Fill a pool of exactly `size` addresses by 8 processes at once; each allocation in order."""
    first = IPAddress("10.64.0.1")
    pool = parse_pool(POOL, subnet="10.64.0.0/12", ranges=[f"{first}-{first + (size - 1)}"])
    with closing(EtcdStore(url)) as store:
        store.add_pool(pool)
    context = multiprocessing.get_context("fork")
    parts = [size // PROCESSES + (number < size % PROCESSES) for number in range(PROCESSES)]
    start = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_remember, initargs=(start,)) as workers:
        jobs = [(url, number, part) for number, part in enumerate(parts)]
        done = workers.starmap(_fill, jobs, chunksize=1)
    steps = sorted((step for part in done for step in part), key=lambda step: step.at)
    with closing(EtcdStore(url)) as store:
        held = {str(each.address) for each in store.reservations(POOL)}
        faults = store.inspect()
    if len({step.address for step in steps}) != size or len(held) != size or faults:
        raise SystemExit("an address was given twice, or a reservation was lost")
    return steps


def preset(url: str, pool: Pool, number: int) -> None:
    """Hold so many addresses of the pool, spread over it."""
    with closing(open_store(url)) as store:
        store.add_pool(pool)
        stride = 7
        held = [
            Reservation(
                pool.name,
                IPAddress(int(pool.subnet.first) + 1 + stride * n),
                f"old{n}",
                f"02:ff:{n >> 24 & 255:02x}:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
            )
            for n in range(number)
        ]
        for at in range(0, number, 500):
            store.reserve(held[at : at + 500])


def _print_filling(steps: Sequence[Step]) -> None:
    rows = []
    for low, high in itertools.pairwise(_MARKS):
        part = steps[len(steps) * low // 100 : len(steps) * high // 100]
        times = sorted(step.seconds for step in part)
        tries = sum(step.tries for step in part) / len(part)
        rows.append(
            (
                f"{low} to {high} % full",
                f"{tries:5.2f} tries   median {milliseconds(times[len(times) // 2])}   "
                f"p99 {milliseconds(times[len(times) * 99 // 100])}",
            )
        )
    spent = max(step.at for step in steps) - min(step.at for step in steps)
    rows.append(("all of it", f"{len(steps) / spent:6.0f}/s"))
    show(f"a pool of exactly {len(steps)} addresses, filled by 8 processes on one etcd", rows)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Reservations per second in etcd.")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run")
    parser.add_argument("--pool", type=int, default=1000, help="size of the pool that is filled")
    options = parser.parse_args(arguments)
    pool = parse_pool(POOL, subnet="10.0.0.0/12")
    rows = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as etcd:
        for held in (100, 1_000, 10_000):
            for name, url in (("etcd", etcd.url(f"n{held}")), ("SQLite", f"{folder}/n{held}.db")):
                preset(url, pool, held)
                for count in (1, PROCESSES):
                    found = measure(
                        url, processes=count, seconds=options.seconds, copy=f"{folder}/copies"
                    )
                    if found.duplicates + found.lost:
                        raise SystemExit("an address was given twice, or a reservation was lost")
                    rows.append((f"{name}, {held} held, {count} at once", describe(found)))
        show("reservations in a pool of 1,048,576 addresses", rows)
        _print_filling(fill(etcd.url("filled"), size=options.pool))


if __name__ == "__main__":
    main(sys.argv[1:])
