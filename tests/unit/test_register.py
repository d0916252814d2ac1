"""The register of hosts: one entry a machine, and who is judged alive by whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netaddr import IPNetwork

from macvlan_ros.errors import Conflict, NotFound
from macvlan_ros.fleet.hosts import judge
from macvlan_ros.fleet.register import Register, Watchman, every, machine_id, silent_after
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.stores.memory import MemoryStore
from tests.unit.links import ETH0


class Clock:
    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def link(name: str = "eth0", mac: str = "02:00:00:00:00:01", kind: str = "ethernet") -> Link:
    return replace(ETH0, name=name, mac=mac, kind=kind)


def register(
    store: MemoryStore, clock: Clock, *, machine: str = "m1", host: str = "qtpc"
) -> Register:
    return Register(store, host=host, machine=machine, clock=clock)


def test_what_is_written_comes_back() -> None:
    store, clock = MemoryStore(), Clock()
    own = register(store, clock)
    own.enter(
        [link(), link("veth12", kind="veth"), link("mvr-eth0", kind="macvlan")], engine="Docker 20"
    )
    (found,) = own.hosts()
    assert (found.name, found.machine, found.engine, found.seen) == (
        "qtpc",
        "m1",
        "Docker 20",
        clock.now,
    )
    assert found.links == (link(),)
    assert own.host("nobody") is None


def test_a_later_entry_keeps_what_it_does_not_say() -> None:
    store, clock = MemoryStore(), Clock()
    register(store, clock).enter([link()], engine="Docker 20", service="plugin")
    clock.now += 30
    entry = register(store, clock).enter([link()], service="shim")
    assert entry.engine == "Docker 20"
    assert entry.services == {"plugin": clock.now - 30, "shim": clock.now}
    assert entry.beat == 2
    assert entry.runs("shim")
    assert entry.runs("plugin")
    clock.now += 60
    assert not register(store, clock).enter([link()], service="shim").runs("plugin")


def test_two_machines_of_one_name_are_told_apart_and_both_named() -> None:
    store, clock = MemoryStore(), Clock()
    register(store, clock).enter([link()])
    clock.now += 7200
    other = register(store, clock, machine="m2")
    with pytest.raises(Conflict) as refused:
        other.enter([link(mac="02:00:00:00:00:02")])
    said = str(refused.value)
    for part in (
        "'qtpc'",
        "02:00:00:00:00:01",
        "02:00:00:00:00:02",
        "2 hours ago",
        "hosts rm qtpc",
    ):
        assert part in said
    other.forget("qtpc")
    other.enter([link(mac="02:00:00:00:00:02")])
    with pytest.raises(NotFound, match="there are: qtpc"):
        other.forget("qtrp")


def test_a_copied_system_has_the_same_machine_id_and_other_macs() -> None:
    store, clock = MemoryStore(), Clock()
    register(store, clock).enter([link()])
    clock.now += 5
    with pytest.raises(Conflict, match="two PCs go by the name 'qtpc'"):
        register(store, clock).enter([link(mac="02:00:00:00:00:02")])


def test_a_pc_with_a_new_network_card_is_known_by_its_machine_id_after_a_while() -> None:
    store, clock = MemoryStore(), Clock()
    register(store, clock).enter([link()])
    clock.now += 3600
    register(store, clock).enter([link(mac="02:00:00:00:00:02")])


def test_a_pc_that_was_installed_anew_is_known_by_its_macs() -> None:
    store, clock = MemoryStore(), Clock()
    register(store, clock).enter([link()])
    register(store, clock, machine="m2").enter([link()])


def test_an_entry_that_does_not_decode_is_there_by_name() -> None:
    store, clock = MemoryStore(), Clock()
    store.remember(Record("host", "future", "future", '{"shape": "new"}'))
    assert [each.name for each in register(store, clock).hosts()] == ["future"]


def test_many_hosts_write_less_often() -> None:
    assert every(3) == every(50) == 10
    assert every(500) == 100
    assert silent_after(500) == 600


def test_without_a_machine_id_there_is_none(tmp_path: object) -> None:
    from pathlib import Path

    assert machine_id([Path(str(tmp_path)) / "none"]) == ""
    file = Path(str(tmp_path)) / "machine-id"
    file.write_text("abc\n")
    assert machine_id([file]) == "abc"


class Lan:
    """Two hosts with services, each with a clock of its own."""

    def __init__(self, *, off: float = 0.0) -> None:
        self.store = MemoryStore()
        self.ours, self.theirs = Clock(), Clock(1_000_000.0 + off)
        self.us = register(self.store, self.ours, machine="m1", host="us")
        self.them = register(self.store, self.theirs, machine="m2", host="them")
        self.watchman = Watchman("us", self.ours)

    def rounds(self, number: int, *, them: bool = True) -> None:
        for _ in range(number):
            if them:
                self.them.enter([link(mac="02:00:00:00:00:02")], service="plugin")
            self.ours.now += 4
            self.theirs.now += 4
            sights = self.watchman.look(self.us.hosts())
            self.us.enter([link()], service="plugin", sights=sights)
            self.ours.now += 6
            self.theirs.now += 6

    def judged(self) -> tuple[str, float | None, str]:
        held = [Reservation("p", IPNetwork("192.168.50.9/32").ip, "o", "m", host="them")]
        found = judge(self.us.hosts(), held, own="us", now=self.ours.now)
        (them,) = [each for each in found if each.entry.name == "them"]
        assert them.held == 1
        return them.state, them.clock, them.trouble


def test_who_writes_is_alive_and_who_stops_is_silent() -> None:
    lan = Lan()
    lan.rounds(4)
    assert lan.judged() == ("alive", None, "")
    lan.rounds(7, them=False)
    state, _, trouble = lan.judged()
    assert state == "silent"
    assert "its 1 addresses stay reserved" in trouble


@pytest.mark.parametrize("off", [3600.0, -3600.0, 40.0, -40.0])
def test_a_clock_that_is_off_makes_nobody_dead_or_alive(off: float) -> None:
    lan = Lan(off=off)
    lan.rounds(4)
    state, clock, trouble = lan.judged()
    assert state == "alive"
    assert clock == pytest.approx(off, abs=5)
    assert "timedatectl" in trouble
    lan.rounds(7, them=False)
    assert lan.judged()[0] == "silent"


def test_without_a_service_of_our_own_a_host_is_taken_by_its_word() -> None:
    lan = Lan()
    lan.them.enter([link(mac="02:00:00:00:00:02")], service="plugin")
    lan.ours.now += 10
    assert lan.judged()[0] == "alive"
    lan.ours.now += 3600
    assert lan.judged()[0] == "silent"
    lan.ours.now -= 7200
    state, clock, _ = lan.judged()
    assert state == "alive"
    assert clock == pytest.approx(3590, abs=1)


def test_a_host_that_only_launches_wrote_is_not_called_silent() -> None:
    lan = Lan()
    lan.them.enter([link(mac="02:00:00:00:00:02")])
    lan.ours.now += 3600
    assert lan.judged() == ("no service", None, "")


def test_entries_of_two_processes_of_one_host_do_not_lose_each_other() -> None:
    store, clock = MemoryStore(), Clock()
    own = register(store, clock)
    own.enter([link()], service="plugin", sights={})
    before = own.enter([link()], service="shim")
    assert replace(before, beat=0).services.keys() == {"plugin", "shim"}
