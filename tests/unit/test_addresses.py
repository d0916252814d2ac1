"""Addresses: what a pool may hand out, and in which order."""

from __future__ import annotations

import itertools
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import EUI, IPAddress, IPNetwork

from macvlan_ros import addresses, notation
from macvlan_ros.addresses import candidates, intervals, mac_of_owner, size, why_not
from macvlan_ros.errors import BadSubnet
from macvlan_ros.models.pools import Pool
from macvlan_ros.notation import parse_pool

LAN = "192.168.50.0/24"


def lab(**more: object) -> Pool:
    wanted: dict[str, object] = {"subnet": LAN, "gateway": "192.168.50.1"}
    return parse_pool("lab", **{**wanted, **more})  # type: ignore[arg-type]


def handed_out(pool: Pool, owner: str = "talker") -> list[str]:
    return [str(address) for address in candidates(pool, owner)]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Any pool of a small IPv4 or IPv6 subnet that has something to hand out."""
    base, bits = draw(st.sampled_from([("192.168.48.0", 32), ("fd00:50::", 128)]))
    length = bits - draw(st.integers(0, 9))
    subnet = IPNetwork(f"{base}/{length}")
    place = st.integers(subnet.first, subnet.last)

    def range_text(ends: tuple[int, int]) -> str:
        low, high = (IPAddress(end, subnet.version) for end in sorted(ends))
        return f"{low}-{high}"

    texts = st.lists(st.tuples(place, place).map(range_text), max_size=4)
    gateway = draw(st.none() | place.map(lambda value: str(IPAddress(value, subnet.version))))
    order = draw(st.sampled_from(notation.ORDERS))
    try:
        return parse_pool(
            "any",
            subnet=subnet,
            ranges=draw(texts),
            excludes=draw(texts),
            gateway=gateway,
            order=order,
        )
    except BadSubnet:
        return parse_pool("any", subnet=subnet, order=order)


def allowed(pool: Pool) -> set[IPAddress]:
    """What may be handed out, one address after the other, straight from the definition."""
    found = set()
    for address in pool.subnet:
        if pool.ranges and not any(address in part for part in pool.ranges):
            continue
        if any(address in part for part in pool.exclude) or address == pool.gateway:
            continue
        if pool.subnet.size > 2 and address == pool.subnet.network:
            continue
        if pool.subnet.size > 2 and pool.subnet.version == 4 and address == pool.subnet.broadcast:
            continue
        found.add(address)
    return found


@given(pools(), st.text("abc", max_size=3))
def test_every_address_of_a_pool_comes_exactly_once_and_no_other(pool: Pool, owner: str) -> None:
    found = list(candidates(pool, owner))
    assert len(found) == len(set(found)) == size(pool)
    assert set(found) == allowed(pool)


@given(pools())
def test_why_not_is_silent_for_exactly_what_may_be_handed_out(pool: Pool) -> None:
    may = allowed(pool)
    for address in pool.subnet:
        assert (why_not(pool, address) == "") == (address in may)
        assert addresses.contains(pool, address) == (address in may)


@given(pools(), st.data())
def test_only_free_addresses_come_and_in_the_same_order(pool: Pool, data: st.DataObject) -> None:
    order = list(candidates(pool, "talker"))
    place = st.integers(pool.subnet.first - 3, pool.subnet.last + 3)
    pairs = st.tuples(place, place).map(lambda ends: (min(ends), max(ends)))
    without = data.draw(st.lists(pairs, max_size=4))
    left = [a for a in order if not any(first <= int(a) <= last for first, last in without)]
    assert list(candidates(pool, "talker", without=without)) == left


@given(pools())
def test_sequential_order_runs_from_the_lowest_up(pool: Pool) -> None:
    found = list(candidates(pool, "talker"))
    if pool.order == "sequential":
        assert found == sorted(found)
    else:
        turn = found.index(min(found))
        assert found[turn:] + found[:turn] == sorted(found)


@given(pools(), pools())
def test_pools_share_an_address_when_one_hands_out_the_others_address_or_gateway(
    one: Pool, other: Pool
) -> None:
    shared = allowed(one) & allowed(other)
    shared |= {address for address in allowed(other) if address == one.gateway}
    shared |= {address for address in allowed(one) if address == other.gateway}
    assert addresses.shared_address(one, other) == min(shared, default=None)


def test_a_whole_subnet_leaves_out_network_broadcast_and_gateway() -> None:
    found = handed_out(lab(order="sequential"))
    assert found[0] == "192.168.50.2"
    assert found[-1] == "192.168.50.254"
    assert len(found) == 253


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("10.0.0.4/30", ["10.0.0.5", "10.0.0.6"]),
        ("10.0.0.4/31", ["10.0.0.4", "10.0.0.5"]),
        ("10.0.0.4/32", ["10.0.0.4"]),
        ("fd00::4/126", ["fd00::5", "fd00::6", "fd00::7"]),
        ("fd00::4/127", ["fd00::4", "fd00::5"]),
        ("fd00::4/128", ["fd00::4"]),
    ],
)
def test_the_smallest_subnets_hand_out_what_they_have(subnet: str, expected: list[str]) -> None:
    assert handed_out(parse_pool("p", subnet=subnet, order="sequential")) == expected


def test_an_owner_starts_at_the_same_place_every_time_and_owners_are_spread() -> None:
    starts = {owner: handed_out(lab(), owner)[0] for owner in map(str, range(100))}
    assert starts == {owner: handed_out(lab(), owner)[0] for owner in map(str, range(100))}
    assert len(set(starts.values())) > 60


def test_where_an_owner_starts_never_changes_from_release_to_release() -> None:
    # Addresses on robots depend on it: a change here moves every container that comes anew.
    assert handed_out(lab(), "harmoni_core")[0] == "192.168.50.107"


@pytest.mark.parametrize("subnet", ["10.0.0.0/8", "fd00:50::/64"])
def test_a_huge_pool_costs_no_memory(subnet: str) -> None:
    pool = parse_pool("huge", subnet=subnet, gateway=str(IPNetwork(subnet)[1]))
    tracemalloc.start()
    found = list(itertools.islice(candidates(pool, "talker"), 1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(found)) == 1000
    assert peak < 2_000_000


def test_a_huge_pool_that_is_almost_all_taken_is_not_counted_through() -> None:
    pool = parse_pool("huge", subnet="fd00:50::/64")
    whole = IPNetwork("fd00:50::/64")
    without = [(whole.first, whole.last - 5), (whole.last - 3, whole.last)]
    assert [int(a) for a in candidates(pool, "t", without=without)] == [whole.last - 4]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.168.50.1", "is the gateway of pool 'lab'"),
        ("192.168.50.0", "is the network address of 192.168.50.0/24"),
        ("192.168.50.255", "is the broadcast address of 192.168.50.0/24"),
        ("192.168.51.7", "lies outside the subnet 192.168.50.0/24 of pool 'lab'"),
        ("fd00::1", "is IPv6, and the subnet 192.168.50.0/24 of pool 'lab' is not"),
        ("192.168.50.200", "is excluded from pool 'lab'"),
        ("192.168.50.9", "lies outside the ranges of pool 'lab' (192.168.50.192-192.168.50.223)"),
        ("192.168.50.193", ""),
    ],
)
def test_why_an_address_may_not_be_handed_out(address: str, reason: str) -> None:
    pool = lab(ranges=["192.168.50.192/27"], excludes=["192.168.50.200"])
    assert why_not(pool, IPAddress(address)) == reason


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("192.168.50.0/24", "192.168.50.192-192.168.50.254"),
        ("10.0.0.0/8", "10.192.0.0-10.255.255.254"),
        ("10.0.0.0/27", "10.0.0.24-10.0.0.30"),
        ("10.0.0.16/28", "10.0.0.17-10.0.0.30"),
        ("10.0.0.4/30", "10.0.0.5-10.0.0.6"),
        ("10.0.0.4/31", "10.0.0.4-10.0.0.5"),
        ("10.0.0.4/32", "10.0.0.4-10.0.0.4"),
        ("fd00::/64", "fd00::1-fd00::ffff:ffff:ffff:ffff"),
    ],
)
def test_the_default_range_is_the_upper_quarter_or_all_of_little(
    subnet: str, expected: str
) -> None:
    assert str(addresses.default_range(IPNetwork(subnet))) == expected


@given(st.text(), st.text(), st.integers(0, 5))
def test_a_mac_is_local_unicast_and_the_same_every_time(pool: str, owner: str, salt: int) -> None:
    mac = mac_of_owner(pool, owner, salt=salt)
    assert re.fullmatch(r"[0-9a-f]2(:[0-9a-f]{2}){5}", mac)
    assert EUI(mac).words[0] & 0b11 == 0b10
    assert mac == mac_of_owner(pool, owner, salt=salt)


def test_pool_owner_and_salt_each_make_another_mac() -> None:
    macs = {
        mac_of_owner("lab", "talker"),
        mac_of_owner("labt", "alker"),
        mac_of_owner("lab", "listener"),
        mac_of_owner("lab", "talker", salt=1),
    }
    assert len(macs) == 4


def test_a_mac_never_changes_from_release_to_release() -> None:
    assert mac_of_owner("lab", "harmoni_core") == "c2:75:c1:03:36:c4"


def test_intervals_are_what_is_left_of_the_ranges() -> None:
    pool = lab(ranges=["192.168.50.0/30"], excludes=["192.168.50.2"])
    assert [str(IPAddress(first)) for first, _ in intervals(pool)] == ["192.168.50.3"]
