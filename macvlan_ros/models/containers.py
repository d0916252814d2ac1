"""A container, as a stack or a command line describes it, and the parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from netaddr import IPAddress, IPNetwork

from macvlan_ros.values import dataclass


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
class Volume:
    """A named volume of Docker's; `external` says that it must be there already. `driver` "" is
    the engine's own, `options` are the driver's."""

    name: str
    external: bool = False
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


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
    `options` are further flags of `docker build`, each with its value, and `variables` those that
    it is to find in its environment."""

    context: str
    dockerfile: str = ""
    inline: str = ""
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    options: tuple[tuple[str, str], ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


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

    `owner` is what its address is reserved under: the container's name. `compose_name` is what
    Compose would call the container by itself, to which it answers, too. `host` is "" when the
    file names none. `address` is the one that `x-macvlan-ros` asks for, `address6` likewise;
    `former_address` is an
    `ipv4_address` of Compose's own on the network that the macvlan one replaces: it is used when
    it lies on the LAN. None means: as the image has it. Sizes are bytes, times seconds, `cpus` a
    number of cores. `ros` is "1", "2", "none" (leave its environment alone) or "" (not said).
    `default_route` is the network that has it, "" the macvlan one. `off_lan` is "" for a service
    on the LAN, else what it has instead: the name of its first bridge, "host" or "none".
    `host_network` says that the file asks for the host's own network, which the LAN replaces.
    `host_config` are limits and namespaces by the names of Docker's HostConfig. `missing` is why
    the service cannot start: what it names is not there.
    """

    name: str
    image: str
    container_name: str
    compose_name: str = ""
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
    host_network: bool = False
    host_config: Mapping[str, Any] = field(default_factory=dict)
    missing: str = ""

    @property
    def owner(self) -> str:
        return self.container_name
