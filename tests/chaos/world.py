"""The PCs, their services and engines, and the store that they share."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import started
from tests.e2e.clock import CLOCK, set_clock
from tests.e2e.members import Members
from tests.e2e.plugin_host import IMAGE, SUBNET, PluginHost
from tests.lab import Host, Lab

KINDS = ("etcd", "sqlite")
#: The folder that is filled up, and how large it is.
STATE, ROOM = "/var/lib/macvlan-ros", "6m"
STACK = """
x-macvlan-ros: {{pool: lab}}
services:
  {host}-core: {{image: "ros:lab"}}
  {host}-talker: {{image: "ros:lab"}}
"""


@dataclass
class Book:
    """What people were told: addresses by owner, and of whom it is not known what became.
    `owners` are those of containers, by name."""

    static: dict[str, str] = field(default_factory=dict)
    macs: dict[str, str] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)


class World:
    """One PC with SQLite, or three with a member of etcd each, of which two have an engine."""

    def __init__(self, lab: Lab, kind: str, seed: int) -> None:
        self.lab = lab
        self.kind = kind
        self.chance = random.Random(seed)
        self.pcs = [PluginHost(host) for host in lab.hosts.values() if host.engine.pid]
        self.members = Members(lab) if kind == "etcd" else None
        self.book = Book()
        self.said: list[str] = []
        #: MACs of containers that run although a store that was put back knows nothing of them.
        self.unknown: set[str] = set()
        self._count = 0
        self._began = time.monotonic()

    def number(self) -> int:
        self._count += 1
        return self._count

    def say(self, who: str, what: str) -> None:
        """A line of the report, which is printed as it happens."""
        line = f"{time.monotonic() - self._began:7.1f}  {who:<6} {what}"
        self.said.append(line)
        print(line, flush=True)  # noqa: T201

    def set_up(self) -> None:
        store = f"{STATE}/state.db"
        if self.members is not None:
            self.members.start()
            store = f"{self.members.url}/chaos"
        for pc in self.pcs:
            host = pc.host
            host.import_image(IMAGE)
            host.run("mount", "-t", "tmpfs", "-o", f"size={ROOM}", "chaos", STATE)
            set_clock(host, 0)
            host.path("/etc/macvlan-ros.conf").write_text(f"[macvlan-ros]\nstore = {store}\n")
            folder = self.folder(host)
            folder.mkdir()
            (folder / "compose.yaml").write_text(STACK.format(host=host.name))
            pc.start(before=CLOCK)
        pool = ("pool", "add", "lab", "--subnet", SUBNET, "--range", "192.168.50.192/27")
        self.pcs[0].host.macvlan_ros(*pool, "--gateway", "192.168.50.1", "--no-probe", check=True)
        for pc in self.pcs:
            pc.network("lan", "--subnet", SUBNET, "--ipam-opt", "pool=lab")

    @staticmethod
    def folder(host: Host) -> Path:
        """Where the host's stack is."""
        return host.folder / "stack"

    @staticmethod
    def start_service(pc: PluginHost) -> None:
        if not pc.runs:
            pc.start(before=CLOCK)

    def containers(self, pc: PluginHost, *, all_of_them: bool = False) -> list[str]:
        """The names of those that run, or of all; none while the engine does not."""
        if pc.host.engine.pid is None:
            return []
        found = pc.host.engine.call("GET", f"/containers/json?all={int(all_of_them)}")
        return sorted(one["Names"][0].lstrip("/") for one in found)

    def macs_that_run(self, pc: PluginHost) -> set[str]:
        """Of the containers that run there."""
        networks = [
            pc.host.engine.call("GET", f"/containers/{name}/json")["NetworkSettings"]["Networks"]
            for name in self.containers(pc)
        ]
        return {str(end["MacAddress"]) for each in networks for end in each.values()}

    def listed(self, pc: PluginHost) -> list[dict[str, Any]]:
        """The reservations, as the PC's command line lists them."""
        return list(json.loads(pc.host.macvlan_ros("list", "--json", check=True).stdout))


@contextlib.contextmanager
def made(kind: str, seed: int) -> Iterator[World]:
    """A world that is ready to go wrong."""
    hosts = ("qtpc", "qtrp", "qtnx") if kind == "etcd" else ("qtpc",)
    with started(hosts=hosts, engines=hosts[:2]) as lab:
        world = World(lab, kind, seed)
        world.set_up()
        yield world
