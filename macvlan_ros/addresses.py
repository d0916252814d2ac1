"""Addresses: what a pool may hand out, in which order, and the MAC that goes with an owner. Pure.

Everything works on spans, so a pool of a /8 or of an IPv6 /64 costs no more than one of a /28.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.models.pools import Pool
from macvlan_ros.spans import Span, count, merge, nth, points, subtract

#: A PC's shim holds its address under this and the PC's name.
SHIM_OWNER = "shim-"


def intervals(pool: Pool) -> list[Span]:
    """What the pool may hand out: its ranges (or the whole subnet) without the exclusions, the
    gateway, and the subnet's network and broadcast address (in IPv6 the subnet-router anycast
    address, RFC 4291 section 2.6.1). A /31 and /32, a /127 and /128 have none of these
    (RFC 3021, RFC 6164).
    """
    return subtract(_ranges(pool), _kept_back(pool))


def size(pool: Pool) -> int:
    """How many addresses the pool may hand out."""
    return count(intervals(pool))


def candidates(pool: Pool, owner: str, *, without: Sequence[Span] = ()) -> Iterator[IPAddress]:
    """Every address that `owner` might get, each exactly once, in the pool's order.

    "sequential" runs from the lowest up. "hashed" starts at a place that depends on the owner
    and the pool's extent alone and goes on round from there. Addresses in `without` (any spans
    of the pool's IP version) are passed over without being counted through.
    """
    return candidates_among(pool, owner, subtract(intervals(pool), merge(without)))


def candidates_among(pool: Pool, owner: str, free: Sequence[Span]) -> Iterator[IPAddress]:
    """`candidates` out of `free`, a part of `intervals(pool)`, for those who ask many times."""
    whole = intervals(pool)
    start = 0
    if pool.order == "hashed" and whole:
        start = nth(whole, _digest("address", owner) % count(whole))
    # The first span that does not end before the start; the start may lie in it.
    turn = bisect_left(free, start, key=lambda span: span[1])
    for first, last in islice(free, turn, None):
        for value in range(max(first, start), last + 1):
            yield IPAddress(value, pool.subnet.version)
    for first, last in islice(free, turn + 1):
        for value in range(first, min(last, start - 1) + 1):
            yield IPAddress(value, pool.subnet.version)


def why_not(pool: Pool, address: IPAddress) -> str:
    """Why the pool may not hand out the address, as the end of "ADDRESS ..."; "" if it may."""
    subnet = pool.subnet
    if address.version != subnet.version:
        return f"is IPv{address.version}, and the subnet {subnet} of pool {pool.name!r} is not"
    if address not in subnet:
        return f"lies outside the subnet {subnet} of pool {pool.name!r}"
    for value, reason in own_addresses(subnet).items():
        if int(address) == value:
            return f"is the {reason} of {subnet}"
    if address == pool.gateway:
        return f"is the gateway of pool {pool.name!r}"
    if any(address in part for part in pool.exclude):
        return f"is excluded from pool {pool.name!r}"
    if not contains(pool, address):
        return f"lies outside the ranges of pool {pool.name!r} ({describe_ranges(pool)})"
    return ""


def contains(pool: Pool, address: IPAddress) -> bool:
    """Whether the pool may hand out the address."""
    value = int(address)
    return address.version == pool.subnet.version and any(
        first <= value <= last for first, last in intervals(pool)
    )


def shared_address(one: Pool, other: Pool) -> IPAddress | None:
    """The lowest address that both pools would hand out, or that one would hand out and the
    other has for its gateway; None when the two can stand side by side."""
    if one.subnet.version != other.subnet.version:
        return None
    mine, theirs = intervals(one), intervals(other)
    common = subtract(mine, subtract(mine, theirs))
    for value in sorted([first for first, _ in common] + _gateways_within(one, other)):
        return IPAddress(value, one.subnet.version)
    return None


def default_range(subnet: IPNetwork) -> IPRange:
    """The part of a LAN's subnet to hand out when nobody said which.

    The upper quarter of an IPv4 subnet: the DHCP ranges of home and laboratory routers mostly
    begin low (.2, .10, .20, .100) and end below .200, and the routers themselves sit at .1 or,
    more rarely, .254. 192.168.50.0/24 gives 192.168.50.192-192.168.50.254. A /28 or smaller is
    given whole, for a quarter of it would be next to nothing; so is IPv6, where hosts choose
    their own addresses out of 64 bits and are rarely met.
    """
    first, last = subtract([(subnet.first, subnet.last)], points(own_addresses(subnet)))[0]
    if subnet.version == 4 and subnet.prefixlen < 28:
        first = subnet.first + subnet.size * 3 // 4
    return address_range(first, last, subnet.version)


def mac_of_owner(pool: str, owner: str, *, salt: int = 0) -> str:
    """The MAC that an owner gets: the same one every time, lower case with colons.

    Its first octet is x2: unicast, locally administered, in the quadrant that IEEE 802c leaves
    to administrators. The host is no part of it, so that an owner that moves to another host
    keeps its MAC, and no neighbour's cache goes stale. Another `salt` gives another MAC.
    """
    digits = f"{_digest('mac', pool, owner, str(salt)) & 0xFFFFFFFFFFFF:012x}"
    digits = f"{digits[0]}2{digits[2:]}"
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def describe_ranges(pool: Pool) -> str:
    """The pool's ranges as a person would write them, or its subnet when it has none."""
    return ", ".join(
        str(part[0]) if part.first == part.last else str(part) for part in pool.ranges
    ) or str(pool.subnet)


def address_range(first: int, last: int, version: Literal[4, 6]) -> IPRange:
    return IPRange(IPAddress(first, version), IPAddress(last, version))


def own_addresses(subnet: IPNetwork) -> dict[int, str]:
    """Addresses that belong to the subnet itself, and what they are."""
    if subnet.size <= 2:
        return {}
    if subnet.version == 6:
        return {subnet.first: "subnet-router anycast address"}
    return {subnet.first: "network address", subnet.last: "broadcast address"}


def _ranges(pool: Pool) -> list[Span]:
    whole = [(pool.subnet.first, pool.subnet.last)]
    return merge((part.first, part.last) for part in pool.ranges) or whole


def _kept_back(pool: Pool) -> list[Span]:
    own = points(own_addresses(pool.subnet))
    gateway = [] if pool.gateway is None else [(int(pool.gateway), int(pool.gateway))]
    return merge([*own, *gateway, *((part.first, part.last) for part in pool.exclude)])


def _gateways_within(one: Pool, other: Pool) -> list[int]:
    pairs = ((one, other.gateway), (other, one.gateway))
    return [int(gate) for pool, gate in pairs if gate is not None and contains(pool, gate)]


def _digest(*words: str) -> int:
    # Loaded here: OpenSSL costs 8 ms, and listing what is held needs no hash.
    from hashlib import sha256

    return int.from_bytes(sha256("\0".join(words).encode()).digest(), "big")
