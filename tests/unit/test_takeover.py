"""Taking over what another host has: only what nobody answers for, and in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import Conflict, Unavailable
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving import takeover
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.reserving.takeover import Takeover
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.undo import Undo

POOL = parse_pool("lab", subnet="192.168.50.0/24", ranges=["192.168.50.192/27"])


@dataclass
class Wire:
    """Answers what it is told to, look by look; the last answer stays."""

    answers: Iterator[dict[str, str]]
    said: dict[str, str] = field(default_factory=dict)

    def ask(self, _pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        self.said = next(self.answers, self.said)
        return {a: self.said[str(a)] for a in addresses if str(a) in self.said}


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.add_pool(POOL)
    return store


@pytest.fixture
def held(store: MemoryStore) -> Reservation:
    mac = "02:00:00:00:00:09"
    want = Reservation("lab", IPAddress("192.168.50.195"), "core", mac, host="dead")
    return store.reserve([want])[0]


def taker(
    store: MemoryStore,
    *answers: dict[str, str],
    runs: Callable[[str, str], bool] = lambda *_: False,
) -> Takeover:
    ipam = Ipam(store, surroundings=lambda _: Surroundings(), host="here")
    return Takeover(ipam, ask=Wire(iter(answers)).ask, runs=runs, note=lambda _text: None)


def host_of(store: MemoryStore) -> str:
    return store.held("lab", ["core"])[0].host


def test_what_nobody_answers_for_is_taken_over_and_given_back_by_an_undo(
    store: MemoryStore, held: Reservation
) -> None:
    undo = Undo()
    (taken,) = taker(store, {}).take(POOL, [(held, "here")], undo=undo)
    assert (taken.host, host_of(store)) == ("here", "here")
    assert taken.address == held.address
    undo.run(pytest.fail)
    assert host_of(store) == "dead"


def test_what_still_answers_is_not(
    store: MemoryStore, held: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "_DEFENDED", 0.0)
    undo = Undo()
    with pytest.raises(Conflict, match=r"still answers.*docker stop core"):
        taker(store, {"192.168.50.195": held.mac}).take(POOL, [(held, "here")], undo=undo)
    undo.run(pytest.fail)
    assert host_of(store) == "dead"


def test_what_only_a_service_defended_is_taken_over_once_it_is_silent(
    store: MemoryStore, held: Reservation
) -> None:
    answer = {"192.168.50.195": held.mac}
    taker(store, answer, answer, {}).take(POOL, [(held, "here")], undo=Undo())
    assert host_of(store) == "here"


def test_what_a_stranger_answers_for_is_not(store: MemoryStore, held: Reservation) -> None:
    with pytest.raises(Conflict, match="answered for by 02:99"):
        taker(store, {"192.168.50.195": "02:99:00:00:00:01"}).take(
            POOL, [(held, "here")], undo=Undo()
        )
    assert host_of(store) == "dead"


def test_what_an_engine_says_that_runs_is_not(store: MemoryStore, held: Reservation) -> None:
    with pytest.raises(Conflict, match="which runs"):
        taker(store, {}, runs=lambda host, name: (host, name) == ("dead", "core")).take(
            POOL, [(held, "here")], undo=Undo()
        )
    assert host_of(store) == "dead"


def test_who_comes_second_is_told_who_was_quicker(store: MemoryStore, held: Reservation) -> None:
    store.move(held, "other")
    with pytest.raises(Conflict, match="'other' was quicker"):
        taker(store, {}).take(POOL, [(held, "here")], undo=Undo())
    assert host_of(store) == "other"


def test_where_nobody_can_be_asked_nothing_is_taken_over(
    store: MemoryStore, held: Reservation
) -> None:
    def cannot(_pool: Pool, _addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        raise Unavailable("no interface")

    ipam = Ipam(store, surroundings=lambda _: Surroundings(), host="here")
    taking = Takeover(ipam, ask=cannot, runs=lambda *_: False, note=lambda _text: None)
    with pytest.raises(Unavailable):
        taking.take(POOL, [(held, "here")], undo=Undo())
    assert host_of(store) == "dead"
