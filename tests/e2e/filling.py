"""Processes of one host that reserve addresses: `python -m tests.e2e.filling URL HOST FOLDER COUNT
SECONDS`. Each allocation, and each refusal, is one line of JSON on standard output.

With COUNT owners for each process it ends when all are served, else when the pool is full; after
SECONDS it ends in any case.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from macvlan_ros.errors import PoolExhausted, StoreDown
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores.copied import CopiedStore
from macvlan_ros.stores.settling import Lost

POOL = "lab"
PROCESSES = 8


@dataclass(frozen=True)
class Line:
    """What became of one request; `ended` is on the clock that all processes share, `seconds` how
    long it took, `address` "" when it was refused, for the reason `said`."""

    owner: str
    host: str
    ended: float
    seconds: float
    tries: int
    address: str = ""
    said: str = ""


class CountingStore(CopiedStore):
    """Counts how often something was to be reserved."""

    tries = 0

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        self.tries += 1
        return super().reserve(wanted)


def fill(url: str, host: str, folder: Path, number: int, *, count: int, seconds: float) -> None:
    """Reserve one address after the other, each for an owner of its own."""
    end = time.monotonic() + seconds
    store = CountingStore(url, copy=folder / "copy.db", host=host, witness=_no_witness)
    with closing(store):
        ipam = Ipam(store, surroundings=lambda _: Surroundings(), host=host)
        made = 0
        while time.monotonic() < end and (made < count or not count):
            line = _allocate(ipam, store, f"{host}-{number}-{made}", host)
            if line is None:
                return
            os.write(1, f"{json.dumps(asdict(line))}\n".encode())
            made += bool(line.address)
            if not line.address:
                time.sleep(0.05)


def _allocate(ipam: Ipam, store: CountingStore, owner: str, host: str) -> Line | None:
    before, began = store.tries, time.monotonic()
    address = said = ""
    try:
        address = str(ipam.allocate(POOL, [owner])[0].reservation.address)
    except PoolExhausted:
        return None
    except StoreDown as error:
        said = str(error)
    now = time.monotonic()
    return Line(owner, host, now, now - began, store.tries - before, address, said)


def _no_witness(lost: Lost) -> Record:
    raise AssertionError(f"nothing gets lost here: {lost}")


def main() -> None:
    url, host, folder, count, seconds = sys.argv[1:]
    context = get_context("fork")
    workers = [
        context.Process(
            target=fill,
            args=(url, host, Path(folder), number),
            kwargs={"count": int(count), "seconds": float(seconds)},
        )
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))


if __name__ == "__main__":
    main()
