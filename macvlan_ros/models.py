"""Values: what the parts hand to one another. All frozen; none of them does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from netaddr import IPAddress, IPNetwork, IPRange

__all__ = [
    "DEFAULT_POOL",
    "DYNAMIC",
    "NETWORK",
    "NETWORK_MODES",
    "SHIM_PREFIX",
    "STATIC",
    "ArpSettings",
    "Attachment",
    "BridgeUse",
    "Build",
    "Dependency",
    "Device",
    "DeviceRequest",
    "Healthcheck",
    "HostEntry",
    "IPAddress",
    "IPNetwork",
    "IPRange",
    "Link",
    "MacvlanLink",
    "Mount",
    "Network",
    "NetworkMode",
    "Pool",
    "Record",
    "Reservation",
    "Route",
    "Service",
    "Side6",
    "Stack",
    "Ulimit",
]

DEFAULT_POOL = "default"

# What a reservation is for: an owner, for good; a container that nobody named, while it runs; a
# Docker network itself (its gateway, an auxiliary address).
STATIC, DYNAMIC, NETWORK = "static", "dynamic", "network"

#: How the names of shims begin, the host's own macvlan links.
SHIM_PREFIX = "mvr-"

#: bridge, private, vepa or passthru (ip-link(8), "MACVLAN and MACVTAP Type Support").
NetworkMode: TypeAlias = str
NETWORK_MODES = ("bridge", "private", "vepa", "passthru")


@dataclass(frozen=True, slots=True)
class Pool:
    """The part of a subnet that may be handed out: ranges minus exclusions.

    Empty `ranges` mean the whole subnet. `order` is "hashed" (the search for a free address
    starts at a place made from the owner's name, so that hosts that do not know one another
    rarely choose the same) or "sequential" (from the lowest address up). With `dhcp` each
    reservation is also taken as a lease from the LAN's DHCP server.
    """

    name: str
    subnet: IPNetwork
    ranges: tuple[IPRange, ...] = ()
    exclude: tuple[IPRange, ...] = ()
    gateway: IPAddress | None = None
    order: str = "hashed"
    dhcp: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A pool's record that an owner holds an address; it outlives the container.

    `mac` is the owner's, lower case with colons. `host` is the name of the host that made it
    or that its container belongs to. `created` is UTC in ISO 8601, to the second. `kind` is STATIC,
    DYNAMIC or NETWORK.
    """

    pool: str
    address: IPAddress
    owner: str
    mac: str
    host: str = ""
    created: str = ""
    kind: str = STATIC


@dataclass(frozen=True, slots=True)
class Record:
    """Something that must be known again after a restart, as a text.

    There is one at most under each `kind` and `key`. `host` is whose it is.
    """

    kind: str
    key: str
    host: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    """One interface of the host, and whether macvlan links can hang off it.

    `addresses` carry their prefix length. `gateway` is the default route's next hop through
    this link, if it has one. `objection` says why it cannot be a parent ("" if it can) and
    `remedy` what to do about that; `chosen` marks the one that is taken when nobody names another.
    """

    name: str
    index: int
    kind: str
    up: bool
    carrier: bool
    mac: str
    mtu: int
    addresses: tuple[IPNetwork, ...]
    gateway: IPAddress | None
    default_route: bool
    wireless: bool
    children: tuple[str, ...]
    objection: str = ""
    chosen: bool = False
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class MacvlanLink:
    """One macvlan link of this namespace. `parent` is "" when that one is in another namespace.

    `alias` is the free text that the kernel keeps with a link (ip-link(8)).
    """

    name: str
    index: int
    mac: str
    mtu: int
    mode: NetworkMode
    parent: str
    up: bool
    alias: str = ""


