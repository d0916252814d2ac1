"""Values read from Docker's answers, and the labels by which we know our own things again.

Pure: the JSON of the Engine API (https://docs.docker.com/reference/api/engine/) in, frozen values
out. A field that an engine leaves out, as old and new ones do, is read as empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netaddr import AddrFormatError, IPAddress, IPNetwork

from macvlan_ros.models.networks import Network, Side6

LABEL_MANAGED = "macvlan-ros.managed"
LABEL_POOL = "macvlan-ros.pool"
LABEL_POOL6 = "macvlan-ros.pool6"
LABEL_GATEWAY = "macvlan-ros.gateway"
LABEL_GATEWAY6 = "macvlan-ros.gateway6"
LABEL_STACK = "macvlan-ros.stack"
LABEL_SERVICE = "macvlan-ros.service"
LABEL_OWNER = "macvlan-ros.owner"
LABEL_CONFIG_HASH = "macvlan-ros.config-hash"
LABEL_ADDRESS = "macvlan-ros.address"
#: The network that has the default route of a container on several.
LABEL_DEFAULT_ROUTE = "macvlan-ros.default-route"

#: What `LABEL_MANAGED` is set to.
MANAGED = "1"
#: `LABEL_GATEWAY` of a network without a gateway, where Docker insists on one.
NO_GATEWAY = "none"

#: Drivers whose containers stand on the LAN itself, not on a subnet of Docker's own.
LAN_DRIVERS = ("macvlan", "ipvlan")
#: Networks of Docker's own, of which a container has one and no other.
BUILT_IN = ("host", "none", "bridge", "default")
#: The name of our plugin.
PLUGIN = "macvlan-ros"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine that answers. `name` is its host's, `arch` as Go says it ("amd64", "arm64"), `id`
    its own and nobody else's. `system_time` is its host's (RFC 3339)."""

    name: str
    version: str
    api_version: str
    os: str
    arch: str
    kernel: str = ""
    rootless: bool = False
    swarm: bool = False
    runtimes: tuple[str, ...] = ()
    id: str = ""
    system_time: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has. None for `entrypoint` and `command` means: not set."""

    id: str
    tags: tuple[str, ...]
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    labels: Mapping[str, str]
    user: str = ""
    arch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as it is now.

    `state` is Docker's word (created, running, paused, restarting, removing, exited, dead),
    `status` the text for people ("Up 3 minutes (healthy)"), `health` is "", starting, healthy or
    unhealthy. `address` is its fixed one on the LAN, also while it is stopped; `networks` maps each
    network to the address that it has there. Times are UTC in ISO 8601, "" for never. `pid` is its
    first process, as the engine's PC counts them; 0 when it does not run.
    """

    id: str
    name: str
    image: str
    image_id: str
    state: str
    status: str
    exit_code: int
    error: str
    health: str
    labels: Mapping[str, str]
    address: IPAddress | None
    address6: IPAddress | None
    mac: str
    networks: Mapping[str, IPAddress | None]
    created: str
    started_at: str
    finished_at: str
    restart_count: int
    pid: int = 0

    @property
    def managed(self) -> bool:
        return self.labels.get(LABEL_MANAGED) == MANAGED

    @property
    def running(self) -> bool:
        return self.state in ("running", "paused", "restarting")

    @property
    def stack(self) -> str:
        return self.labels.get(LABEL_STACK, "")

    @property
    def service(self) -> str:
        return self.labels.get(LABEL_SERVICE, "")

    @property
    def owner(self) -> str:
        return self.labels.get(LABEL_OWNER, "")

    @property
    def config_hash(self) -> str:
        return self.labels.get(LABEL_CONFIG_HASH, "")


