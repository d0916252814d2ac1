"""One burst over a /24 beside `arping -D`, 64 at a time, on the same LAN in one run.

Run as root: `python -m bench.bench_arp`. Uses network namespaces only.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from netaddr import IPAddress

from macvlan_ros.wire.arp import Wire
from tests.netns.lan import Lan, Machine, make_lan

ADDRESSES = [IPAddress(f"192.168.50.{last}") for last in range(1, 255)]
LIVE = ADDRESSES[19:99]
ROUNDS = 5
AT_ONCE = 64


def populate(lan: Lan) -> Machine:
    """Four machines with twenty addresses each; returns a fifth, which asks."""
    for first in range(0, len(LIVE), 20):
        lan.add(*(f"{address}/24" for address in LIVE[first : first + 20]))
    return lan.add("192.168.50.1/24")


def burst(wire: Wire) -> tuple[float, int]:
    """Seconds that one probe of all addresses takes, and how many it finds."""
    start = time.perf_counter()
    found = wire.probe(ADDRESSES)
    return time.perf_counter() - start, len(found)


def arping(asker: Machine, address: IPAddress) -> bool:
    """Whether `arping -D` finds the address in use, which it tells by exit code 1."""
    command = ["nsenter", f"--net={asker.path}", "arping", "-D", "-q", "-I", "eth0"]
    done = subprocess.run(
        [*command, "-c", "2", "-w", "2", str(address)], capture_output=True, check=False, timeout=30
    )
    return done.returncode == 1


def arpings(asker: Machine) -> tuple[float, int]:
    """The same as `burst`, by arping."""
    start = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = sum(threads.map(lambda address: arping(asker, address), ADDRESSES))
    return time.perf_counter() - start, found


def main() -> None:
    """Print the figures."""
    with make_lan() as lan:
        asker = populate(lan)
        with Wire("eth0", namespace=asker.path) as wire:
            bursts = [burst(wire) for _ in range(ROUNDS)]
        taken, found = median(seconds for seconds, _ in bursts), min(number for _, number in bursts)
        peer_taken, peer_found = arpings(asker)
    lines = [
        f"probing {len(ADDRESSES)} addresses, {len(LIVE)} of them live",
        f"  one burst, median of {ROUNDS}        {taken:6.2f} s   found {found}",
        f"  arping -D -c 2 -w 2, {AT_ONCE} at a time {peer_taken:6.2f} s   found {peer_found}",
        f"  ratio                          {peer_taken / taken:6.1f}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
