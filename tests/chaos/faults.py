"""Faults: what breaks, and how it is mended again. Each is a context in which it is broken."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from tests.chaos.world import STATE, World
from tests.e2e.clock import set_clock
from tests.e2e.plugin_host import PluginHost

Fault = Callable[[World, PluginHost], AbstractContextManager[str]]

#: Seconds: something is dead for so long, and a command has run for so long when it is killed.
DEAD, HALFWAY = (0.1, 3.0), (0.1, 1.5)
GARBAGE = """
import os, sys
for path in sys.argv[1:]:
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for place in range(0, size, 4096):
            file.seek(place + 100)
            file.write(os.urandom(900))
"""


def _pause(world: World) -> None:
    time.sleep(world.chance.uniform(*DEAD))


@contextmanager
def nothing(_world: World, _pc: PluginHost) -> Iterator[str]:
    yield "all is well"


@contextmanager
def service_is_killed(world: World, pc: PluginHost) -> Iterator[str]:
    pc.kill()
    with ExitStack() as after:
        after.callback(world.start_service, pc)
        yield "the service is killed"
        _pause(world)


@contextmanager
def service_is_frozen(_world: World, pc: PluginHost) -> Iterator[str]:
    """Docker waits for it meanwhile, for as long as it takes."""
    os.kill(pc.pid, signal.SIGSTOP)
    thaw = threading.Timer(3, os.kill, (pc.pid, signal.SIGCONT))
    thaw.start()
    yield "the service is frozen"
    thaw.join()


@contextmanager
def dockerd_is_killed(world: World, pc: PluginHost) -> Iterator[str]:
    pc.host.kill_engine()
    with ExitStack() as after:
        after.callback(pc.host.start_engine)
        yield "dockerd is killed"
        _pause(world)


@contextmanager
def power_fails(world: World, pc: PluginHost) -> Iterator[str]:
    members = world.members
    had_member = members is not None and members.runs(pc.host.name)
    pc.host.cut_power()
    if members is not None and had_member:
        members.start(pc.host.name)
    world.start_service(pc)
    pc.host.start_engine()
    yield "the power was cut"


@contextmanager
def command_is_killed(world: World, pc: PluginHost) -> Iterator[str]:
    host = pc.host
    owner = f"{host.name}-r{world.number()}"
    services = {f"{host.name}-core", f"{host.name}-talker"}
    words, owners = world.chance.choice(
        [
            (("allocate", "--pool", "lab", owner), {owner}),
            (("launch", "--master-timeout", "0.1"), services),
            (("down", "--release"), services),
        ]
    )
    world.book.doubtful |= owners
    if "--release" in words:
        for each in owners:
            world.book.static.pop(each, None)
    process = host.popen(
        *host.macvlan_ros_command(*words),
        cwd=world.folder(host),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(world.chance.uniform(*HALFWAY))
    process.kill()
    process.wait(10)
    yield f"{words[0]} was killed halfway"


@contextmanager
def cable_is_pulled(world: World, pc: PluginHost) -> Iterator[str]:
    world.lab.unplug(pc.host)
    try:
        yield "the cable is pulled"
        _pause(world)
    finally:
        world.lab.plug(pc.host)


@contextmanager
def clock_jumps(world: World, pc: PluginHost) -> Iterator[str]:
    by = world.chance.choice((-86400, -3600, -100, 100, 3600, 86400))
    set_clock(pc.host, by)
    try:
        yield f"the service's clock jumps by {by} s"
    finally:
        set_clock(pc.host, 0)


@contextmanager
def disk_is_full(_world: World, pc: PluginHost) -> Iterator[str]:
    script = f"head -c 20m /dev/zero >{STATE}/filling 2>/dev/null; true"
    pc.host.run("sh", "-c", script)
    try:
        yield "the disk is full"
    finally:
        pc.host.path(f"{STATE}/filling").unlink(missing_ok=True)


@contextmanager
def member_is_lost(world: World, _pc: PluginHost) -> Iterator[str]:
    """One is; all go on with the two others."""
    yield from _lose(world, 1)


@contextmanager
def members_are_lost(world: World, _pc: PluginHost) -> Iterator[str]:
    """Two are, so that etcd answers nobody."""
    yield from _lose(world, 2)


def _lose(world: World, how_many: int) -> Iterator[str]:
    assert world.members is not None
    lost = world.chance.sample(sorted(world.lab.hosts), how_many)
    for name in lost:
        if world.members.runs(name):
            world.members.kill(name)
    try:
        yield f"etcd on {' and '.join(lost)} is killed"
        _pause(world)
    finally:
        world.members.start()


@contextmanager
def copy_is_damaged(_world: World, pc: PluginHost) -> Iterator[str]:
    """Of etcd, on this PC's disk, while the service uses it."""
    _damage(pc, "copy-*.db*")
    yield "the copy of the store is full of garbage"


@contextmanager
def store_is_damaged(world: World, pc: PluginHost) -> Iterator[str]:
    """And a backup is put back, of before some of what was done."""
    backup = "/var/lib/backup.json"
    pc.host.path(backup).unlink(missing_ok=True)
    pc.host.macvlan_ros("store", "backup", backup, check=True)
    yield "(a backup of the store was made)"
    _damage(pc, "state.db*")
    with contextlib.suppress(AssertionError):  # what it says is looked at by the errands
        pc.host.macvlan_ros("allocate", f"{pc.host.name}-r{world.number()}")
    pc.stop()
    pc.host.run("sh", "-c", f"rm -f {STATE}/state.db*")
    pc.host.macvlan_ros("store", "restore", backup, check=True)
    rows = world.listed(pc)
    world.start_service(pc)
    world.book.static = {
        row["owner"]: row["address"]
        for row in rows
        if row["kind"] == "static" and row["owner"] in world.book.macs
    }
    world.unknown |= world.macs_that_run(pc) - {row["mac"] for row in rows}
    world.say(pc.host.name, f"the store was damaged, and put back: {len(rows)} reservations")


def _damage(pc: PluginHost, files: str) -> None:
    code = f"import glob, sys; sys.argv[1:] = glob.glob({f'{STATE}/{files}'!r})\n{GARBAGE}"
    pc.host.run("python3", "-c", code)


#: What happens to a PC, and what may be broken around it meanwhile, by the kind of the store.
ACCIDENTS: dict[str, tuple[Fault, ...]] = {
    "etcd": (
        *(nothing, service_is_killed, service_is_frozen, dockerd_is_killed, power_fails),
        *(command_is_killed, copy_is_damaged),
    ),
    "sqlite": (
        *(nothing, service_is_killed, service_is_frozen, dockerd_is_killed, power_fails),
        *(command_is_killed, store_is_damaged),
    ),
}
WEATHER: dict[str, tuple[Fault, ...]] = {
    "etcd": (
        *(nothing, cable_is_pulled, clock_jumps, disk_is_full),
        *(member_is_lost, members_are_lost),
    ),
    "sqlite": (nothing, cable_is_pulled, clock_jumps, disk_is_full),
}
#: Of these it must be known what was promised before they are mended, and the disk has room.
MENDED_LAST = (store_is_damaged,)
