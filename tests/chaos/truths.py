"""Truths: what holds after whatever has happened."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.errands import Trouble
from tests.chaos.world import World
from tests.e2e.plugin_host import IMAGE, PluginHost
from tests.lab import LabError

#: Seconds until all is as it should be again, once nothing is broken any more.
SETTLED = 90.0
OURS = "192.168.50."


@dataclass(frozen=True)
class Inside:
    """What a running container has on the LAN, asked inside of it."""

    host: str
    name: str
    address: str
    mac: str


def check(world: World) -> None:
    """Raises Trouble, at once where something must never be, or when it stays so."""
    end = time.monotonic() + SETTLED
    while True:
        running = [one for pc in world.pcs for one in inside(world, pc)]
        no_address_twice(world, running)
        wrong = list(_wrong(world, running))
        if not wrong:
            break
        if time.monotonic() > end:
            raise Trouble("; ".join(wrong))
        time.sleep(0.3)
    settle_doubts(world)
    for pc in world.pcs:
        works(world, pc, until=time.monotonic() + SETTLED)
        _, failed, why = pc.log.read_text(errors="replace").partition("Traceback")
        if failed:
            raise Trouble(f"the service on {pc.host.name} failed: {failed}{why[:4000]}")


def inside(world: World, pc: PluginHost) -> list[Inside]:
    """All running containers of the PC with an address on the LAN."""
    found = []
    for name in world.containers(pc):
        try:
            shown = pc.host.run(*pc.host.into(name), "ip", "-json", "address").stdout
        except LabError:
            continue  # it has just ended
        for link in json.loads(shown):
            for each in link["addr_info"]:
                if each["local"].startswith(OURS):
                    found.append(Inside(pc.host.name, name, each["local"], link["address"]))
    return found


def no_address_twice(world: World, running: list[Inside]) -> None:
    """Neither among containers, nor with a PC's own; nor a MAC."""
    own = [host.address for host in world.lab.hosts.values()]
    for values in ([*own, *(one.address for one in running)], [one.mac for one in running]):
        twice = [value for value, number in Counter(values).items() if number > 1]
        if twice:
            raise Trouble(f"{twice} twice: {running}")


def _wrong(world: World, running: list[Inside]) -> Iterator[str]:
    """What is not as it should be, yet."""
    for pc in world.pcs:
        listed = pc.host.macvlan_ros("list", "--json")
        if listed.returncode:
            yield f"list on {pc.host.name}: {listed.stderr.strip()}"
            return
        if "this PC's copy" in listed.stderr:
            yield f"list on {pc.host.name} has a copy only"
            return
        rows = {row["address"]: row for row in json.loads(listed.stdout)}
        for one in running:
            yield from _unlisted(world, one, rows.get(one.address))
        stands = {row["owner"]: row["address"] for row in rows.values() if row["kind"] == "static"}
        for owner, address in world.book.static.items():
            if owner not in world.book.doubtful and stands.get(owner) != address:
                yield f"{owner} was promised {address}, and has {stands.get(owner)}"
        for owner in stands.keys() - world.book.static.keys() - world.book.doubtful:
            if not owner.startswith("shim-"):
                yield f"{owner} has {stands[owner]}, and nobody wanted it"
        if pc.host.macvlan_ros("store", "check").returncode:
            yield f"store check on {pc.host.name}"


def _unlisted(world: World, one: Inside, row: dict[str, str] | None) -> Iterator[str]:
    if row is None:
        if one.mac not in world.unknown:
            yield f"{one} has an address that stands nowhere"
    elif row["kind"] == "static":
        owner = world.book.owners.get(one.name) or one.name
        if row["owner"] != owner and one.mac not in world.unknown:
            yield f"{one} has the address of {row['owner']}"
        if one.mac in world.unknown and row["mac"] != one.mac:
            yield f"the address of {one}, which a lost store knew, was given to {row['owner']}"
    elif row["mac"] != one.mac:
        yield f"the address of {one} was given to {row['mac']}"


def settle_doubts(world: World) -> None:
    """What became of those whose command was refused or killed: both is right, but no other
    address than the one that was promised once."""
    if not world.book.doubtful:
        return
    rows = {row["owner"]: row for row in world.listed(world.pcs[0])}
    for owner in sorted(world.book.doubtful):
        if owner not in rows:
            world.book.static.pop(owner, None)
            continue
        before = world.book.static.get(owner, rows[owner]["address"])
        if rows[owner]["address"] != before:
            raise Trouble(f"{owner} was promised {before}, and has {rows[owner]['address']}")
        world.book.static[owner] = before
        world.book.macs[owner] = rows[owner]["mac"]
    world.book.doubtful.clear()


def works(world: World, pc: PluginHost, *, until: float) -> None:
    """A new container starts, and has an address; dockerd answers."""
    name = f"{pc.host.name}-new{world.number()}"
    said = ""
    while time.monotonic() < until:
        words = ("run", "-d", "--name", name, "--network", "lan", IMAGE)
        done = pc.host.run(*pc.host.engine.cli(), *words, check=False)
        if not done.returncode:
            no_address_twice(world, [one for each in world.pcs for one in inside(world, each)])
        pc.host.docker("rm", "-f", name, check=False)
        if not done.returncode:
            return
        said = done.stderr
        if "is full" in said or "no address left" in said:
            return  # a refusal that is right
        time.sleep(0.5)
    raise Trouble(f"no container starts on {pc.host.name}: {said}")
