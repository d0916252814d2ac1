"""Landing: where a stack lands on a host, and which pools and addresses it asks for there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros import addresses, networks
from macvlan_ros.errors import BadSubnet, PoolNotFound
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import DEFAULT_POOL, Pool
from macvlan_ros.models.stacks import Stack
from macvlan_ros.near import did_you_mean
from macvlan_ros.spans import subtract
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stack lands here: this host's name, its parent, and the LAN on it, with its IPv6 if
    the stack wants that. `names` are those that the host's own network would give a container."""

    host: str
    parent: Link
    subnet: IPNetwork
    subnet6: IPNetwork | None = None
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)


def wanted_parent(stack: Stack, host: str, usual: str) -> str:
    """What the stack says of the parent on a host: a name, MAC or subnet; else the `usual` one,
    else the stack's subnet; "" when nothing does."""
    entry = stack.hosts.get(host)
    said = (entry.parent if entry else "") or stack.parent or usual
    return said or (str(stack.subnet) if stack.subnet is not None else "")


def site(stack: Stack, *, host: str, parent: Link) -> Site:
    """Where the stack lands. Raises BadSubnet when its subnet is not the parent's LAN."""
    own = [address for address in parent.addresses if address.version == 4]
    six = _subnet6(stack, parent) if stack.ipv6 else None
    if stack.subnet is None:
        return Site(host, parent, own[0].cidr, six)
    if networks.address_on(parent, stack.subnet) is None:
        raise BadSubnet(
            f"{stack.files[0]}: x-macvlan-ros.subnet is {stack.subnet}, and {parent.name} has"
            f" {', '.join(map(str, parent.addresses))}; write 'auto', or name the right parent"
        )
    if parent.gateway is not None and parent.gateway not in stack.subnet:
        parent = dataclasses.replace(parent, gateway=None)  # another of its subnets has it
    return Site(host, parent, stack.subnet, six)


def _subnet6(stack: Stack, parent: Link) -> IPNetwork:
    """The IPv6 subnet that the stack names, or the parent's with the stack's range in it."""
    own = [a for a in parent.addresses if a.version == 6 and not a.ip.is_link_local()]
    fitting = [
        a.cidr
        for a in own
        if (stack.subnet6 is None or a.ip in stack.subnet6)
        and all(part in a.cidr for part in stack.ranges6)
    ]
    if not fitting:
        has = ", ".join(map(str, own)) or "no IPv6 address but a link-local one"
        wanted = stack.subnet6 or ", ".join(str(part) for part in stack.ranges6) or "IPv6"
        raise BadSubnet(
            f"{stack.files[0]}: the stack wants {wanted}, and {parent.name} has {has}; give the"
            " interface an address there, or take the keys that end with 6 out of x-macvlan-ros"
        )
    return stack.subnet6 or fitting[0]


def wanted_addresses(stack: Stack, site: Site) -> dict[str, IPAddress]:
    """The address that the file asks for, by service; an `ipv4_address` counts on the LAN only."""
    found: dict[str, IPAddress] = {}
    for service in stack.services.values():
        if service.address is not None:
            found[service.name] = service.address
        elif service.former_address is not None and service.former_address in site.subnet:
            found[service.name] = service.former_address
    return found


def wanted_addresses6(stack: Stack) -> dict[str, IPAddress]:
    """The IPv6 address that the file asks for, by service."""
    return {one.name: one.address6 for one in stack.services.values() if one.address6}


def wanted_pool(
    stack: Stack, site: Site, wanted: Mapping[str, IPAddress], existing: Sequence[Pool]
) -> Pool:
    """The pool that the stack's addresses come from: the one it names, one that is there for the
    same LAN when the stack asks for nothing special, else one of its own (not yet in the store).

    With no range given, a pool of its own hands out the LAN's default range, and the addresses
    that services name outside of it. Where the default pool has all of what it would hand out, it
    is a part of that one, under its name. Raises PoolNotFound.
    """
    if stack.pool:
        for pool in existing:
            if pool.name == stack.pool:
                return pool
        raise PoolNotFound(
            f"{stack.files[0]}: x-macvlan-ros.pool is '{stack.pool}', and there is no such pool"
            f"{did_you_mean(stack.pool, [pool.name for pool in existing])};"
            f" make it with: macvlan-ros pool add {stack.pool} --subnet {site.subnet}"
        )
    own = stack.hosts.get(site.host)
    ranges = (own.ranges if own else ()) or stack.ranges
    if not ranges and not stack.exclude:
        same = {pool.name: pool for pool in existing if pool.subnet == site.subnet}
        for name in (stack.network, DEFAULT_POOL, *same):
            if name in same:
                return same[name]
    mine = Pool(
        # with a part of its own for each host, each is a pool: they may share a store
        name=f"{stack.network}-{site.host}" if own and own.ranges else stack.network,
        subnet=site.subnet,
        ranges=ranges or _default_ranges(site.subnet, wanted),
        exclude=stack.exclude,
        gateway=stack.gateway or site.parent.gateway,
    )
    usual = next((one for one in existing if one.name == DEFAULT_POOL), None)
    if usual is None or mine.name in {one.name for one in existing} or not _has(usual, mine):
        return mine
    return dataclasses.replace(
        usual,
        ranges=mine.ranges,
        exclude=(*usual.exclude, *stack.exclude),
        gateway=mine.gateway,
    )


def _has(whole: Pool, part: Pool) -> bool:
    """Whether the one hands out all that the other would, but for its own exclusions."""
    if whole.subnet != part.subnet or whole.dhcp:
        return False
    everything = dataclasses.replace(whole, exclude=(), gateway=None)
    return not subtract(addresses.intervals(part), addresses.intervals(everything))


def wanted_pool6(stack: Stack, site: Site, existing: Sequence[Pool]) -> Pool | None:
    """The pool that the stack's IPv6 addresses come from, by the same rules; None without IPv6."""
    if site.subnet6 is None:
        return None
    if stack.pool6:
        for pool in existing:
            if pool.name == stack.pool6 and pool.subnet.version == 6:
                return pool
        raise PoolNotFound(
            f"{stack.files[0]}: x-macvlan-ros.pool6 is '{stack.pool6}', and there is no such IPv6"
            f" pool{did_you_mean(stack.pool6, [pool.name for pool in existing])};"
            f" make it with: macvlan-ros pool add {stack.pool6} --subnet {site.subnet6}"
        )
    if not stack.ranges6:
        for pool in existing:
            if pool.subnet == site.subnet6:
                return pool
    return Pool(
        name=f"{stack.network}6",
        subnet=site.subnet6,
        ranges=stack.ranges6 or (addresses.default_range(site.subnet6),),
        gateway=stack.gateway6,
    )


def _default_ranges(subnet: IPNetwork, wanted: Mapping[str, IPAddress]) -> tuple[IPRange, ...]:
    usual = addresses.default_range(subnet)
    extra = sorted(a for a in set(wanted.values()) if a in subnet and a not in usual)
    return (usual, *(IPRange(address, address) for address in extra))


def host_addresses(stack: Stack, site: Site) -> dict[str, IPAddress]:
    """The PCs' own addresses on the LAN, by name, of the family that ROS speaks: those that the
    file says, and this one's."""
    six = site.subnet6 if stack.ros_over == "ipv6" else None
    said = {name: host.address for name, host in stack.hosts.items() if host.address}
    found = {} if six else said
    own = networks.address_on(site.parent, six or site.subnet)
    if own is not None:
        found[site.host] = own
    return found