@dataclass(frozen=True, slots=True)
class ArpSettings:
    """How an interface deals with ARP; the numbers' meaning is in the kernel's ip-sysctl."""

    ignore: int = 0
    announce: int = 0
    rp_filter: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route of the main table. `via` None: the destination is on the link itself.

    `source` is the address that this host speaks with when it uses the route, if it says one.
    """

    destination: IPNetwork
    link: str
    via: IPAddress | None = None
    source: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class Side6:
    """What a network has of IPv6, beside its IPv4."""

    subnet: IPNetwork
    gateway: IPAddress | None = None
    ip_range: IPNetwork | None = None
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """A Docker macvlan network over a parent. `ours` is True when its labels say so. `six` is its
    IPv6, None when it has none."""

    name: str
    parent: str
    subnet: IPNetwork
    gateway: IPAddress | None
    ip_range: IPNetwork | None
    mode: NetworkMode = "bridge"
    pool: str = ""
    id: str = ""
    ours: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    six: Side6 | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A host device for a container. `permissions` is a subset of "rwm"."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind, a named volume or a tmpfs. `source` is absolute for a bind, "" for an anonymous
    volume; `create_source` asks Docker to make a missing folder, as Compose's short form does.
    `mode` keeps what else the short form said ("z", "cached", "rslave" …), comma separated.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    create_source: bool = False
    mode: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Ulimit:
    """One resource limit, as setrlimit(2) names it, in lower case ("memlock")."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """How Docker tells whether the container is healthy. Times in seconds; None is the image's."""

    test: tuple[str, ...] = ()
    interval: float | None = None
    timeout: float | None = None
    start_period: float | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """How an image is made. `context` is a folder or a URL; `dockerfile` is relative to it, or ""
    for its own; `inline` is the text of one. An argument of None takes the caller's variable.
    `options` are further flags of `docker build`, each with its value."""

    context: str
    dockerfile: str = ""
    inline: str = ""
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """GPUs and the like. `count` -1 is all; `count` None goes with `device_ids`."""

    driver: str = ""
    count: int | None = None
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[tuple[str, ...], ...] = (("gpu",),)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dependency:
    """One entry of depends_on. `condition` is started, healthy or completed."""

    service: str
    condition: str = "started"
    required: bool = True


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a container stands on the macvlan network: its own address and MAC, for good, and on a
    network with IPv6 an address of that, too."""

    network: str
    address: IPAddress
    mac: str
    address6: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class BridgeUse:
    """An additional network that a service joins beside the macvlan one.

    `name` is what Docker knows it by, `external` that it must exist already.
    """

    name: str
    aliases: tuple[str, ...] = ()
    address: IPAddress | None = None
    external: bool = False
    driver: str = "bridge"
    driver_options: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    subnets: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a stack, resolved: no variable, relative path or default is left open.

    `owner` is what its address is reserved under: the container's name. `host` is "" when the
    file names none. `address` is the one that `x-macvlan-ros` asks for, `address6` likewise;
    `former_address` is an
    `ipv4_address` of Compose's own on the network that the macvlan one replaces: it is used when
    it lies on the LAN. None means: as the image has it. Sizes are bytes, times seconds, `cpus` a
    number of cores. `ros` is "1", "2", "none" (leave its environment alone) or "" (not said).
    `default_route` is the network that has it, "" the macvlan one. `off_lan` is "" for a service
    on the LAN, else what it has instead: the name of its first bridge, "host" or "none".
    """

    name: str
    image: str
    container_name: str
    host: str = ""
    address: IPAddress | None = None
    address6: IPAddress | None = None
    former_address: IPAddress | None = None
    mac: str = ""
    build: bool = False
    recipe: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    hostname: str | None = None
    domainname: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    init: bool | None = None
    tty: bool = False
    stdin_open: bool = False
    privileged: bool = False
    read_only: bool = False
    working_dir: str | None = None
    user: str | None = None
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    ipc: str | None = None
    pid: str | None = None
    shm_size: int | None = None
    memory: int | None = None
    cpus: float | None = None
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    restart: str = "no"
    restart_retries: int = 0
    log_driver: str | None = None
    log_options: Mapping[str, str] = field(default_factory=dict)
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    stop_signal: str | None = None
    stop_grace_period: float | None = None
    healthcheck: Healthcheck | None = None
    depends_on: tuple[Dependency, ...] = ()
    runtime: str | None = None
    device_requests: tuple[DeviceRequest, ...] = ()
    profiles: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    bridges: tuple[BridgeUse, ...] = ()
    platform: str | None = None
    pull_policy: str = "missing"
    ros: str = ""
    default_route: str = ""
    off_lan: str = ""

    @property
    def owner(self) -> str:
        return self.container_name


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One PC of the stack: its parent (name, MAC or subnet), its own LAN address if the file
    says it, its part of the pool, its engine."""

    name: str
    parent: str = ""
    address: IPAddress | None = None
    ranges: tuple[IPRange, ...] = ()
    docker: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """How the stack's ROS 2 nodes find one another. `kind` is multicast, unicast, server (Fast
    DDS's) or router (zenoh's); the last two are at `place`, a service's name, "host:NAME" or an
    address, on `port`."""

    kind: str = "multicast"
    place: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A Compose file with its `x-macvlan-ros` section, resolved.

    `subnet` None is the parent's ("auto"). `master` is a service's name, "host:NAME", or a URI;
    "" when the stack names none. `domain` is ROS 2's, None when the stack says none. `volumes` maps
    a Docker volume's name to whether it is external. With `ipv6` the network has IPv6 beside IPv4:
    `subnet6` None is the parent's; with `ros_over` "ipv6" ROS speaks it.
    `notes` are what was replaced or ignored and why, one sentence each, for people to read.
    `services` has all of them, those of inactive profiles too; `profiles` are the active ones.
    """

    name: str
    files: tuple[str, ...]
    network: str
    pool: str = ""
    subnet: IPNetwork | None = None
    gateway: IPAddress | None = None
    ranges: tuple[IPRange, ...] = ()
    exclude: tuple[IPRange, ...] = ()
    ipv6: bool = False
    pool6: str = ""
    subnet6: IPNetwork | None = None
    gateway6: IPAddress | None = None
    ranges6: tuple[IPRange, ...] = ()
    ros_over: str = "ipv4"
    parent: str = ""
    mode: NetworkMode = "bridge"
    master: str = ""
    domain: int | None = None
    discovery: Discovery = Discovery()
    hosts: Mapping[str, HostEntry] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    volumes: Mapping[str, bool] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
