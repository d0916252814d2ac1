"""DHCP servers as people have them: dnsmasq, and the one of busybox that small routers run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.netns.lan import Machine

#: Seconds until a server has written down what it was told last.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Row:
    """A row of a server's table."""

    address: str
    mac: str
    name: str
    client: str = ""
    until: int = 0


@dataclass
class Dnsmasq:
    """A running dnsmasq; its table survives it, in the file `leases`."""

    leases: Path
    log: Path

    def table(self) -> list[Row]:
        """Its leases by address, with the client's identifier in hexadecimal."""
        rows = []
        for line in self.leases.read_text().splitlines():
            until, mac, address, name, client = line.split()
            rows.append(Row(address, mac, name, client, int(until)))
        return sorted(rows, key=lambda row: row.address)

    def settled(self, count: int) -> list[Row]:
        """Its table as soon as that has so many rows, or as it is after a while: nobody answers a
        client that gives a lease back."""
        deadline = time.monotonic() + _PATIENCE
        while len(found := self.table()) != count and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


@contextmanager
def dnsmasq(
    machine: Machine,
    folder: Path,
    pool: str,
    *options: str,
    leases: Path | None = None,
    ping: bool = False,
) -> Iterator[Dnsmasq]:
    """A DHCP server on the machine's eth0; it offers at once, unless it is to ping before."""
    server = Dnsmasq(leases or folder / f"leases-{machine.name}", folder / f"log-{machine.name}")
    command = ["nsenter", f"--net={machine.path}", "dnsmasq", "--keep-in-foreground", "--port=0"]
    command += [
        "--conf-file=/dev/null",
        "--user=root",
        "--pid-file=",
        *([] if ping else ["--no-ping"]),
    ]
    command += [f"--dhcp-leasefile={server.leases}", f"--log-facility={server.log}"]
    command += ["--interface=eth0", "--bind-interfaces", f"--dhcp-range={pool}", *options]
    with _running(machine, command):
        yield server


@dataclass
class Udhcpd:
    """A running udhcpd."""

    process: subprocess.Popen[bytes]
    leases: Path

    def table(self) -> list[Row]:
        """Its leases by address; it writes them down every second."""
        time.sleep(1.2)
        words = ["busybox", "dumpleases", "-a", "-f", str(self.leases)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
        rows = []
        for line in done.stdout.splitlines()[1:]:
            mac, address, rest = line.split(maxsplit=2)
            rows.append(Row(address, mac, rest.split()[0]))
        return sorted(rows, key=lambda row: row.address)


@contextmanager
def udhcpd(machine: Machine, folder: Path, first: str, last: str, seconds: int) -> Iterator[Udhcpd]:
    """busybox's DHCP server, with leases of so many seconds."""
    leases, config = folder / f"udhcpd-{machine.name}", folder / f"udhcpd-{machine.name}.conf"
    leases.touch()
    config.write_text(
        f"start {first}\nend {last}\ninterface eth0\nlease_file {leases}\npidfile /dev/null\n"
        f"auto_time 1\nmin_lease {min(seconds, 5)}\noption subnet 255.255.255.0\n"
        f"option lease {seconds}\n"
    )
    command = ["nsenter", f"--net={machine.path}", "busybox", "udhcpd", "-f", str(config)]
    with _running(machine, command) as process:
        yield Udhcpd(process, leases)


@contextmanager
def _running(machine: Machine, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 5
        while ":67 " not in machine.run("ss", "-lun"):
            assert process.poll() is None, "the DHCP server ended"
            assert time.monotonic() < end, "no DHCP server came up"
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        process.wait(10)
