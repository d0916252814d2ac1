"""Plans: everything about a launch that is decided before the first container is touched."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros import addresses, networks, placement, ros
from macvlan_ros.docker_values import Image
from macvlan_ros.errors import BadSubnet, PoolNotFound
from macvlan_ros.models.containers import Attachment, Service
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import DEFAULT_POOL, Pool, Reservation
from macvlan_ros.models.stacks import Stack
from macvlan_ros.near import did_you_mean
from macvlan_ros.spans import subtract

#: Keys of a service that say where and when it runs, and not what its container is.
_NOT_THE_CONTAINER = (
    "address6",
    "build",
    "depends_on",
    "former_address",
    "host",
    "profiles",
    "pull_policy",
    "recipe",
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stack lands here: this host's name, its parent, and the LAN on it, with its IPv6 if
    the stack wants that."""

    host: str
    parent: Link
    subnet: IPNetwork
    subnet6: IPNetwork | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One container as it shall be. `attachment` is None, and `pool` "", for one that is not on
    the LAN. `environment` None takes a variable of the image out; `files`
    are put into it before it starts, by path."""

    service: Service
    pool: str
    attachment: Attachment | None
    environment: Mapping[str, str | None]
    hosts: tuple[tuple[str, str], ...]
    config_hash: str
    files: Mapping[str, str] = field(default_factory=dict)
    pool6: str = ""

    @property
    def network(self) -> str:
        """What Docker calls the container's main network."""
        return self.attachment.network if self.attachment else self.service.off_lan


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


def notes_about_hosts(stack: Stack, site: Site, known: Mapping[str, IPAddress]) -> list[str]:
    """The services of other hosts whose addresses are not `known`, one sentence each."""
    return [
        f"'{service.name}' runs on {service.host} and has no fixed address, so its name"
        " does not resolve here; give it one with x-macvlan-ros: {address: ...}"
        for service in stack.services.values()
        if not (placement.is_here(service, site.host) or service.off_lan)
        and service.name not in known
    ]


def notes_about_waiting(stack: Stack, here: Sequence[Service]) -> list[str]:
    """What belongs to other hosts and is not waited for, one sentence each."""
    starts = {service.name for service in here}
    return [
        f"'{service.name}' depends on '{dependency.service}', which runs on"
        f" {stack.services[dependency.service].host} and is not waited for"
        for service in here
        for dependency in service.depends_on
        if dependency.service in stack.services and dependency.service not in starts
    ]


def build(
    stack: Stack,
    here: Sequence[Service],
    *,
    site: Site,
    held: Mapping[str, Reservation],
    wanted: Mapping[str, IPAddress],
    images: Mapping[str, Image],
    held6: Mapping[str, Reservation] | None = None,
) -> tuple[list[Planned], list[str]]:
    """The plan of every service that starts here, and notes about what was replaced.

    `held` has the reservations of what starts here, by service name, `held6` those of IPv6;
    `wanted` the addresses that the file fixes or the store has, for services of other hosts too,
    of the family that ROS speaks.
    """
    held6 = held6 or {}
    ros_held = held6 if stack.ros_over == "ipv6" else held
    known = {**wanted, **{name: reservation.address for name, reservation in ros_held.items()}}
    hosts_at = host_addresses(stack, site)
    master = ros.master_uri(stack, known, hosts_at)
    graph = ros.graph(stack, known, hosts_at)
    former = ros.former_addresses(stack, known)
    elsewhere = _elsewhere(stack, site, known)
    notes = [_unused(service, site) for service in here if _is_off_lan(service, site)]
    planned: list[Planned] = []
    for service in here:
        image = images[service.image]
        hosts = (*elsewhere, *service.extra_hosts)
        if service.off_lan:
            planned.append(_planned_off_lan(service, hosts, image))
            continue
        reservation = held[service.name]
        environment = ros.environment(
            service,
            address=known[service.name],
            master_uri=master,
            image_environment=image.environment,
            former=former,
            graph=graph,
        )
        notes += environment.notes
        six = held6.get(service.name)
        attachment = Attachment(
            stack.network,
            reservation.address,
            service.mac or reservation.mac,
            six.address if six else None,
        )
        planned.append(
            Planned(
                service,
                reservation.pool,
                attachment,
                environment.variables,
                hosts,
                _config_hash(service, attachment, environment, hosts, image.id),
                environment.files,
                six.pool if six else "",
            )
        )
    return planned, notes


def _planned_off_lan(service: Service, hosts: tuple[tuple[str, str], ...], image: Image) -> Planned:
    """ROS is not set up for it: nobody on the LAN could reach its nodes."""
    environment = ros.RosEnvironment(dict(service.environment))
    hashed = _config_hash(service, None, environment, hosts, image.id)
    return Planned(service, "", None, environment.variables, hosts, hashed)


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


def _is_off_lan(service: Service, site: Site) -> bool:
    return service.former_address is not None and service.former_address not in site.subnet


def _unused(service: Service, site: Site) -> str:
    return (
        f"{service.name}: ipv4_address {service.former_address} is not on the LAN {site.subnet}"
        " and is not used"
    )


def _elsewhere(
    stack: Stack, site: Site, known: Mapping[str, IPAddress]
) -> tuple[tuple[str, str], ...]:
    """Names of containers on other hosts. Those on this one are known to Docker's own DNS, and
    a name more in the hosts file would mean a new container whenever the stack grows."""
    entries: dict[str, str] = {}
    for service in stack.services.values():
        if placement.is_here(service, site.host) or service.name not in known:
            continue
        for name in (service.name, service.container_name, service.hostname):
            if name:
                entries[name] = str(known[service.name])
    return tuple(entries.items())


def _config_hash(
    service: Service,
    attachment: Attachment | None,
    environment: ros.RosEnvironment,
    hosts: Sequence[tuple[str, str]],
    image_id: str,
) -> str:
    what = dataclasses.asdict(service)
    for key in _NOT_THE_CONTAINER:
        del what[key]
    for key in ("off_lan", "host_config"):
        if not what[key]:
            del what[key]  # as it was before there was such a key
    place = dataclasses.asdict(attachment) if attachment else {}
    what |= {
        "environment": dict(environment.variables),
        "attachment": {key: value for key, value in place.items() if value is not None},
        "hosts": list(hosts),
        "image_id": image_id,
    }
    if environment.files:
        what["files"] = dict(environment.files)
    text = json.dumps(what, sort_keys=True, default=str)
    # Imported here, for it brings OpenSSL along, and few commands need it.
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()
