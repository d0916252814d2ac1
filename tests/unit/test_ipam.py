"""Ipam: allocation by name, claims, and what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from macvlan_ros.addresses import candidates, mac_of_owner
from macvlan_ros.errors import (
    AddressInUse,
    BadSubnet,
    Conflict,
    InvalidRequest,
    PoolExhausted,
    PoolNotFound,
)
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores.memory import MemoryStore

LAB = parse_pool(
    "lab", subnet="192.168.50.0/24", ranges=["192.168.50.193-192.168.50.222"], order="sequential"
)
HASHED = parse_pool("hashed", subnet="192.168.60.0/24", gateway="192.168.60.1")


def ip(last: int) -> IPAddress:
    return IPAddress(f"192.168.50.{last}")


class World:
    """A store, what is around, and how often somebody looked."""

    def __init__(self, *pools: Pool, around: Surroundings | None = None) -> None:
        self.store = MemoryStore()
        self.around = around or Surroundings()
        self.looks = 0
        self.ipam = Ipam(self.store, surroundings=self.look, host="qtpc")
        for pool in pools:
            self.ipam.add_pool(pool)

    def look(self, _: Pool) -> Surroundings:
        self.looks += 1
        return self.around

    def get(
        self, *owners: str, pool: str = "lab", claims: Mapping[str, IPAddress] | None = None
    ) -> list[str]:
        made = self.ipam.allocate(pool, owners, addresses=claims)
        return [str(each.reservation.address) for each in made]


@pytest.fixture
def world() -> World:
    return World(LAB)


def test_an_owner_that_asks_again_gets_what_it_holds(world: World) -> None:
    (first,) = world.ipam.allocate("lab", ["talker"])
    (again,) = world.ipam.allocate("lab", ["talker"])
    assert first.new
    assert not again.new
    assert again.reservation == first.reservation
    assert first.reservation.host == "qtpc"
    assert first.reservation.mac == mac_of_owner("lab", "talker")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.reservation.created)


def test_many_names_come_back_in_their_order_and_a_name_twice_is_one(world: World) -> None:
    assert world.get("b", "a", "b") == ["192.168.50.193", "192.168.50.194", "192.168.50.193"]
    assert len(world.ipam.reservations("lab")) == 2


def test_known_owners_cost_no_look_around(world: World) -> None:
    world.get("talker", "listener")
    assert world.looks == 1
    world.get("listener", "talker")
    assert world.looks == 1
    world.get("talker", "third")
    assert world.looks == 2


def test_an_owner_gets_its_address_again_after_it_was_given_up() -> None:
    world = World(HASHED)
    world.get("other", pool="hashed")
    first = world.get("talker", pool="hashed")
    world.ipam.release("hashed", ["talker"])
    world.get("third", pool="hashed")
    assert world.get("talker", pool="hashed") == first


def test_addresses_that_are_held_are_passed_over(world: World) -> None:
    assert world.get("a") == ["192.168.50.193"]
    assert world.get("b") == ["192.168.50.194"]
    world.ipam.release("lab", ["a"])
    assert world.get("c", "d") == ["192.168.50.193", "192.168.50.195"]


def test_what_is_around_is_never_handed_out() -> None:
    around = Surroundings(
        addresses={ip(193): "00:11:22:33:44:55", ip(194): ""},
        subnets={IPNetwork("192.168.50.196/31"): "bridge", IPNetwork("172.17.0.0/16"): "other"},
    )
    world = World(LAB, around=around)
    assert world.get("a", "b", "c") == ["192.168.50.195", "192.168.50.198", "192.168.50.199"]


def test_a_neighbour_with_the_owners_own_mac_is_no_obstacle() -> None:
    own = mac_of_owner("lab", "talker")
    world = World(LAB, around=Surroundings(addresses={ip(193): own, ip(194): "00:11:22:33:44:55"}))
    assert world.get("listener") == ["192.168.50.195"]
    assert world.get("talker") == ["192.168.50.193"]


def test_a_claim_gets_its_address(world: World) -> None:
    assert world.get("a", "b", claims={"b": ip(193)}) == ["192.168.50.194", "192.168.50.193"]
    assert world.get("b", claims={"b": ip(193)}) == ["192.168.50.193"]


def refuse(
    world: World, kind: type[Exception], message: str, *owners: str, **claims: IPAddress
) -> None:
    before = world.ipam.reservations()
    with pytest.raises(kind, match=re.escape(message)):
        world.get(*owners, claims=claims)
    assert world.ipam.reservations() == before


def test_a_claim_against_what_the_owner_holds_says_how_to_move(world: World) -> None:
    world.get("talker")
    message = (
        "'talker' holds 192.168.50.193 in pool 'lab', not 192.168.50.200; to move it, first: "
        "macvlan-ros release --pool lab talker"
    )
    refuse(world, Conflict, message, "new", "talker", talker=ip(200))


def test_a_claim_for_an_address_of_another_owner_names_it(world: World) -> None:
    world.get("talker")
    message = "address 192.168.50.193 is held by 'talker' in pool 'lab'; choose another, or free"
    refuse(world, AddressInUse, message, "new", "listener", listener=ip(193))


def test_a_claim_names_the_owner_even_when_its_container_is_a_neighbour(world: World) -> None:
    (held,) = world.ipam.allocate("lab", ["talker"])
    world.around = Surroundings(addresses={ip(193): held.reservation.mac})
    message = "address 192.168.50.193 is held by 'talker'"
    refuse(world, AddressInUse, message, "listener", listener=ip(193))


def test_a_claim_that_is_not_the_pools_says_why(world: World) -> None:
    message = "address 192.168.50.9 for 'talker' lies outside the ranges of pool 'lab'"
    refuse(world, BadSubnet, message, "new", "talker", talker=ip(9))
    refuse(world, BadSubnet, "is IPv6", "talker", talker=IPAddress("fd00::1"))


def test_a_claim_for_what_is_around_says_who_has_it() -> None:
    around = Surroundings(
        addresses={ip(193): "00:11:22:33:44:55", ip(194): "", ip(195): "aa:bb:cc:dd:ee:ff"},
        labels={ip(193): "a neighbour", ip(194): "eth0 of this host"},
        subnets={IPNetwork("192.168.50.208/28"): "bridge"},
    )
    world = World(LAB, around=around)
    for last, who in (
        (193, "is in use by a neighbour (00:11:22:33:44:55);"),
        (194, "is in use by eth0 of this host;"),
        (195, "is in use by somebody on the LAN (aa:bb:cc:dd:ee:ff);"),
        (210, "is in use by Docker's network 'bridge' (192.168.50.208/28);"),
    ):
        refuse(world, AddressInUse, f"address {ip(last)} for 'x' {who}", "new", "x", x=ip(last))


def test_a_claim_for_where_the_owners_own_container_still_answers_is_granted() -> None:
    own = mac_of_owner("lab", "talker")
    world = World(LAB, around=Surroundings(addresses={ip(200): own}))
    refuse(world, AddressInUse, f"in use by somebody on the LAN ({own})", "x", x=ip(200))
    assert world.get("talker", claims={"talker": ip(200)}) == ["192.168.50.200"]


def test_two_names_cannot_claim_one_address(world: World) -> None:
    message = "address 192.168.50.200 is claimed for both 'a' and 'b'"
    refuse(world, InvalidRequest, message, "a", "b", a=ip(200), b=ip(200))


def test_a_claim_needs_its_name_among_the_owners(world: World) -> None:
    refuse(world, InvalidRequest, "'b', who is not asked for", "a", b=ip(200))


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 129])
def test_an_owner_has_a_name_that_containers_may_have(world: World, name: str) -> None:
    refuse(world, InvalidRequest, "cannot be used", "good", name)


def test_no_name_at_all_is_refused(world: World) -> None:
    refuse(world, InvalidRequest, "no name given")


def test_an_unknown_pool_is_named(world: World) -> None:
    with pytest.raises(PoolNotFound, match="no pool 'lap'"):
        world.ipam.allocate("lap", ["talker"])
    assert world.looks == 0


def test_a_full_pool_says_so_and_how_to_free() -> None:
    world = World(LAB)
    world.get(*(f"n{number}" for number in range(30)))
    message = (
        "pool 'lab' is full (30 of 30 addresses held); free one with: macvlan-ros release --pool "
        "lab NAME"
    )
    refuse(world, PoolExhausted, message, "late")
    refuse(world, PoolExhausted, message, "n0", "late")
    assert world.get("n3") == [str(ip(196))]


def test_the_default_pools_remedy_needs_no_option() -> None:
    world = World(parse_pool("default", subnet="192.168.50.0/30"))
    world.get("a", "b", pool="default")
    with pytest.raises(PoolExhausted, match="free one with: macvlan-ros release NAME"):
        world.get("c", pool="default")


def test_a_pool_whose_free_addresses_are_all_in_use_is_told_from_a_full_one() -> None:
    around = Surroundings(
        addresses={ip(last): "00:11:22:33:44:55" for last in range(195, 223)},
        labels={ip(195): "a neighbour"},
    )
    world = World(LAB, around=around)
    world.get("a", "b")
    message = (
        "pool 'lab' has no address left: 2 of 30 are held, and the other 28 are in use "
        "(192.168.50.195 by a neighbour (00:11:22:33:44:55), "
    )
    refuse(world, PoolExhausted, message, "c")


def test_a_pool_with_too_few_for_all_gives_none(world: World) -> None:
    world.get(*(f"n{number}" for number in range(28)))
    message = "pool 'lab' has 2 of 30 addresses left, and 3 are wanted"
    refuse(world, PoolExhausted, message, "x", "y", "z")


def test_a_mac_that_is_taken_is_replaced_by_the_next(world: World) -> None:
    squatter = Reservation(
        pool="lab",
        address=ip(222),
        owner="squatter",
        mac=mac_of_owner("lab", "talker"),
    )
    world.store.reserve([squatter])
    (made,) = world.ipam.allocate("lab", ["talker"])
    assert made.reservation.mac == mac_of_owner("lab", "talker", salt=1)
    assert made.reservation.address == ip(193)


class Rival(MemoryStore):
    """A store in which somebody else is quicker, the first `times`.

    The rival takes what is about to be reserved here, or the pool's lowest free address; it is
    called `owner`, or by a new name each time.
    """

    def __init__(self, *, times: int, owner: str = "", lowest: bool = False) -> None:
        super().__init__()
        self.times = times
        self.owner = owner
        self.lowest = lowest

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        if self.times:
            self.times -= 1
            owner = self.owner or f"rival{self.times}"
            pool, address = wanted[0].pool, wanted[0].address
            if self.lowest:
                taken = self.taken(pool)
                order = candidates(self.pool(pool), owner)
                address = next(each for each in order if int(each) not in taken)
            mac = mac_of_owner(pool, owner)
            super().reserve([Reservation(pool=pool, address=address, owner=owner, mac=mac)])
        return super().reserve(wanted)


def rivalry(pool: Pool = LAB, *, times: int, owner: str = "", lowest: bool = False) -> Ipam:
    store = Rival(times=times, owner=owner, lowest=lowest)
    ipam = Ipam(store, surroundings=lambda _: Surroundings(), host="")
    ipam.add_pool(pool)
    return ipam


WIDE = parse_pool("wide", subnet="10.0.0.0/16", order="sequential")


def test_losing_a_few_rounds_still_ends_with_an_address_of_ones_own() -> None:
    ipam = rivalry(times=5)
    (made,) = ipam.allocate("lab", ["talker"])
    assert made.new
    assert made.reservation in ipam.reservations()
    assert len({held.address for held in ipam.reservations()}) == 6


def test_losing_every_round_ends_when_the_pool_does() -> None:
    with pytest.raises(PoolExhausted, match="is full"):
        rivalry(times=100).allocate("lab", ["talker"])


def test_losing_every_round_in_a_wide_pool_ends_too() -> None:
    ipam = rivalry(WIDE, times=100)
    with pytest.raises(Conflict, match=r"others took every address that was chosen.*try again"):
        ipam.allocate("wide", ["talker"])
    assert not any(held.owner == "talker" for held in ipam.reservations())


def test_rivals_that_always_want_the_lowest_address_are_evaded() -> None:
    ipam = rivalry(WIDE, times=1000, lowest=True)
    made = ipam.allocate("wide", [f"n{number}" for number in range(5)])
    assert all(each.new for each in made)
    assert len(ipam.reservations()) < 5 + 32


def test_what_another_process_reserved_for_the_same_owner_is_kept_and_not_new() -> None:
    ipam = rivalry(times=1, owner="talker")
    made = ipam.allocate("lab", ["talker", "listener"])
    assert [each.new for each in made] == [False, True]
    assert tuple(each.reservation for each in made) == ipam.reservations("lab")


def test_release_gives_back_and_passes_over_strangers(world: World) -> None:
    (made,) = world.ipam.allocate("lab", ["talker"])
    assert world.ipam.release("lab", ["stranger", "talker"]) == (made.reservation,)
    assert world.ipam.reservations() == ()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("order", ["hashed", "sequential"])
def test_very_many_names_are_given_addresses_at_once_in_little_time(order: str) -> None:
    world = World(parse_pool("lab", subnet="10.0.0.0/18", order=order))
    world.get(*(f"a{number}" for number in range(8000)))
    world.get("one", "after", "the", "other")
    got = world.get(*(f"b{number}" for number in range(8000)))
    assert len(set(got)) == 8000  # within the time limit: no search is quadratic


def test_the_pool_that_is_meant() -> None:
    world = World()
    assert world.ipam.choose_pool() is None
    world.ipam.add_pool(LAB)
    assert world.ipam.choose_pool() == LAB
    world.ipam.add_pool(HASHED)
    with pytest.raises(InvalidRequest, match="add --pool, one of: hashed, lab"):
        world.ipam.choose_pool()
    default = parse_pool("default", subnet="10.0.0.0/24")
    world.ipam.add_pool(default)
    assert world.ipam.choose_pool() == default
    assert world.ipam.choose_pool("lab") == LAB
    with pytest.raises(PoolNotFound):
        world.ipam.choose_pool("lap")


def test_the_pool_of_an_owner_needs_no_name_where_it_holds_something_in_one_alone() -> None:
    world = World(LAB, HASHED)
    world.ipam.allocate(HASHED.name, ["talker"])
    assert world.ipam.pool_of(["talker", "nobody"]) == HASHED
    with pytest.raises(InvalidRequest, match="several pools to choose from"):
        world.ipam.pool_of(["nobody"])
    world.ipam.allocate(LAB.name, ["talker"])
    with pytest.raises(InvalidRequest, match="several pools to choose from"):
        world.ipam.pool_of(["talker"])
    assert world.ipam.pool_of(["talker"], "lab") == LAB


@given(st.lists(st.text("abcdef", min_size=1, max_size=2), min_size=1, max_size=60), st.data())
def test_owners_never_share_an_address_and_never_get_a_forbidden_one(
    owners: list[str], data: st.DataObject
) -> None:
    everything = list(candidates(HASHED, ""))
    used = data.draw(st.sets(st.sampled_from(everything), max_size=150))
    world = World(HASHED, around=Surroundings(addresses=dict.fromkeys(used, "")))
    half = len(owners) // 2
    first = world.get(*owners[:half], pool="hashed") if half else []
    second = world.get(*owners[half:], pool="hashed")
    got = dict(zip(owners, [*first, *second], strict=True))
    assert [got[owner] for owner in owners] == [*first, *second]
    assert len(set(got.values())) == len(got)
    assert {IPAddress(address) for address in got.values()} <= set(everything) - used


class Lan:
    """A LAN whose strangers are known, and which counts how often it is asked."""

    def __init__(self, *strangers: str) -> None:
        self.strangers = {IPAddress(address): "02:00:00:00:00:99" for address in strangers}
        self.bursts: list[tuple[IPAddress, ...]] = []

    def ask(self, _pool: Pool, addresses: Sequence[IPAddress]) -> dict[IPAddress, str]:
        self.bursts.append(tuple(addresses))
        return {one: self.strangers[one] for one in addresses if one in self.strangers}


def asking(lan: Lan, ranges: str, *, here: Lan | None = None) -> Ipam:
    store = MemoryStore()
    store.add_pool(parse_pool("lab", subnet="192.168.50.0/24", ranges=[ranges]))
    return Ipam(
        store,
        surroundings=lambda _: Surroundings(),
        host="qtpc",
        ask=lan.ask,
        ask_here=(here or Lan()).ask,
    )


def test_an_address_that_somebody_on_the_lan_holds_is_passed_over_in_one_burst() -> None:
    free = str(
        asking(Lan(), "192.168.50.200/29").allocate("lab", ["talker"])[0].reservation.address
    )
    lan = Lan(free)
    ipam = asking(lan, "192.168.50.200/29")
    (made,) = ipam.allocate("lab", ["talker"])
    assert str(made.reservation.address) != free
    assert len(lan.bursts) == 1


def test_a_known_owner_costs_no_question() -> None:
    lan = Lan()
    ipam = asking(lan, "192.168.50.200/29")
    ipam.allocate("lab", ["talker"])
    ipam.allocate("lab", ["talker"])
    assert len(lan.bursts) == 1


def test_a_claim_of_a_strangers_address_is_refused_with_who_it_is() -> None:
    ipam = asking(Lan("192.168.50.201"), "192.168.50.200/29")
    with pytest.raises(AddressInUse, match=r"192\.168\.50\.201 .* 02:00:00:00:00:99"):
        ipam.allocate("lab", ["talker"], addresses={"talker": IPAddress("192.168.50.201")})
    assert ipam.reservations() == ()


def test_an_owner_of_another_host_is_not_asked_about() -> None:
    lan = Lan("192.168.50.201")
    ipam = asking(lan, "192.168.50.200/29")
    ipam.allocate(
        *("lab", ["core"]), addresses={"core": IPAddress("192.168.50.201")}, hosts={"core": "qtrp"}
    )
    assert lan.bursts == []


def test_a_pool_full_of_strangers_ends_soon_and_names_them() -> None:
    lan = Lan(*(f"192.168.50.{n}" for n in range(128, 256)))
    ipam = asking(lan, "192.168.50.128/25")
    with pytest.raises(PoolExhausted, match="02:00:00:00:00:99"):
        ipam.allocate("lab", ["talker"])
    assert len(lan.bursts) <= 5
    assert len({one for burst in lan.bursts for one in burst}) == 127


def test_an_owner_that_runs_on_another_pc_gets_another_address_and_mac_here() -> None:
    (there,) = asking(Lan(), "192.168.50.200/29").allocate("lab", ["talker"])
    lan = Lan()
    lan.strangers = {there.reservation.address: there.reservation.mac}
    (here,) = asking(lan, "192.168.50.200/29").allocate("lab", ["talker"])
    assert here.reservation.address != there.reservation.address
    assert here.reservation.mac != there.reservation.mac


def test_an_unknown_container_of_this_host_is_passed_over_and_the_owners_own_is_not() -> None:
    """As after a store was lost: whoever allocates again gets what runs with the name's MAC."""
    (there,) = asking(Lan(), "192.168.50.200/29").allocate("lab", ["talker"])
    wanted = str(there.reservation.address)
    (made,) = asking(Lan(), "192.168.50.200/29", here=Lan(wanted)).allocate("lab", ["talker"])
    assert str(made.reservation.address) != wanted
    own = Lan()
    own.strangers = {there.reservation.address: there.reservation.mac}
    (again,) = asking(Lan(), "192.168.50.200/29", here=own).allocate("lab", ["talker"])
    assert (again.reservation.address, again.reservation.mac) == (
        there.reservation.address,
        there.reservation.mac,
    )


def test_who_claims_the_address_of_an_unknown_container_of_this_host_takes_it_in() -> None:
    claimed = IPAddress("192.168.50.201")
    ipam = asking(Lan(), "192.168.50.200/29", here=Lan(str(claimed)))
    (made,) = ipam.allocate("lab", ["talker"], addresses={"talker": claimed})
    assert made.reservation.address == claimed


def test_a_mac_that_a_container_was_given_by_name_is_the_owner_s_from_then_on(
    world: World,
) -> None:
    first, other = (each.reservation for each in world.ipam.allocate("lab", ["talker", "core"]))
    worn = world.ipam.wear(first, "02:00:00:00:00:99")
    assert (worn.address, worn.mac) == (first.address, "02:00:00:00:00:99")
    assert world.ipam.wear(worn, worn.mac) is worn
    (again,) = world.ipam.allocate("lab", ["talker"])
    assert again.reservation == worn
    with pytest.raises(Conflict, match="is that of 'talker'"):
        world.ipam.wear(other, worn.mac)
