"""Addresses that strangers hold are passed over for a while, and asked for again when claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from netaddr import IPAddress

from macvlan_ros.defence.strangers import MARKED_FOR, Strangers
from macvlan_ros.errors import AddressInUse, PoolExhausted
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Record
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.reserving.choosing import Choosing
from macvlan_ros.reserving.lookahead import Lookahead
from macvlan_ros.stores.memory import MemoryStore

LAB = parse_pool("lab", subnet="192.168.50.0/24", ranges=["192.168.50.193-192.168.50.196"])
STRANGER = "aa:bb:cc:00:00:01"


def ip(last: int) -> IPAddress:
    return IPAddress(f"192.168.50.{last}")


class World:
    """A LAN with strangers, a clock, and what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = MemoryStore()
        self.strangers: dict[IPAddress, str] = {}
        self.asked: list[IPAddress] = []
        self.now = 1_000_000.0
        monkeypatch.setattr("macvlan_ros.defence.strangers.time.time", lambda: self.now)
        self.marks = Strangers(self.store, host="qtpc")
        self.ipam = Ipam(
            self.store, surroundings=lambda _: Surroundings(), host="qtpc", ask=self.ask
        )
        self.ipam.add_pool(LAB)
        self.choosing = Choosing(
            self.store,
            host="qtpc",
            surroundings=lambda _: Surroundings(),
            lookahead=Lookahead(self.sift),
        )

    def ask(self, _: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        self.asked += addresses
        return {one: self.strangers[one] for one in addresses if one in self.strangers}

    def sift(self, pool: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        answers = self.ask(pool, addresses)
        self.marks.hear(pool, addresses, answers)
        return tuple(one for one in addresses if one not in answers)

    def allocate(self, owner: str, address: IPAddress | None = None) -> IPAddress:
        self.asked.clear()
        claims = {} if address is None else {owner: address}
        return self.ipam.allocate("lab", [owner], addresses=claims)[0].reservation.address


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_an_address_that_a_stranger_answered_for_is_not_asked_for_again(world: World) -> None:
    first = world.allocate("talker")
    world.ipam.release("lab", ["talker"])
    world.strangers = {first: STRANGER}
    other = world.allocate("talker")
    assert other != first
    assert first in world.asked
    world.ipam.release("lab", ["talker"])
    world.strangers = {}
    assert world.allocate("talker") == other
    assert first not in world.asked
    world.ipam.release("lab", ["talker"])
    world.now += MARKED_FOR
    assert world.allocate("talker") == first
    assert world.store.recall("stranger") == ()


def test_a_claim_asks_anew_and_clears_the_mark_of_a_stranger_that_has_left(world: World) -> None:
    world.strangers = {ip(195): STRANGER}
    with pytest.raises(AddressInUse, match=STRANGER):
        world.allocate("talker", ip(195))
    assert world.marks.marked("lab") == {ip(195): STRANGER}
    with pytest.raises(AddressInUse):
        world.allocate("talker", ip(195))
    world.strangers = {}
    assert world.allocate("talker", ip(195)) == ip(195)
    assert world.marks.marked("lab") == {}


def test_marked_addresses_are_asked_for_again_before_the_pool_is_called_full(world: World) -> None:
    world.marks.hear(LAB, [ip(193), ip(194)], {ip(193): STRANGER, ip(194): STRANGER})
    for owner in ("a", "b"):
        assert world.allocate(owner) in (ip(195), ip(196))
    world.strangers = {ip(193): STRANGER}
    assert world.allocate("c") == ip(194)
    with pytest.raises(PoolExhausted, match=f"192.168.50.193 by {STRANGER}"):
        world.allocate("d")


def test_an_owner_gets_another_mac_than_the_stranger_that_has_its_own(world: World) -> None:
    mac = world.ipam.allocate("lab", ["talker"])[0].reservation.mac
    world.ipam.release("lab", ["talker"])
    world.marks.hear(LAB, [ip(195)], {ip(195): mac})
    got = world.ipam.allocate("lab", ["talker"])[0].reservation
    assert got.mac != mac
    assert got.address != ip(195)


def test_anonymous_containers_pass_them_over_too(world: World) -> None:
    world.marks.hear(LAB, [ip(193), ip(194)], {ip(193): STRANGER, ip(194): STRANGER})
    assert world.choosing.choose(LAB, "x") in (ip(195), ip(196))
    assert not {ip(193), ip(194)} & set(world.asked)
    world.allocate("a", ip(195))
    world.allocate("b", ip(196))
    world.strangers = {ip(193): STRANGER}
    assert world.choosing.choose(LAB, "x") == ip(194)
    world.allocate("c", ip(194))
    with pytest.raises(PoolExhausted):
        world.choosing.choose(LAB, "x")


def test_marks_of_other_pools_and_of_a_clock_set_back_do_not_count(world: World) -> None:
    other = parse_pool("other", subnet="192.168.60.0/24")
    world.marks.hear(other, [IPAddress("192.168.60.7")], {IPAddress("192.168.60.7"): STRANGER})
    far = Record("stranger", "lab/192.168.50.193", "qtpc", f"{world.now + 1e6:.3f} {STRANGER}")
    world.store.remember(far)
    assert world.marks.marked("lab") == {}
    assert world.marks.marked("other") == {IPAddress("192.168.60.7"): STRANGER}
    assert len(world.store.recall("stranger")) == 1
