"""Notation: what people write as names, addresses, MACs, ranges and pools, read as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netaddr import AddrFormatError, IPAddress, IPNetwork, IPRange

from macvlan_ros.addresses import address_range, describe_ranges, intervals, own_addresses
from macvlan_ros.errors import BadSubnet, InvalidRequest
from macvlan_ros.models.pools import Pool
from macvlan_ros.spans import Span, merge

ORDERS = ("hashed", "sequential")


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


def is_name(text: str) -> bool:
    """Whether a pool or an owner can be called so."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str, *, kind: str = "name") -> str:
    """`name` itself if it can name a pool or an owner. Raises InvalidRequest."""
    if is_name(name):
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
        return address_range(block.first, block.last, block.version)
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
    return tuple(address_range(first, last, subnet.version) for first, last in merge(found))


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
    reason = own_addresses(subnet).get(int(gateway))
    if reason and subnet.version == 4:
        raise BadSubnet(f"{said} {text}: is the {reason} of {subnet}; give the router's address")
    return gateway
