"""A PC of the lab whose Docker asks our plugin."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import CommandFailed, Host, LabError
from tests.lab.host import ROOT
from tests.plugin.client import Client

IMAGE = "ros:lab"
SOCKET = "/run/docker/plugins/macvlan-ros.sock"
SUBNET = "192.168.50.0/24"


# SQLite finds its file by its real path, which is another one outside of the host. Former addresses
# and strangers' marks are forgotten in time.
REMEMBERED = """
import sqlite3
db = sqlite3.connect("/var/lib/macvlan-ros/state.db")
kept = "SELECT kind, key FROM records WHERE kind NOT IN ('former', 'stranger', 'host')"
for row in db.execute(kept): print(*row)
for row in db.execute("SELECT 'a pool', name FROM pools"): print(*row)
"""
LOCKED = """
import sqlite3, sys
db = sqlite3.connect("/var/lib/macvlan-ros/state.db", isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


def within(seconds: float, ask: Callable[[], bool]) -> bool:
    """Whether `ask()` comes true in that time."""
    end = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True)
class Interface:
    """What a container has: its address with prefix length, its MAC, its default gateway."""

    address: str
    mac: str
    gateway: str


class PluginHost:
    """A host and its plugin service, which a test starts, stops and kills at will."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.log = host.folder / "plugin.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str, before: Sequence[str] = ()) -> None:
        """Start the service; returns when it answers. `before` are words that take rights away."""
        with self.log.open("a") as log:
            self._process = self.host.popen(
                *before,
                sys.executable,
                "-m",
                "macvlan_ros",
                "plugin",
                "serve",
                *options,
                env={"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        assert within(20, self.answers), self.log.read_text()[-2000:]

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.client.call("IpamDriver.GetDefaultAddressSpaces").status == 200
        return False

    @property
    def client(self) -> Client:
        return Client(self.host.path(SOCKET))

    @property
    def pid(self) -> int:
        """The service's process, below the programs that put it into the host."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a crash would."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """As systemd does; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(20)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def docker(self, *words: str, check: bool = True, timeout: float = 60) -> str:
        return self.host.docker(*words, check=check, timeout=timeout)

    def refused(self, *words: str) -> str:
        """What docker says when it refuses."""
        try:
            said = self.docker(*words)
        except CommandFailed as error:
            return str(error)
        raise AssertionError(f"docker {' '.join(words)} was not refused: {said}")

    def network(self, name: str = "lan", *options: str, driver: str = "macvlan-ros") -> None:
        """A network with our IPAM over eth0. Unless `options` say another subnet, what nobody asks
        for by number, the shim's address among it, is none that a test asks for."""
        words = ["-d", driver, "--ipam-driver", "macvlan-ros", "-o", "parent=eth0", *options]
        if not any(word.startswith(("--subnet", "--ipam-opt")) for word in options):
            words += ["--subnet", SUBNET, "--ip-range", "192.168.50.192/26"]
        self.docker("network", "create", *words, name)

    def run(self, name: str, *options: str, network: str = "lan") -> Interface:
        """Start a container that rests; what it has on the network."""
        self.docker("run", "-d", "--name", name, "--network", network, *options, IMAGE)
        return self.interface(name)

    def interface(self, name: str, link: str = "eth0") -> Interface:
        """What a container really has, asked inside of it."""
        script = f"ip addr show {link} && ip route"
        shown = self.host.run(*self.host.into(name), "sh", "-c", script).stdout
        address = re.search(r"inet (\S+)", shown)
        mac = re.search(r"link/ether (\S+)", shown)
        gateway = re.search(r"default via (\S+)", shown)
        assert address and mac, shown
        return Interface(address[1], mac[1], gateway[1] if gateway else "")

    def reaches(self, name: str, address: str) -> bool:
        target = address.partition("/")[0]
        ping = ("busybox", "ping", "-c", "1", "-W", "2", target)
        try:
            return self.host.run(*self.host.into(name), *ping, check=False).returncode == 0
        except LabError:
            return False

    def reservations(self, *, shims: bool = False) -> dict[str, dict[str, Any]]:
        """What the command line lists, by address; what shims hold only with `shims`."""
        listed = json.loads(self.host.macvlan_ros("list", "--json", check=True).stdout)
        return {
            each["address"]: each
            for each in listed
            if shims or not each["owner"].startswith("shim-")
        }

    def remembered(self) -> list[str]:
        """What the store knows of networks, endpoints, containers in use, and pools."""
        return self.host.run(sys.executable, "-c", REMEMBERED).stdout.splitlines()

    @contextlib.contextmanager
    def store_locked(self) -> Iterator[None]:
        """Somebody else has the store's file locked."""
        locker = self.host.popen(
            sys.executable, "-c", LOCKED, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert locker.stdin and locker.stdout
        assert locker.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            locker.communicate("enough\n", timeout=10)

    def links(self) -> set[str]:
        """The names of the links in the host's namespace."""
        return {path.name for path in self.host.path("/sys/class/net").iterdir()}

    def own_links(self) -> set[str]:
        """Links of our endpoints in the host's namespace: none, but for a moment. Those by which
        the service asks come and go."""
        shown = self.host.run("ip", "-br", "link").stdout
        return set(re.findall(r"^(mvr(?!ask-)[^-@ ][^@ ]*)", shown, re.MULTILINE))

    def clear(self) -> None:
        """Remove all containers and networks, with the plugin there to hear of it."""
        if self.host.engine.pid is None:
            self.host.start_engine()
        if not self.runs:
            self.start()
        self.clear_containers()
        self.docker("network", "prune", "-f")
        self.stop()

    def clear_containers(self) -> None:
        """Remove all containers, one after the other."""
        for container in self.host.docker("ps", "-aq").split():
            self.docker("rm", "-f", container)


@contextlib.contextmanager
def plugged(host: Host) -> Iterator[PluginHost]:
    """The host with a running plugin; all is cleared away at the end."""
    host.import_image(IMAGE)
    made = PluginHost(host)
    made.start()
    try:
        yield made
    finally:
        made.clear()


def left_over(pc: PluginHost) -> list[str]:
    """What stays in the store and in the kernel."""
    return [*pc.reservations(), *pc.own_links(), *pc.remembered()]


def read(path: Path) -> str:
    return path.read_text(errors="replace")
