"""Many hosts of 60 containers against one etcd: what an allocation costs as the pool fills.

    python -m bench.bench_simulation [--hosts 1000] [--each 60] [--plot docs/simulation.svg]

With 1,000 hosts it takes half an hour on two busy cores; without the option there are 200.

No engine is there: each host is its calls, and keeps no copy. It starts its containers as two
stacks, each of which is reserved in one transaction; two hosts launch at a time. The pool is so
large that all of them fill 95 % of it. At eleven marks on the way 8 processes at once reserve
addresses one by one, for containers that come and go.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Semaphore
from pathlib import Path

from netaddr import IPAddress

from bench.bench_etcd import CountingStore
from bench.figures import milliseconds, show
from bench.plot import Curve, plot
from macvlan_ros.ipam import Ipam
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores import audit
from macvlan_ros.stores.etcd import EtcdStore
from tests.stores.etcd_server import running

POOL = "bench"
PROCESSES = 8
STACKS = 2
FULL = 0.95
_MARKS = 10
_AT_ONCE = 2  # hosts that launch
_PASSING = 12  # single allocations of each process at each mark
_PATIENCE = 120.0  # seconds: the machine may be busy, and 60,000 reservations are read at the end

_store: CountingStore
_start: Barrier
_launching: Semaphore


@dataclass(frozen=True, slots=True)
class Cost:
    """What allocations cost when the pool was so full: tries for each call, times in seconds."""

    percent: float
    launch: float
    launch_tries: float
    median: float
    p99: float
    tries: float


def _open(url: str, start: Barrier, launching: Semaphore) -> None:
    global _store, _start, _launching
    _store, _start, _launching = CountingStore(url, patience=_PATIENCE), start, launching


def _ipam() -> Ipam:
    return Ipam(_store, surroundings=lambda _: Surroundings(), host="bench")


def _launch(host: int, each: int) -> list[tuple[float, int]]:
    """Reserve a host's containers; the time and the tries of each stack."""
    costs = []
    for stack in range(STACKS):
        names = [f"h{host}-s{stack}-c{number}" for number in range(each // STACKS)]
        with _launching:
            before, began = _store.tries, time.perf_counter()
            _ipam().allocate(POOL, names)
            costs.append((time.perf_counter() - began, _store.tries - before))
    return costs


def _come_and_go(mark: int, process: int) -> list[tuple[float, int]]:
    """Reserve one by one, at the same time as the other processes; then give all of it up."""
    ipam, costs = _ipam(), []
    names = [f"passing-{mark}-{process}-{number}" for number in range(_PASSING)]
    _start.wait(600)
    for name in names:
        before, began = _store.tries, time.perf_counter()
        ipam.allocate(POOL, [name])
        costs.append((time.perf_counter() - began, _store.tries - before))
    _start.wait(600)
    ipam.release(POOL, names)
    return costs


def simulate(url: str, *, hosts: int, each: int) -> list[Cost]:
    """Fill the pool, and see what it costs on the way."""
    size = max(round(hosts * each / FULL), hosts * each + 2 * PROCESSES * _PASSING)
    first = IPAddress("10.64.0.1")
    pool = parse_pool(POOL, subnet="10.64.0.0/12", ranges=[f"{first}-{first + (size - 1)}"])
    store = EtcdStore(url, patience=_PATIENCE)
    store.add_pool(pool)
    context = multiprocessing.get_context("fork")
    start, launching = context.Barrier(PROCESSES), context.Semaphore(_AT_ONCE)
    costs, done, launched = [], 0, [(0.0, 0)]
    with context.Pool(PROCESSES, initializer=_open, initargs=(url, start, launching)) as workers:
        for mark in range(_MARKS + 1):
            goal = round(hosts * mark / _MARKS)
            found = workers.starmap(_launch, [(host, each) for host in range(done, goal)], 1)
            launched = [cost for host in found for cost in host] or launched
            done = goal
            singles = workers.starmap(
                _come_and_go, [(mark, process) for process in range(PROCESSES)], 1
            )
            costs.append(_cost(done * each / size, launched, [c for one in singles for c in one]))
    held = store.reservations(POOL)
    faults = audit.find_faults(store)
    if len(held) != hosts * each or len({one.address for one in held}) != len(held) or faults:
        raise SystemExit("an address was given twice, or a reservation was lost")
    return costs


def _cost(
    full: float, launches: Sequence[tuple[float, int]], singles: Sequence[tuple[float, int]]
) -> Cost:
    times = sorted(spent for spent, _ in singles)
    return Cost(
        percent=100 * full,
        launch=sorted(spent for spent, _ in launches)[len(launches) // 2],
        launch_tries=sum(tries for _, tries in launches) / len(launches),
        median=times[len(times) // 2],
        p99=times[len(times) * 99 // 100],
        tries=sum(tries for _, tries in singles) / len(singles),
    )


def draw(costs: Sequence[Cost]) -> str:
    """The tries of an allocation as a plot: unlike times, they do not depend on the machine."""
    return plot(
        "Tries for an allocation as the pool fills",
        [
            Curve("one address, 8 at once", [(c.percent, c.tries) for c in costs]),
            Curve("a stack, 2 at once", [(c.percent, c.launch_tries) for c in costs if c.launch]),
        ],
        x="% of the pool in use",
        y="tries",
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Many hosts against one etcd.")
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--each", type=int, default=60, help="containers of a host")
    parser.add_argument("--plot", type=Path, help="also draw it into this file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as etcd:
        began = time.monotonic()
        costs = simulate(etcd.url(), hosts=options.hosts, each=options.each)
        spent = time.monotonic() - began
    rows = [
        (
            f"{cost.percent:3.0f} % full",
            f"{cost.tries:.2f} tries   median {milliseconds(cost.median)}   "
            f"p99 {milliseconds(cost.p99)}   a stack of {options.each // STACKS}: "
            f"{cost.launch_tries:.2f} tries, {milliseconds(cost.launch)}",
        )
        for cost in costs
    ]
    rows.append(("all of it", f"{options.hosts * options.each} addresses in {spent:.0f} s"))
    show(f"{options.hosts} hosts of {options.each} containers", rows)
    if options.plot:
        options.plot.write_text(draw(costs), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
