"""The store's promise, held against every kind of store."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import Conflict, PoolNotFound, PoolOverlap
from macvlan_ros.models.pools import DYNAMIC, NETWORK, Pool, Record, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores.base import WINDOW, Store
from tests.stores.conftest import Opener

LAB = parse_pool(
    "lab",
    subnet="192.168.50.0/24",
    ranges=["192.168.50.192/27", "192.168.50.10-192.168.50.20"],
    excludes=["192.168.50.200"],
    gateway="192.168.50.1",
)
SIX = parse_pool("six", subnet="fd00:50::/64", order="sequential")
LEASED = parse_pool("leased", subnet="10.0.0.0/24", dhcp=True)


def want(owner: str, last: int, *, pool: str = "lab", mac: str = "") -> Reservation:
    return Reservation(
        pool=pool,
        address=IPAddress(f"192.168.50.{last}"),
        owner=owner,
        mac=mac or f"02:00:00:00:00:{last:02x}",
        host="qtpc",
        created="2026-11-02T10:00:00Z",
    )


@pytest.fixture
def lab(store: Store) -> Store:
    store.add_pool(LAB)
    return store


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.pools() == ()
    assert store.reservations() == ()


def test_a_pool_comes_back_as_it_was_added(store: Store) -> None:
    assert store.add_pool(LAB) == LAB
    assert store.add_pool(SIX) == SIX
    assert store.add_pool(LEASED) == LEASED
    assert store.pool("lab") == LAB
    assert store.pools() == (LAB, LEASED, SIX)


def test_adding_the_same_pool_twice_is_fine(lab: Store) -> None:
    assert lab.add_pool(LAB) == LAB
    assert lab.pools() == (LAB,)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (replace(LAB, subnet=parse_pool("x", subnet="10.0.0.0/8").subnet), "subnet"),
        (replace(LAB, ranges=()), "range"),
        (replace(LAB, gateway=None), "gateway"),
        (replace(LAB, order="sequential"), "order"),
        (replace(LAB, dhcp=True), "DHCP"),
        (replace(LAB, exclude=()), "exclusions"),
    ],
)
def test_a_pool_name_stands_for_one_definition(lab: Store, other: Pool, word: str) -> None:
    with pytest.raises(Conflict, match=f"'lab' exists with another.*{word}.*pool rm lab"):
        lab.add_pool(other)
    assert lab.pools() == (LAB,)


def test_pools_may_not_hand_out_the_same_address(lab: Store) -> None:
    other = parse_pool("other", subnet="192.168.50.0/24", ranges=["192.168.50.20-192.168.50.30"])
    with pytest.raises(PoolOverlap, match=r"'other' overlaps pool 'lab'.*192\.168\.50\.20"):
        lab.add_pool(other)
    assert lab.pools() == (LAB,)


def test_pools_may_share_a_subnet_side_by_side(lab: Store) -> None:
    other = parse_pool("other", subnet="192.168.50.0/24", ranges=["192.168.50.21-192.168.50.30"])
    assert lab.add_pool(other) == other


def test_no_pool_may_hand_out_the_gateway_of_another(lab: Store) -> None:
    other = parse_pool("other", subnet="192.168.50.0/24", ranges=["192.168.50.1-192.168.50.5"])
    with pytest.raises(PoolOverlap, match=r"192\.168\.50\.1;"):
        lab.add_pool(other)


def test_an_unknown_pool_is_named_with_those_that_exist(lab: Store) -> None:
    for call in (
        lambda: lab.pool("lap"),
        lambda: lab.reservations("lap"),
        lambda: lab.taken("lap"),
        lambda: lab.held("lap", ["talker"]),
        lambda: lab.release("lap", ["talker"]),
        lambda: lab.reserve([want("talker", 192, pool="lap")]),
    ):
        with pytest.raises(PoolNotFound, match="no pool 'lap': there is lab"):
            call()


def test_a_pool_can_be_removed_once(lab: Store) -> None:
    assert lab.remove_pool("lab") is True
    assert lab.remove_pool("lab") is False
    assert lab.pools() == ()


def test_a_pool_with_reservations_stays(lab: Store) -> None:
    lab.reserve([want("talker", 192), want("listener", 193)])
    with pytest.raises(Conflict, match=r"2 addresses are held in it.*macvlan-ros release"):
        lab.remove_pool("lab")
    assert lab.pools() == (LAB,)
    lab.release("lab", ["talker", "listener"])
    assert lab.remove_pool("lab") is True


def test_what_is_reserved_is_the_wanted_object_itself(lab: Store) -> None:
    talker, listener = want("talker", 192), want("listener", 193)
    stands = lab.reserve([talker, listener])
    assert stands[0] is talker
    assert stands[1] is listener
    assert lab.reservations("lab") == (talker, listener)


def test_what_stood_before_is_equal_but_another_object(opener: Opener) -> None:
    opener().add_pool(LAB)
    talker = want("talker", 192)
    opener().reserve([talker])
    again = replace(talker)
    (stands,) = opener().reserve([again])
    assert stands == talker
    assert stands is not again


def test_an_owner_keeps_its_address_whatever_it_asks_for(lab: Store) -> None:
    talker = want("talker", 192)
    lab.reserve([talker])
    assert lab.reserve([want("talker", 193)]) == (talker,)
    assert lab.reservations() == (talker,)


def test_an_address_is_held_once(lab: Store) -> None:
    talker = want("talker", 192)
    lab.reserve([talker])
    assert lab.reserve([want("listener", 192, mac="02:00:00:00:00:01")]) == (talker,)
    assert lab.reservations() == (talker,)


def test_a_mac_is_held_once(lab: Store) -> None:
    talker = want("talker", 192)
    lab.reserve([talker])
    assert lab.reserve([want("listener", 193, mac=talker.mac)]) == (talker,)
    assert lab.reservations() == (talker,)


def test_an_address_is_held_once_over_all_pools(lab: Store) -> None:
    other = parse_pool("other", subnet="192.168.50.0/24", ranges=["192.168.50.30"])
    lab.add_pool(other)
    talker = want("talker", 192)
    lab.reserve([talker])
    assert lab.reserve([want("talker", 192, pool="other", mac="02:00:00:00:00:01")]) == (talker,)
    assert lab.reservations("other") == ()


def test_an_owner_may_hold_one_address_in_each_pool(lab: Store) -> None:
    lab.add_pool(SIX)
    six = replace(want("talker", 193), pool="six", address=IPAddress("fd00:50::1"))
    assert lab.reserve([want("talker", 192), six]) == (want("talker", 192), six)
    assert lab.reservations() == (want("talker", 192), six)


def test_nothing_is_reserved_when_one_is_in_the_way(lab: Store) -> None:
    talker = want("talker", 192)
    lab.reserve([talker])
    first, blocked = want("first", 193), want("second", 192, mac="02:00:00:00:00:01")
    assert lab.reserve([first, blocked]) == (first, talker)
    assert lab.reservations() == (talker,)
    assert lab.held("lab", ["first", "second"]) == ()


def test_wanted_ones_can_be_in_each_others_way(lab: Store) -> None:
    first = want("first", 192)
    second = want("second", 192, mac="02:00:00:00:00:01")
    assert lab.reserve([first, second]) == (first, first)
    assert lab.reservations() == ()


def test_known_and_new_owners_go_together(lab: Store) -> None:
    talker = want("talker", 192)
    lab.reserve([talker])
    new = want("listener", 194)
    assert lab.reserve([want("talker", 193), new]) == (talker, new)
    assert lab.reservations() == (talker, new)


def test_reserving_nothing_is_fine(lab: Store) -> None:
    assert lab.reserve([]) == ()


def test_held_is_in_the_order_of_the_owners_and_passes_over_strangers(lab: Store) -> None:
    talker, listener = want("talker", 192), want("listener", 193)
    lab.reserve([talker, listener])
    owners = ["listener", "stranger", "talker", "listener"]
    assert lab.held("lab", owners) == (listener, talker)


def test_release_returns_what_was_held_and_frees_it(lab: Store) -> None:
    talker, listener = want("talker", 192), want("listener", 193)
    lab.reserve([talker, listener])
    assert lab.release("lab", ["stranger", "talker", "talker"]) == (talker,)
    assert lab.release("lab", ["talker"]) == ()
    assert lab.reservations() == (listener,)
    assert lab.reserve([want("third", 192)]) == (want("third", 192),)


def test_reservations_come_by_pool_and_address(lab: Store) -> None:
    lab.add_pool(SIX)
    six = [
        replace(want(f"six{n}", 100 + n), pool="six", address=IPAddress(f"fd00:50::{n:x}"))
        for n in (16, 2, 155)
    ]
    four = [want("a", 200), want("b", 20), want("c", 199)]
    lab.reserve([*six, *four])
    assert [held.owner for held in lab.reservations()] == ["b", "c", "a", "six2", "six16", "six155"]
    assert [held.owner for held in lab.reservations("lab")] == ["b", "c", "a"]


def test_taken_is_what_the_reservations_say(lab: Store) -> None:
    lab.add_pool(SIX)
    assert lab.taken("lab") == ()
    six = replace(want("talker", 193), pool="six", address=IPAddress("fd00:50::1"))
    lab.reserve([want("a", 200), want("b", 20), six])
    assert lab.taken("lab") == (int(IPAddress("192.168.50.20")), int(IPAddress("192.168.50.200")))
    assert lab.taken("six") == (int(six.address),)


def test_taken_near_tells_of_so_many_from_each_place(store: Store) -> None:
    wide = parse_pool("wide", subnet="10.0.0.0/16")
    store.add_pool(wide)
    store.add_pool(SIX)
    first = int(wide.subnet.first)
    held = [first + 10 + 2 * n for n in range(WINDOW + 50)]
    macs = (f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}" for n in range(len(held)))
    store.reserve(
        [
            Reservation("wide", IPAddress(value), f"owner{value}", mac)
            for value, mac in zip(held, macs, strict=True)
        ]
    )
    store.reserve([Reservation("six", IPAddress("fd00:50::1"), "six", "02:00:00:00:ff:ff")])
    assert store.taken_near(wide) == tuple(held)
    assert store.taken_near(wide, [first]) == tuple(held[:WINDOW])
    assert store.taken_near(wide, [held[3], first + 65000]) == tuple(held[3 : WINDOW + 3])
    assert store.taken_near(wide, [held[-1], held[-1] + 1, held[0]]) == (
        *held[:WINDOW],
        held[-1],
    )
    many = store.taken_near(wide, range(first, first + 60))
    assert set(held[:32]) <= set(many) <= set(held)
    assert store.taken_near(SIX, [SIX.subnet.first]) == (int(IPAddress("fd00:50::1")),)


def test_another_handle_sees_what_was_done(opener: Opener) -> None:
    opener().add_pool(LAB)
    opener().reserve([want("talker", 192)])
    assert opener().reservations() == (want("talker", 192),)


def test_closing_twice_is_fine(store: Store) -> None:
    store.add_pool(LAB)
    store.close()
    store.close()


def test_threads_that_want_one_address_agree_on_who_has_it(lab: Store) -> None:
    results: list[Reservation] = []
    start = threading.Barrier(8)

    def reserve(number: int) -> None:
        start.wait()
        mac = f"02:00:00:00:01:{number:02x}"
        results.extend(lab.reserve([want(f"owner{number}", 192, mac=mac)]))

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 8
    assert set(results) == set(lab.reservations())
    assert len(lab.reservations()) == 1


def passing(owner: str, last: int, mac: str) -> Reservation:
    return replace(want(owner, last, mac=mac), kind=DYNAMIC)


def test_what_a_reservation_is_for_comes_back(lab: Store) -> None:
    container = passing("dynamic:02:00:00:00:00:99", 192, "02:00:00:00:00:99")
    router = replace(want("gateway:192.168.50.2", 2, mac="02:00:00:00:00:02"), kind=NETWORK)
    lab.reserve([container, router])
    assert lab.reservations("lab") == (router, container)


def test_dynamic_reservations_may_share_a_mac_with_others(lab: Store) -> None:
    mac = "02:00:00:00:00:99"
    wanted = [passing("a", 192, mac), passing("b", 193, mac), want("c", 194, mac=mac)]
    assert lab.reserve(wanted) == tuple(wanted)
    assert lab.reservations("lab") == tuple(wanted)


def test_a_dynamic_reservation_does_not_take_an_address_that_is_held(lab: Store) -> None:
    (talker,) = lab.reserve([want("talker", 192)])
    assert lab.reserve([passing("a", 192, "02:00:00:00:00:99")]) == (talker,)
    assert lab.reservations("lab") == (talker,)


def test_an_address_is_looked_up_in_all_pools(lab: Store) -> None:
    lab.add_pool(SIX)
    six = Reservation("six", IPAddress("fd00:50::7"), "talker", "02:00:00:00:00:07")
    lab.reserve([want("talker", 192), six])
    assert lab.holder(IPAddress("192.168.50.192")) == want("talker", 192)
    assert lab.holder(IPAddress("fd00:50::7")) == six
    assert lab.holder(IPAddress("192.168.50.193")) is None


def test_a_mac_tells_its_owner_but_not_a_passing_container(lab: Store) -> None:
    talker = want("talker", 192)
    lab.reserve([talker, passing("a", 193, "02:00:00:00:00:99")])
    assert lab.owner_of_mac("lab", talker.mac) == talker
    assert lab.owner_of_mac("six", talker.mac) is None
    assert lab.owner_of_mac("lab", "02:00:00:00:00:99") is None


def test_a_record_is_written_once_unless_it_is_replaced(opener: Opener) -> None:
    first = Record("use", "lab/192.168.50.192", "qtpc", "1 02:00:00:00:00:01")
    second = replace(first, host="qtrp")
    assert opener().remember(first) is first
    stands = opener().remember(second)
    assert stands == first
    assert stands is not second
    assert opener().remember(second, replace=True) is second
    assert opener().recall("use") == (second,)


def test_records_are_found_by_kind_and_key(opener: Opener) -> None:
    one, two, other = (
        Record("use", "lab/2", "qtpc", "x"),
        Record("use", "lab/1", "qtpc", ""),
        Record("network", "lab/1", "qtpc", "{}"),
    )
    for record in (one, two, other):
        opener().remember(record)
    store = opener()
    assert store.recall("use") == (two, one)
    assert store.recall("use", "lab/2") == (one,)
    assert store.recall("use", "lab/3") == ()
    assert store.recall("nothing") == ()


def test_a_record_can_be_forgotten_once(opener: Opener) -> None:
    opener().remember(Record("use", "lab/2", "qtpc", "x"))
    assert opener().forget("network", "lab/2") is False
    assert opener().forget("use", "lab/2") is True
    assert opener().forget("use", "lab/2") is False
    assert opener().recall("use") == ()


def test_only_one_of_many_writes_a_record(opener: Opener) -> None:
    opener().recall("use")
    stores = [opener() for _ in range(6)]
    stands: list[Record] = []

    def write(number: int) -> None:
        record = Record("use", "lab/1", f"host{number}", "")
        stands.append(stores[number].remember(record))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record.host for record in stands}) == 1
    assert len(stands) == 6


def test_a_reservation_moves_to_another_host_and_nothing_else_of_it_changes(lab: Store) -> None:
    (held,) = lab.reserve([want("talker", 193)])
    moved = lab.move(held, "qtrp")
    assert moved == replace(held, host="qtrp")
    assert lab.holder(held.address) == moved
    assert lab.held("lab", ["talker"]) == (moved,)
    assert lab.owner_of_mac("lab", held.mac) == moved
    assert lab.inspect() == ()


def test_a_reservation_that_has_changed_does_not_move(lab: Store) -> None:
    (held,) = lab.reserve([want("talker", 193)])
    lab.move(held, "qtrp")
    assert lab.move(held, "third") == replace(held, host="qtrp")
    lab.release("lab", ["talker"])
    assert lab.move(held, "third") is None
    assert lab.reservations() == ()


def test_of_two_hosts_that_take_over_at_once_one_does(lab: Store, opener: Opener) -> None:
    (held,) = lab.reserve([want("talker", 193)])
    hosts = [f"host{n}" for n in range(8)]
    stands: list[Reservation | None] = []
    start = threading.Barrier(len(hosts))

    def take(host: str) -> None:
        store = opener()
        start.wait(10)
        stands.append(store.move(held, host))

    threads = [threading.Thread(target=take, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    winner = lab.holder(held.address)
    assert stands == [winner] * len(hosts)
    assert winner is not None
    assert winner.host in hosts


def test_a_reservation_is_renamed_or_moved_in_one_step(lab: Store) -> None:
    (held,) = lab.reserve([want("talker", 193)])
    renamed = replace(held, owner="speaker")
    assert lab.exchange(held, renamed) is renamed
    assert lab.held("lab", ["talker", "speaker"]) == (renamed,)
    assert lab.holder(held.address) == renamed
    moved = replace(renamed, address=want("x", 200).address)
    assert lab.exchange(renamed, moved) is moved
    assert lab.holder(held.address) is None
    assert lab.holder(moved.address) == moved
    assert lab.owner_of_mac("lab", held.mac) == moved
    assert lab.reservations() == (moved,)
    assert lab.inspect() == ()


def test_nothing_is_exchanged_when_something_is_in_the_way(lab: Store) -> None:
    held, other = lab.reserve([want("talker", 193), want("listener", 194)])
    assert lab.exchange(held, replace(held, owner="listener")) == other
    assert lab.exchange(held, replace(held, address=other.address)) == other
    assert lab.exchange(replace(held, host="third"), replace(held, owner="new")) == held
    assert lab.reservations() == (held, other)
    lab.release("lab", ["talker"])
    assert lab.exchange(held, replace(held, owner="new")) is None
    assert lab.reservations() == (other,)
    assert lab.inspect() == ()
