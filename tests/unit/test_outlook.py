"""What the watchers are told, from a store that may be away and a kernel that may be."""

from __future__ import annotations

import time
from collections.abc import Collection

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.defence.outlook import Outlook
from macvlan_ros.errors import StoreDown, Unavailable
from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.reserving.silence import Silence
from macvlan_ros.stores.memory import MemoryStore

ADDRESS, MAC = IPAddress("192.168.50.10"), "02:00:00:00:00:01"


class Store(MemoryStore):
    away = False

    def recall(self, kind: str, key: str | None = None) -> tuple[Record, ...]:
        if self.away:
            raise StoreDown("the store is away")
        return super().recall(kind, key)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("macvlan_ros.wire.scout.interface_on", lambda _: "eth0")
    made = Store()
    made.add_pool(Pool("lab", IPNetwork("192.168.50.0/24")))
    made.reserve([Reservation("lab", ADDRESS, "talker", MAC, host="qtpc")])
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_down_before_the_store_was_read_nor_while_it_is_away(
    store: Store, clock: list[float]
) -> None:
    outlook = Outlook(store, host="qtpc", running=lambda: ())
    with pytest.raises(Unavailable, match="not been read yet"):
        outlook.down("eth0")
    assert outlook.renew()
    assert not outlook.renew()
    assert outlook.down("eth0") == {ADDRESS: MAC}
    store.away = True
    with pytest.raises(StoreDown):
        outlook.renew()
    with pytest.raises(Unavailable, match="the store is away"):
        outlook.down("eth0")
    store.away = False
    outlook.renew()
    clock[0] += 30
    with pytest.raises(Unavailable, match="not been read for a while"):
        outlook.down("eth0")


def test_the_kernel_is_asked_each_time_but_only_when_something_is_reserved(
    store: Store, clock: list[float]
) -> None:
    macs: set[str] = set()
    asked: list[float] = []

    def running() -> Collection[str]:
        asked.append(clock[0])
        return frozenset(macs)

    outlook = Outlook(store, host="qtpc", running=running)
    outlook.renew()
    assert outlook.running("eth9") == outlook.down("eth9") == {}
    assert asked == []
    assert outlook.running("eth0") == {}
    clock[0] += 0.01
    macs.add(MAC)
    assert outlook.down("eth0") == {}
    assert outlook.running("eth0") == {ADDRESS: MAC}
    assert len(asked) == 2


def test_an_address_is_silent_once_asked_for_and_only_for_a_while(clock: list[float]) -> None:
    other = ADDRESS + 1
    silence = Silence()
    assert silence.due([ADDRESS, other]) == [ADDRESS, other]
    assert silence.renew([ADDRESS, other], lambda _: {other: MAC}) == {other: MAC}
    assert silence.holds(ADDRESS)
    assert not silence.holds(other)
    assert silence.due([ADDRESS, other]) == []
    clock[0] += 40
    assert silence.due([ADDRESS, other]) == [ADDRESS, other]
    silence.renew([ADDRESS], lambda _: {})
    clock[0] += 76
    assert not silence.holds(ADDRESS)


def test_a_lan_that_cannot_be_asked_proves_nothing(clock: list[float]) -> None:
    del clock

    def fail(_: object) -> dict[IPAddress, str]:
        raise Unavailable("no carrier")

    silence = Silence()
    with pytest.raises(Unavailable):
        silence.renew([ADDRESS], fail)
    assert not silence.holds(ADDRESS)
    assert silence.due([ADDRESS]) == [ADDRESS]


def test_what_was_up_meanwhile_is_asked_for_again(clock: list[float]) -> None:
    del clock
    silence = Silence()
    silence.renew([ADDRESS], lambda _: {})
    silence.keep([])
    assert not silence.holds(ADDRESS)
    assert silence.due([ADDRESS]) == [ADDRESS]
