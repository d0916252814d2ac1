"""What the watcher costs: on a quiet LAN, and on one with a thousand ARP frames a second.

Run as root: `python -m bench.bench_watch`. Uses network namespaces only.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.defence.watcher import Watcher
from macvlan_ros.wire import frames
from tests.netns.lan import Lan, Machine, make_lan, repeating

SECONDS = 5.0
RATE = 1000
STRANGER = "02:00:00:00:09:09"
OURS = "02:00:00:00:08:01"
RUNNING = {IPAddress(f"192.168.50.{last}"): OURS for last in range(50, 100)}
DEFENDED = {IPAddress(f"192.168.50.{last}"): OURS for last in range(100, 150)}


def share(watcher: Watcher) -> float:
    """The share of one core that the watcher takes."""
    stat = Path(f"/proc/self/task/{watcher.thread_id}/schedstat")
    before, start = int(stat.read_text().split()[0]), time.monotonic()
    time.sleep(SECONDS)
    return (int(stat.read_text().split()[0]) - before) / 1e9 / (time.monotonic() - start)


def traffic(lan: Lan, first: int) -> AbstractContextManager[None]:
    """A thousand announcements a second about fifty addresses from `first` on."""
    sender: Machine = lan.add()

    def frame(number: int) -> bytes:
        address = IPAddress(f"192.168.50.{first + number % 50}")
        return frames.announcement(address, STRANGER, source=sender.mac)

    return repeating(sender, frame, rate=RATE)


def main() -> None:
    """Print the figures."""
    logging.disable(logging.WARNING)  # which conflicts there are is not the question here
    with make_lan() as lan:
        host = lan.add("192.168.50.11/24")
        cases: dict[str, AbstractContextManager[None]] = {
            "a quiet LAN": nullcontext(),
            f"{RATE} ARP frames a second about others": traffic(lan, 200),
            f"{RATE} ARP frames a second about our own": traffic(lan, 50),
        }
        lines = ["share of one core that the watcher takes (100 addresses)"]
        with Watcher(
            "eth0", defended=lambda: DEFENDED, running=lambda: RUNNING, namespace=host.path
        ) as watcher:
            for name, sending in cases.items():
                with sending:
                    lines.append(f"  {name:<45} {share(watcher):7.2%}")
        lines.append(f"  frames lost: {watcher.counts.lost}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
