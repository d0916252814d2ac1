"""Leases while processes are killed between any two steps, and while many work at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from macvlan_ros.leasing.keeping import keep_up
from macvlan_ros.leasing.leases import Leases
from macvlan_ros.leasing.wire import LeaseWire
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores import open_store
from macvlan_ros.stores.base import Store
from tests.netns.dhcp_servers import Dnsmasq, dnsmasq
from tests.netns.lan import Machine, make_lan

RANGE = "192.168.50.200,192.168.50.220,120"
ROOT = Path(__file__).parents[2]

#: Runs a command line, and kills itself right after the step of that number: a step is a frame that
#: is sent or a change of the store.
KILLED = """
import os, signal, sys
from macvlan_ros.wire.packet_port import (Port)
from macvlan_ros.stores.sqlite import SqliteStore
left = int(sys.argv[1])

def counted(kind, name):
    done = getattr(kind, name)
    def step(self, *args, **named):
        global left
        result = done(self, *args, **named)
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(kind, name, step)

for name in ("reserve", "release", "remember", "forget"):
    counted(SqliteStore, name)
counted(Port, "send")
from macvlan_ros.cli import main
main(sys.argv[2:])
"""


class World:
    """A PC, a router with a DHCP server, and the store that processes of the PC share."""

    def __init__(self, pc: Machine, server: Dnsmasq, store: Store, folder: Path) -> None:
        self.pc = pc
        self.server = server
        self.store = store
        self._path = folder / "state.db"

    def command(self, *words: str) -> list[str]:
        env = [
            f"MACVLAN_ROS_STORE={self._path}",
            "DOCKER_HOST=unix:///nowhere",
            "MACVLAN_ROS_HOST=pc",
        ]
        return ["nsenter", f"--net={self.pc.path}", "env", *env, sys.executable, *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = self.command(*words)
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)

    def killed(self, step: int, *words: str) -> bool:
        """Whether the command was killed at that step; False when it ended before."""
        process = self.start("-c", KILLED, str(step), *words)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL), said
        return process.returncode != 0

    def run(self, *words: str) -> str:
        process = self.start("-m", "macvlan_ros", *words)
        out, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return out

    def grow_old(self) -> None:
        """As if two minutes had passed for whoever died."""
        leases = self.leases()
        for lease in leases.book.mine():
            leases.book.write(replace(lease, since=lease.since - 200, due=0.0))

    def keep_up(self) -> None:
        keep_up(self.store, self.leases())

    def leases(self) -> Leases:
        wire = LeaseWire(interface=lambda _: "eth0", namespace=self.pc.path, patience=3)
        return Leases(self.store, host="pc", note=lambda _: None, wire=wire)

    def check(self, *owners: str) -> None:
        """What the server's table, the store and the book say is the same, and about these."""
        held = {(str(one.address), one.mac) for one in self.store.reservations()}
        assert {one.owner for one in self.store.reservations()} == set(owners)
        assert {(row.address, row.mac) for row in self.server.settled(len(held))} == held
        assert {(str(one.address), one.mac) for one in self.leases().book.mine()} == held


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_lan() as lan:
        pc, router = lan.add("192.168.50.11/24"), lan.add("192.168.50.1/24")
        pool = parse_pool(
            "lab", subnet="192.168.50.0/24", ranges=["192.168.50.200-192.168.50.220"], dhcp=True
        )
        store = open_store(f"sqlite://{tmp_path}/state.db")
        store.add_pool(pool)
        with dnsmasq(router, tmp_path, RANGE) as server:
            yield World(pc, server, store, tmp_path)
        store.close()


ALLOCATE = ("allocate", "--no-probe", "talker")


@pytest.mark.parametrize("step", range(1, 7))
def test_a_run_killed_while_it_takes_a_lease_leaves_nothing_that_the_next_does_not_give_back(
    world: World, step: int
) -> None:
    assert world.killed(step, *ALLOCATE)
    world.keep_up()  # not too soon: somebody may be about to reserve
    world.grow_old()
    world.keep_up()
    world.check(*(one.owner for one in world.store.reservations()))
    assert (step == 6) == bool(world.store.reservations())


@pytest.mark.parametrize("step", range(1, 7))
def test_a_run_killed_while_it_takes_a_lease_is_taken_up_by_the_same_name(
    world: World, step: int
) -> None:
    assert world.killed(step, *ALLOCATE)
    world.run(*ALLOCATE)
    world.check("talker")


def test_that_were_all_the_steps_of_taking(world: World) -> None:
    assert not world.killed(7, *ALLOCATE)
    world.check("talker")


@pytest.mark.parametrize("step", range(1, 5))
def test_a_run_killed_while_it_gives_back_a_lease_is_finished_by_the_next(
    world: World, step: int
) -> None:
    world.run(*ALLOCATE)
    assert world.killed(step, "release", "talker")
    world.grow_old()
    world.keep_up()
    world.check()


def test_names_that_many_processes_want_at_once_get_one_lease_each(world: World) -> None:
    names = ["a", "b", "c", "d"] * 2
    running = [world.start("-m", "macvlan_ros", "allocate", "-q", name) for name in names]
    ended = [process.communicate(timeout=100) for process in running]
    assert [process.returncode for process in running] == [0] * 8, ended
    got = [out.strip() for out, _ in ended]
    assert got[:4] == got[4:]
    assert len(set(got)) == 4
    world.check("a", "b", "c", "d")


def test_taking_and_giving_back_one_name_at_once_ends_in_one_state(world: World) -> None:
    world.run(*ALLOCATE)
    for _ in range(3):
        running = [
            world.start("-m", "macvlan_ros", *words)
            for words in (("release", "talker"), ALLOCATE, ("release", "talker"), ALLOCATE)
        ]
        ended = [process.communicate(timeout=100) for process in running]
        assert [process.returncode for process in running] == [0] * 4, ended
    world.grow_old()
    world.keep_up()
    world.check(*(one.owner for one in world.store.reservations()))
