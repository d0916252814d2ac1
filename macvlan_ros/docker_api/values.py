"""Values read from Docker's answers: the engine, images and containers.

Pure: the JSON of the Engine API (https://docs.docker.com/reference/api/engine/) in, frozen values
out. A field that an engine leaves out, as old and new ones do, is read as empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netaddr import AddrFormatError, IPAddress

from macvlan_ros.docker_api.labels import (
    LABEL_ADDRESS,
    LABEL_CONFIG_HASH,
    LABEL_OWNER,
    LABEL_SERVICE,
    LABEL_STACK,
)
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine that answers. `name` is its host's, `id` its own and nobody else's; `system_time`
    is its host's (RFC 3339)."""

    name: str
    version: str
    api_version: str
    os: str
    kernel: str = ""
    rootless: bool = False
    swarm: bool = False
    id: str = ""
    system_time: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has. None for `entrypoint` and `command` means: not set."""

    id: str
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    labels: Mapping[str, str]
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as it is now.

    `state` is Docker's word (created, running, paused, restarting, removing, exited, dead),
    `status` the text for people ("Up 3 minutes (healthy)"), `health` is "", starting, healthy or
    unhealthy. `address` is its fixed one on the LAN, also while it is stopped; `networks` maps each
    network to the address that it has there. `created` is UTC in ISO 8601. `pid` is its
    first process, as the engine's PC counts them; 0 when it does not run. `entrypoint` is what its
    command is given to.
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
    pid: int = 0
    entrypoint: tuple[str, ...] = ()

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
        kernel=version.get("KernelVersion") or "",
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        swarm=(info.get("Swarm") or {}).get("LocalNodeState") == "active",
        system_time=info.get("SystemTime") or "",
        id=info.get("ID") or "",
    )


def read_image(found: Mapping[str, Any]) -> Image:
    """From GET /images/NAME/json."""
    config = found.get("Config") or {}
    return Image(
        id=found.get("Id") or "",
        environment=dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry),
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        labels=dict(config.get("Labels") or {}),
        user=config.get("User") or "",
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
        pid=state.get("Pid") or 0,
        entrypoint=_words(config.get("Entrypoint")) or (),
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
    """Docker's nanoseconds cut to seconds."""
    return f"{value[:19]}Z" if value else ""


def read_address(value: str | None) -> IPAddress | None:
    """An address, with or without a prefix length; None where there is none."""
    try:
        return IPAddress(value.partition("/")[0]) if value else None
    except (AddrFormatError, ValueError):
        return None
