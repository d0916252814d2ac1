"""What the service costs that watches the LAN: its share of one core, all of its threads together.

Run as root: `python -m bench.bench_service`. A PC of the lab with fifty reserved addresses, all of
them defended, and another machine that sends a thousand frames a second about them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.wire import frames
from tests.lab import Host, Lab
from tests.netns.lan import Machine, repeating

SECONDS = 10.0
SETTLED = 8.0
RATE = 1000
RESERVED = 50
FIRST = 101
STRANGER = "02:00:00:00:09:09"


@dataclass(frozen=True)
class Sender(Machine):
    """A machine of the lab's LAN that sends."""

    pid: int

    @property
    def path(self) -> Path:
        return Path(f"/proc/{self.pid}/ns/net")


def ours(number: int) -> IPAddress:
    """One of the reserved addresses."""
    return IPAddress(f"192.168.50.{FIRST + number % RESERVED}")


def reserve(host: Host) -> None:
    """Fifty reservations, and nothing else in the pool."""
    pool = f"192.168.50.{FIRST}-192.168.50.{FIRST + RESERVED - 1}"
    words = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", pool)
    host.macvlan_ros(*words, check=True)
    owners = [f"owner{number}" for number in range(RESERVED)]
    host.macvlan_ros("allocate", "--no-probe", *owners, check=True)


def seconds_used(process: subprocess.Popen[str]) -> float:
    """Seconds of processor time of all threads."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(process: subprocess.Popen[str]) -> float:
    """The share of one core that the process takes."""
    before, start = seconds_used(process), time.monotonic()
    time.sleep(SECONDS)
    return (seconds_used(process) - before) / (time.monotonic() - start)


def floods(sender: Sender) -> dict[str, AbstractContextManager[None]]:
    """What is on the LAN meanwhile."""

    def flood(made: Callable[[int], bytes]) -> AbstractContextManager[None]:
        return repeating(sender, made, rate=RATE)

    def of_others(number: int) -> bytes:
        return frames.announcement(IPAddress(f"192.168.50.{200 + number % 50}"), STRANGER)

    return {
        "a quiet LAN": nullcontext(),
        f"{RATE} ARP frames a second about others": flood(of_others),
        f"{RATE} announcements a second of ours": flood(
            lambda number: frames.announcement(ours(number), STRANGER)
        ),
        f"{RATE} probes a second for ours": flood(
            lambda number: frames.probe(ours(number), sender.mac)
        ),
    }


def resident(process: subprocess.Popen[str]) -> str:
    """Its resident memory, as the kernel says it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return f"{int(kilobytes) / 1024:.0f} MiB"


def main() -> None:
    """Print the figures."""
    with Lab(hosts=("qtpc",), engines=False) as lab:
        host, other = lab.hosts["qtpc"], lab.add_stranger("192.168.50.30")
        reserve(host)
        sender = Sender(other.name, other.mac, other.pid)
        lines = [f"share of one core that the service takes ({RESERVED} addresses defended)"]
        with (host.folder / "service.log").open("w") as log:
            command = host.macvlan_ros_command("plugin", "serve")
            process = host.popen(*command, stdout=log, stderr=log)
        time.sleep(SETTLED)
        for name, sending in floods(sender).items():
            with sending:
                lines.append(f"  {name:<45} {share(process):7.2%}")
        lines.append(f"  resident memory: {resident(process)}")
        process.terminate()
        process.wait(20)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