def read_engine(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineInfo:
    """From GET /version and GET /info."""
    return EngineInfo(
        name=info.get("Name") or "",
        version=version.get("Version") or "",
        api_version=version.get("ApiVersion") or "",
        os=version.get("Os") or "",
        arch=version.get("Arch") or "",
        kernel=version.get("KernelVersion") or "",
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        swarm=(info.get("Swarm") or {}).get("LocalNodeState") == "active",
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        system_time=info.get("SystemTime") or "",
        id=info.get("ID") or "",
    )


def read_image(found: Mapping[str, Any]) -> Image:
    """From GET /images/NAME/json."""
    config = found.get("Config") or {}
    return Image(
        id=found.get("Id") or "",
        tags=tuple(found.get("RepoTags") or ()),
        environment=dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry),
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        labels=dict(config.get("Labels") or {}),
        user=config.get("User") or "",
        arch=found.get("Architecture") or "",
    )


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def read_container(found: Mapping[str, Any], *, status: str = "") -> Container:
    """From GET /containers/ID/json; `status` is the text of the listing, which inspect lacks."""
    config = found.get("Config") or {}
    state = found.get("State") or {}
    labels = dict(config.get("Labels") or {})
    endpoints = (found.get("NetworkSettings") or {}).get("Networks") or {}
    networks = {name: _endpoint_address(end or {}) for name, end in endpoints.items()}
    main = (found.get("HostConfig") or {}).get("NetworkMode") or ""
    return Container(
        id=found.get("Id") or "",
        name=(found.get("Name") or "").removeprefix("/"),
        image=config.get("Image") or "",
        image_id=found.get("Image") or "",
        state=state.get("Status") or "",
        status=status or state.get("Status") or "",
        exit_code=state.get("ExitCode") or 0,
        error=state.get("Error") or "",
        health=_health(state),
        labels=labels,
        address=read_address(labels.get(LABEL_ADDRESS)) or networks.get(main),
        address6=_endpoint_address6(endpoints.get(main) or {}),
        mac=_mac(endpoints.get(main) or {}, config),
        networks=networks,
        created=_time(found.get("Created")),
        started_at=_time(state.get("StartedAt")),
        finished_at=_time(state.get("FinishedAt")),
        restart_count=found.get("RestartCount") or 0,
        pid=state.get("Pid") or 0,
    )


def _endpoint_address(endpoint: Mapping[str, Any]) -> IPAddress | None:
    """The address now, or while the container is stopped the one it will get."""
    fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
    return read_address(endpoint.get("IPAddress")) or read_address(fixed)


def _endpoint_address6(endpoint: Mapping[str, Any]) -> IPAddress | None:
    fixed = (endpoint.get("IPAMConfig") or {}).get("IPv6Address")
    return read_address(endpoint.get("GlobalIPv6Address")) or read_address(fixed)


