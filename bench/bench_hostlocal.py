"""What an allocation costs as addresses get used: ours beside CNI's host-local.

    python -m bench.bench_hostlocal [--rounds 30] [--plugin /usr/lib/cni/host-local]

host-local is Debian's (containernetworking-plugins); it is a program that is started for each
allocation, as the kubelet does, and its start is in its figures. Ours is measured inside of a
process, as the service does it. So what is compared is how the cost grows, and not the cost. All
sizes are taken in turn, so that they meet the same load.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from netaddr import IPAddress

from bench.bench_etcd import POOL, preset
from bench.bench_store import open_ipam
from bench.figures import milliseconds, seconds, show
from macvlan_ros.notation import parse_pool
from tests.stores.etcd_server import running

HELD = (100, 1_000, 10_000)
_SUBNET = "10.0.0.0/15"

#: Allocates for the name with this number.
Allocate = Callable[[int], object]


def host_local(plugin: str, folder: Path, held: int) -> Allocate:
    """host-local with so many addresses in use, written as it writes them."""
    addresses = folder / POOL
    addresses.mkdir(parents=True)
    first = int(IPAddress("10.0.0.2"))
    for number in range(held):
        (addresses / str(IPAddress(first + number))).write_text(f"old{number}\r\neth0")
    (addresses / "last_reserved_ip.0").write_text(str(IPAddress(first + held - 1)))
    ranges = [[{"subnet": _SUBNET}]]
    ipam = {"type": "host-local", "ranges": ranges, "dataDir": str(folder)}
    config = json.dumps({"cniVersion": "0.4.0", "name": POOL, "ipam": ipam})

    def allocate(number: int) -> None:
        environment = {
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": f"new{number}",
            "CNI_NETNS": "/proc/self/ns/net",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(Path(plugin).parent),
        }
        done = subprocess.run(
            [plugin],
            input=config,
            env=environment,
            text=True,
            check=True,
            capture_output=True,
            timeout=60,
        )
        if "10.0." not in done.stdout:
            raise SystemExit(f"host-local says: {done.stdout}")

    return allocate


def ours(url: str, copy: str, held: int) -> Allocate:
    """Our allocation, in a store that holds so many."""
    preset(url, parse_pool(POOL, subnet=_SUBNET), held)
    ipam = open_ipam(url, copy)
    return lambda number: ipam.allocate(POOL, [f"new{number}"])


def measure(steps: Sequence[Allocate], rounds: int) -> list[float]:
    """The median time of each, in seconds."""
    taken: list[list[float]] = [[] for _ in steps]
    for number in range(-3, rounds):
        for times, step in zip(taken, steps, strict=True):
            spent = seconds(lambda step=step, number=number: step(number))  # type: ignore[misc]
            if number >= 0:  # the first ones open files and connections
                times.append(spent)
    return [statistics.median(times) for times in taken]


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The cost of an allocation by addresses in use.")
    parser.add_argument("--rounds", type=int, default=30, help="allocations at each size")
    parser.add_argument("--plugin", default="/usr/lib/cni/host-local", help="host-local itself")
    options = parser.parse_args(arguments)
    if not Path(options.plugin).exists():
        raise SystemExit(
            f"no {options.plugin}; install it: apt-get install containernetworking-plugins"
        )
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as etcd:
        folder = Path(name)
        rows = []
        for kind, steps in (
            ("host-local", [host_local(options.plugin, folder / f"h{n}", n) for n in HELD]),
            ("SQLite", [ours(f"{folder}/n{n}.db", "none", n) for n in HELD]),
            ("etcd", [ours(etcd.url(f"n{n}"), f"{folder}/copies", n) for n in HELD]),
        ):
            costs = measure(steps, options.rounds)
            shown = "   ".join(
                f"{held}: {milliseconds(cost)}" for held, cost in zip(HELD, costs, strict=True)
            )
            rows.append((kind, f"{shown}   10,000 costs {costs[-1] / costs[0]:.2f} times 100"))
    show("one allocation, median, by how many addresses are in use", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
