"""Many processes on one etcd, and etcd members and clients that die."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from macvlan_ros.errors import StoreDown
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores import etcd as etcd_store
from macvlan_ros.stores import etcd_client, etcd_pools, etcd_space, etcd_wire
from macvlan_ros.stores.etcd import EtcdStore
from tests.stores.etcd_server import running
from tests.stores.processes import die_after, fork

PROCESSES = 8
LARGE = parse_pool("lab", subnet="10.0.0.0/16")


def ipam_over(store: EtcdStore) -> Ipam:
    return Ipam(store, surroundings=lambda _: Surroundings(), host="qtpc")


@contextmanager
def opened(url: str) -> Iterator[Ipam]:
    with closing(EtcdStore(url)) as store:
        yield ipam_over(store)


def add_pool(url: str, pool: Pool) -> None:
    with opened(url) as ipam:
        ipam.add_pool(pool)


def held_in(url: str) -> tuple[Reservation, ...]:
    """What is held; nothing of it may be half-written."""
    with closing(EtcdStore(url)) as store:
        assert store.inspect() == ()
        return store.reservations()


def test_a_client_killed_at_any_moment_leaves_nothing_half_written(etcd_url: str) -> None:
    add_pool(etcd_url, LARGE)
    chance = random.Random(1)
    promised: set[bytes] = set()
    for life in range(15):

        def work(reporting: int, life: int = life) -> None:
            with opened(etcd_url) as ipam:
                for count in range(10_000):
                    made = ipam.allocate("lab", [f"l{life}-{count}-a", f"l{life}-{count}-b"])
                    for each in made:
                        line = f"{each.reservation.owner} {each.reservation.address}\n"
                        os.write(reporting, line.encode())

        with fork(work) as child:
            first = child.read_some()
            time.sleep(chance.uniform(0, 0.05))
            child.kill()
            lines = (first + child.read()).splitlines()
        promised.update(lines)
        stored = held_in(etcd_url)
        assert promised <= {f"{held.owner} {held.address}".encode() for held in stored}
        assert len(stored) % 2 == 0, "half of a transaction was kept"
    assert len(promised) >= 30


def test_whatever_step_a_client_is_killed_before_nothing_reported_is_lost(etcd_url: str) -> None:
    """From an empty prefix to a release; every fifth line, for each costs a process."""
    survivors: set[str] = set()
    status = -signal.SIGKILL
    steps = 0
    while status:
        name = f"n{steps}"

        def work(reporting: int, steps: int = steps, name: str = name) -> None:
            die_after(steps, etcd_store, etcd_pools, etcd_client, etcd_space, etcd_wire)
            with opened(etcd_url) as ipam:
                ipam.add_pool(LARGE)
                ipam.allocate("lab", [name, f"{name}-second"])
                os.write(reporting, b"reserved\n")
                ipam.release("lab", [f"{name}-second"])
                os.write(reporting, b"released\n")

        with fork(work) as child:
            reported = child.read().split()
            status = child.wait()
        held = {each.owner for each in held_in(etcd_url)}
        assert survivors <= held
        mine = {name, f"{name}-second"} & held
        if b"released" in reported:
            assert mine == {name}
        elif reported:
            assert name in mine
        else:
            assert len(mine) in (0, 2), "half of a transaction was kept"
        survivors |= mine
        assert status in (0, -signal.SIGKILL)
        steps += 5
    assert steps > 300


def test_a_store_that_was_open_before_a_fork_works_on_both_sides(etcd_url: str) -> None:
    add_pool(etcd_url, LARGE)

    def allocate(ipam: Ipam, name: str) -> list[str]:
        names = [f"{name}-{count}" for count in range(50)]
        return [str(ipam.allocate("lab", [name])[0].reservation.address) for name in names]

    with opened(etcd_url) as ipam:
        ipam.allocate("lab", ["before"])

        def work(reporting: int) -> None:
            os.write(reporting, " ".join(allocate(ipam, "child")).encode())

        with fork(work) as child:
            mine = allocate(ipam, "parent")
            theirs = child.read().decode().split()
            assert child.wait() == 0
    assert len({*mine, *theirs}) == 100
    assert len(held_in(etcd_url)) == 101


def test_nothing_is_lost_when_etcd_is_killed_and_comes_back(tmp_path: Path) -> None:
    """Four threads allocate all the while; what they were told before the end stands after it."""
    with running(tmp_path) as etcd, closing(EtcdStore(etcd.url())) as store:
        ipam = ipam_over(store)
        ipam.add_pool(LARGE)
        told: list[tuple[str, str]] = []
        ending = threading.Event()
        refused: list[str] = []

        def work(number: int) -> None:
            count = 0
            while not ending.is_set():
                count += 1
                try:
                    (made,) = ipam.allocate("lab", [f"t{number}-{count}"])
                except StoreDown as error:
                    refused.append(str(error))
                    time.sleep(0.05)
                else:
                    told.append((made.reservation.owner, str(made.reservation.address)))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.3)
            etcd.members[0].kill()
            time.sleep(0.2)
            etcd.start()
        time.sleep(1)
        before = len(told)
        time.sleep(1)
        ending.set()
        for thread in threads:
            thread.join(30)
        assert len(told) > before > 20, "it went on after the last restart"
        assert any("connection refused" in each for each in refused)
        stored = {(held.owner, str(held.address)) for held in held_in(etcd.url())}
        assert set(told) <= stored
        assert len({address for _, address in stored}) == len(stored)


@pytest.mark.alone
def test_one_of_three_members_may_die_but_not_two(tmp_path: Path) -> None:
    with running(tmp_path, members=3) as etcd, closing(EtcdStore(etcd.url())) as store:
        ipam = ipam_over(store)
        ipam.add_pool(LARGE)
        (first,) = ipam.allocate("lab", ["first"])
        etcd.members[0].kill()
        began = time.monotonic()
        (second,) = ipam.allocate("lab", ["second"])
        assert time.monotonic() - began < 5
        etcd.members[1].kill()
        for act in (store.pools, lambda: ipam.allocate("lab", ["third"])):
            began = time.monotonic()
            with pytest.raises(StoreDown) as caught:
                act()
            assert time.monotonic() - began < 6.5
            for member, words in zip(etcd.members, ["refused", "refused", ""], strict=True):
                assert f"{member.client}: " in str(caught.value)
                assert words in str(caught.value)
            assert "only while most of its members run" in str(caught.value)
        etcd.start(etcd.members[0])
        (third,) = ipam.allocate("lab", ["third"])
        assert {first.reservation, second.reservation, third.reservation} == set(
            held_in(etcd.url())
        )
