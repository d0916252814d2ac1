"""Addresses: what a pool may hand out, in which order, and the MAC that goes with an owner. Pure.

Everything works on spans, so a pool of a /8 or of an IPv6 /64 costs no more than one of a /28.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from netaddr import AddrFormatError, IPAddress, IPNetwork, IPRange

from macvlan_ros.errors import BadSubnet, InvalidRequest
from macvlan_ros.models.pools import Pool
from macvlan_ros.spans import Span, count, merge, nth, points, subtract

ORDERS = ("hashed", "sequential")
#: A PC's shim holds its address under this and the PC's name.
SHIM_OWNER = "shim-"

# What Docker takes for a container's name, so that every container can be an owner.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")

# No LAN has its hosts here, and Linux refuses most of them as an interface's address.
_SPECIAL = {
    "0.0.0.0/8": "means 'this host'",
    "127.0.0.0/8": "is loopback",
    "224.0.0.0/4": "is multicast",
    "240.0.0.0/4": "is reserved",
    "::/127": "is loopback and 'no address'",
    "fe80::/10": "is link-local, which every interface has by itself",
    "ff00::/8": "is multicast",
}


def check_name(name: str, *, kind: str = "name") -> str:
    """`name` itself if it can name a pool or an owner. Raises InvalidRequest."""
    if _NAME.fullmatch(name):
        return name
    shown = name if len(name) <= 40 else name[:37] + "..."
    raise InvalidRequest(
        f"{kind} {shown!r} cannot be used: take 1 to 128 letters, digits, '_', '.' or '-', "
        "beginning with a letter or digit"
    )


def parse_address(text: str | IPAddress, *, said: str = "--address") -> IPAddress:
    """One address, written in full. `said` is what the user knows it by. Raises BadSubnet."""
    try:
        return IPAddress(str(text).strip())
    except (AddrFormatError, ValueError):
        raise BadSubnet(f"{said} {text}: not an address; write one like 192.168.50.195") from None


def parse_mac(text: str, *, said: str) -> str:
    """A MAC of one host, in lower case with colons. Raises InvalidRequest."""
    plain = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(plain):
        shown = plain if len(plain) <= 40 else plain[:37] + "..."
        raise InvalidRequest(f"{said} is no MAC: {shown!r}; write it as 02:42:ac:11:00:02")
    if int(plain[:2], 16) & 1:
        raise InvalidRequest(f"{said} is a multicast MAC: {plain}; its first byte must be even")
    return plain


def parse_subnet(text: str | IPNetwork, *, said: str = "--subnet") -> IPNetwork:
    """A subnet in CIDR form, without host bits. Raises BadSubnet, saying the right form."""
    subnet = _parse_cidr(str(text).strip(), said=said)
    for special, reason in _SPECIAL.items():
        other = IPNetwork(special)
        if subnet.version == other.version and (subnet in other or other in subnet):
            raise BadSubnet(f"{said} {text}: {special} {reason}; give the LAN's own subnet")
    return subnet


def parse_range(text: str | IPRange | IPNetwork, *, said: str = "--range") -> IPRange:
    """A range as FROM-TO, CIDR or one address. Raises BadSubnet, saying the right form."""
    wanted = str(text).strip()
    if "/" in wanted:
        block = _parse_cidr(wanted, said=said)
        return _range(block.first, block.last, block.version)
    first, dash, last = wanted.partition("-")
    try:
        low = IPAddress(first.strip())
        high = IPAddress(last.strip()) if dash else low
    except (AddrFormatError, ValueError):
        raise BadSubnet(
            f"{said} {text}: not a range; write FROM-TO with two whole addresses "
            "(192.168.50.192-192.168.50.254) or a CIDR block (192.168.50.192/26)"
        ) from None
    if low.version != high.version:
        raise BadSubnet(f"{said} {text}: mixes IPv4 and IPv6; both ends must be of one kind")
    if low > high:
        raise BadSubnet(f"{said} {text}: runs backwards; write {high}-{low}")
    return IPRange(low, high)


def parse_pool(
    name: str,
    *,
    subnet: str | IPNetwork,
    ranges: Iterable[str | IPRange | IPNetwork] = (),
    excludes: Iterable[str | IPRange | IPNetwork] = (),
    gateway: str | IPAddress | None = None,
    order: str = "hashed",
    dhcp: bool = False,
    said: str = "--",
) -> Pool:
    """A pool out of what a user wrote, checked as a whole; ranges and exclusions come out merged.

    `said` stands before "subnet", "range", "exclude" and "gateway" in messages, so that a file's
    keys can be named as they are in the file. Raises BadSubnet, and InvalidRequest for a bad
    name or order.
    """
    check_name(name, kind="pool name")
    if order not in ORDERS:
        raise InvalidRequest(f"order {order!r} is unknown; take one of: {', '.join(ORDERS)}")
    lan = parse_subnet(subnet, said=f"{said}subnet")
    pool = Pool(
        name=name,
        subnet=lan,
        ranges=_ranges_within(lan, ranges, said=f"{said}range"),
        exclude=_ranges_within(lan, excludes, said=f"{said}exclude"),
        gateway=None if gateway is None else _gateway_within(lan, gateway, said=f"{said}gateway"),
        order=order,
        dhcp=dhcp,
    )
    if dhcp and lan.version == 6:
        raise InvalidRequest(
            f"{said}dhcp: leases are for IPv4, and {lan} is IPv6; leave it out, for on an IPv6 LAN "
            "hosts choose their own addresses"
        )
    if not intervals(pool):
        raise BadSubnet(
            f"pool {name!r} would have no address to hand out: all of "
            f"{describe_ranges(pool)} is excluded, the gateway, or the subnet's own network or "
            f"broadcast address; widen {said}range or narrow {said}exclude"
        )
    return pool


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
    for value, reason in _own_addresses(subnet).items():
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
    first, last = subtract([(subnet.first, subnet.last)], points(_own_addresses(subnet)))[0]
    if subnet.version == 4 and subnet.prefixlen < 28:
        first = subnet.first + subnet.size * 3 // 4
    return _range(first, last, subnet.version)


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


def _parse_cidr(text: str, *, said: str) -> IPNetwork:
    address, slash, _ = text.partition("/")
    if not slash:
        raise BadSubnet(
            f"{said} {text}: has no prefix length; write it as CIDR, like 192.168.50.0/24"
        )
    try:
        block = IPNetwork(text)
    except (AddrFormatError, ValueError):
        raise BadSubnet(f"{said} {text}: not CIDR; write it like 192.168.50.0/24") from None
    if IPAddress(address) != block.network:
        raise BadSubnet(f"{said} {text}: has host bits set; did you mean {block.cidr}?")
    return block.cidr


def _range(first: int, last: int, version: Literal[4, 6]) -> IPRange:
    return IPRange(IPAddress(first, version), IPAddress(last, version))


def _ranges_within(
    subnet: IPNetwork, texts: Iterable[str | IPRange | IPNetwork], *, said: str
) -> tuple[IPRange, ...]:
    """Parsed, checked against the subnet, sorted and merged, so that equal pools compare equal."""
    found: list[Span] = []
    for text in texts:
        part = parse_range(text, said=said)
        if part.version != subnet.version:
            raise BadSubnet(
                f"{said} {text}: is IPv{part.version}, but the subnet {subnet} is "
                f"IPv{subnet.version}; a pool has one kind of address"
            )
        if part.first < subnet.first or part.last > subnet.last:
            raise BadSubnet(
                f"{said} {text}: lies outside the subnet {subnet} "
                f"({IPAddress(subnet.first, subnet.version)} to "
                f"{IPAddress(subnet.last, subnet.version)}); choose it inside"
            )
        found.append((part.first, part.last))
    return tuple(_range(first, last, subnet.version) for first, last in merge(found))


def _gateway_within(subnet: IPNetwork, text: str | IPAddress, *, said: str) -> IPAddress:
    gateway = parse_address(text, said=said)
    if gateway.version != subnet.version:
        raise BadSubnet(
            f"{said} {text}: is IPv{gateway.version}, but the subnet {subnet} is "
            f"IPv{subnet.version}; give the router's IPv{subnet.version} address"
        )
    if gateway not in subnet:
        raise BadSubnet(
            f"{said} {text}: lies outside the subnet {subnet}; give the router's address on "
            "this LAN, or leave it out"
        )
    # IPv6 routers do answer to the anycast address, so only IPv4's two are refused.
    reason = _own_addresses(subnet).get(int(gateway))
    if reason and subnet.version == 4:
        raise BadSubnet(f"{said} {text}: is the {reason} of {subnet}; give the router's address")
    return gateway


def _own_addresses(subnet: IPNetwork) -> dict[int, str]:
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
    own = points(_own_addresses(pool.subnet))
    gateway = [] if pool.gateway is None else [(int(pool.gateway), int(pool.gateway))]
    return merge([*own, *gateway, *((part.first, part.last) for part in pool.exclude)])


def _gateways_within(one: Pool, other: Pool) -> list[int]:
    pairs = ((one, other.gateway), (other, one.gateway))
    return [int(gate) for pool, gate in pairs if gate is not None and contains(pool, gate)]


def _digest(*words: str) -> int:
    # Loaded here: OpenSSL costs 8 ms, and listing what is held needs no hash.
    from hashlib import sha256

    return int.from_bytes(sha256("\0".join(words).encode()).digest(), "big")
