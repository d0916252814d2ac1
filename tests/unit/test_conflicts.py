"""Strangers with addresses of ours are kept for who looks later: few, and not for ever."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.defence import conflicts
from macvlan_ros.defence.guard import HeardConflict
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.stores.memory import MemoryStore

OURS = "02:00:00:00:00:01"
NOW = 1_000_000.0


def heard(mac: str, *, at: float = NOW, count: int = 1, last: int = 60) -> HeardConflict:
    address = IPAddress(f"192.168.50.{last}")
    return HeardConflict(address, mac, OURS, running=True, count=count, first=at, last=at)


def stranger(number: int) -> str:
    return f"aa:00:00:00:{number // 256:02x}:{number % 256:02x}"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    made = MemoryStore()
    made.add_pool(Pool("lab", IPNetwork("192.168.50.0/24")))
    made.reserve([Reservation("lab", IPAddress("192.168.50.60"), "talker", OURS)])
    set_clock(monkeypatch, NOW)
    return made


def set_clock(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    monkeypatch.setattr("macvlan_ros.defence.conflicts.time.time", lambda: now)


def test_what_one_host_heard_every_host_can_read(store: MemoryStore) -> None:
    conflicts.keep(store, "qtpc", [heard(stranger(1), count=3)])
    conflicts.keep(store, "qtrp", [heard(stranger(2), at=NOW - 5, last=61)])
    one, two = conflicts.recent(store)
    assert (one.host, str(one.address), one.mac) == ("qtpc", "192.168.50.60", stranger(1))
    assert (one.ours, one.owner, one.running, one.count) == (OURS, "talker", True, 3)
    assert (two.host, two.owner, two.mac) == ("qtrp", "", stranger(2))


def test_a_stranger_is_written_once_a_minute(store: MemoryStore) -> None:
    for at, count in ((NOW, 1), (NOW + 30, 2), (NOW + 60, 3)):
        conflicts.keep(store, "qtpc", [heard(stranger(1), at=at, count=count)])
        (seen,) = conflicts.recent(store)
        assert seen.count == (3 if count == 3 else 1)
    assert (seen.first, seen.last) == (NOW, NOW + 60)


def test_they_are_shown_for_an_hour_and_kept_for_a_day(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    conflicts.keep(store, "qtpc", [heard(stranger(1))])
    set_clock(monkeypatch, NOW + 3601)
    assert conflicts.recent(store) == ()
    assert len(conflicts.recent(store, seconds=86400)) == 1
    set_clock(monkeypatch, NOW + 86401)
    conflicts.keep(store, "qtpc", [heard(stranger(2), at=NOW + 86401)])
    assert [record.key for record in store.recall("conflict")] == [
        f"qtpc/192.168.50.60/{stranger(2)}"
    ]


def test_a_flood_of_strangers_does_not_fill_the_store(store: MemoryStore) -> None:
    conflicts.keep(store, "qtrp", [heard(stranger(999))])
    for number in range(300):
        conflicts.keep(store, "qtpc", [heard(stranger(number), at=NOW + number)])
    mine = [seen for seen in conflicts.recent(store) if seen.host == "qtpc"]
    assert len(mine) == 256
    assert mine[0].mac == stranger(299)
    assert len(store.recall("conflict")) == 257