def _mac(endpoint: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    found = endpoint.get("MacAddress") or config.get("MacAddress") or ""
    return str(found).lower()


def _health(state: Mapping[str, Any]) -> str:
    health = (state.get("Health") or {}).get("Status") or ""
    return "" if health == "none" else health


def _time(value: str | None) -> str:
    """Docker's nanoseconds cut to seconds; its year 1 means never."""
    if not value or value.startswith("0001-"):
        return ""
    return f"{value[:19]}Z"


def read_address(value: str | None) -> IPAddress | None:
    """An address, with or without a prefix length; None where there is none."""
    try:
        return IPAddress(value.partition("/")[0]) if value else None
    except (AddrFormatError, ValueError):
        return None


def is_ours(labels: Mapping[str, str] | None) -> bool:
    """Whether the labels say that macvlan-ros made it."""
    return (labels or {}).get(LABEL_MANAGED) == MANAGED


def subnets_of(found: Mapping[str, Any]) -> tuple[IPNetwork, ...]:
    """The subnets of a network of GET /networks, of both families."""
    configs = (found.get("IPAM") or {}).get("Config") or ()
    return tuple(IPNetwork(config["Subnet"]) for config in configs if config.get("Subnet"))


def taken_subnets(listing: list[dict[str, Any]]) -> dict[IPNetwork, str]:
    """Subnets that Docker keeps for its own, each with its network's name.

    Networks over a parent (macvlan, ipvlan, our plugin's) are left out: their subnet is the LAN
    itself.
    """
    return {
        subnet: found.get("Name") or ""
        for found in listing
        if found.get("Driver") not in LAN_DRIVERS and not _is_plugins(found)
        for subnet in subnets_of(found)
    }


def _is_plugins(found: Mapping[str, Any]) -> bool:
    """Whether our plugin made the network or gives its addresses; a managed one has a tag."""
    drivers = (found.get("Driver"), (found.get("IPAM") or {}).get("Driver"))
    return any(str(driver).partition(":")[0] == PLUGIN for driver in drivers)


def is_on_our_lan(found: Mapping[str, Any]) -> bool:
    """Whether a network of GET /networks is ours, or our plugin's."""
    ours = found.get("Driver") in LAN_DRIVERS and is_ours(found.get("Labels"))
    return ours or _is_plugins(found)


def read_network(found: Mapping[str, Any]) -> Network | None:
    """A macvlan network of GET /networks; None for one of another driver, or without IPv4."""
    config = _config(found, 4)
    if found.get("Driver") != "macvlan" or config is None:
        return None
    labels = dict(found.get("Labels") or {})
    options = found.get("Options") or {}
    gateway = None if labels.get(LABEL_GATEWAY) == NO_GATEWAY else config.get("Gateway")
    return Network(
        name=found.get("Name") or "",
        parent=options.get("parent") or "",
        subnet=IPNetwork(config["Subnet"]),
        gateway=read_address(gateway),
        ip_range=IPNetwork(config["IPRange"]) if config.get("IPRange") else None,
        mode=options.get("macvlan_mode") or "bridge",
        pool=labels.get(LABEL_POOL, ""),
        id=found.get("Id") or "",
        ours=is_ours(labels),
        labels=labels,
        six=_side6(found, labels),
    )


def _side6(found: Mapping[str, Any], labels: Mapping[str, str]) -> Side6 | None:
    config = _config(found, 6)
    if config is None or not found.get("EnableIPv6"):
        return None
    gateway = None if labels.get(LABEL_GATEWAY6) == NO_GATEWAY else config.get("Gateway")
    return Side6(
        subnet=IPNetwork(config["Subnet"]),
        gateway=read_address(gateway),
        ip_range=IPNetwork(config["IPRange"]) if config.get("IPRange") else None,
        pool=labels.get(LABEL_POOL6, ""),
    )


def _config(found: Mapping[str, Any], version: int) -> Mapping[str, Any] | None:
    for config in (found.get("IPAM") or {}).get("Config") or ():
        if config.get("Subnet") and IPNetwork(config["Subnet"]).version == version:
            return dict(config)
    return None


def _pairs6(network: Network, wanted: Network) -> list[tuple[str, object, object]]:
    """What to compare of IPv6; a network that has it serves those who do not ask for it."""
    if wanted.six is None:
        return []
    has = network.six
    pairs: list[tuple[str, object, object]] = [
        ("IPv6 subnet", has and has.subnet.cidr, wanted.six.subnet.cidr)
    ]
    if has is not None and network.ours:
        pairs += [
            ("IPv6 gateway", has.gateway, wanted.six.gateway),
            ("IPv6 range", has.ip_range, wanted.six.ip_range),
            ("IPv6 pool", has.pool, wanted.six.pool),
        ]
    return pairs


def network_differences(found: Mapping[str, Any], wanted: Network) -> tuple[str, ...]:
    """How a network of GET /networks differs from the wanted one; empty when it will serve.

    For one that we did not make, what has no bearing on fixed addresses is passed over: its
    range, its pool, and a gateway where we want none.
    """
    scope = found.get("Scope") or "local"
    network = read_network(found)
    if network is None:
        driver = found.get("Driver") or "none"
        if driver != "macvlan":
            return (f"driver is {driver}, wanted macvlan",)
        return (f"it has no IPv4 subnet, wanted {wanted.subnet}",)
    pairs: list[tuple[str, object, object]] = [
        ("parent", network.parent, wanted.parent),
        ("mode", network.mode, wanted.mode),
        ("subnet", network.subnet.cidr, wanted.subnet.cidr),
        # Docker ignores a fixed address on a swarm's macvlan network, without a word
        ("scope", scope, "local"),
    ]
    if network.ours or wanted.gateway is not None:
        pairs.append(("gateway", network.gateway, wanted.gateway))
    if network.ours:
        pairs.append(("range", network.ip_range, wanted.ip_range))
    if network.ours and wanted.pool:
        pairs.append(("pool", network.pool, wanted.pool))
    pairs += _pairs6(network, wanted)
    return tuple(
        f"{what} is {is_now or 'none'}, wanted {should or 'none'}"
        for what, is_now, should in pairs
        if is_now != should
    )
