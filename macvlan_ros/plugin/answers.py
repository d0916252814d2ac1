"""libnetwork's answers: one frozen dataclass for each shape; `body()` is the JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from netaddr import IPAddress, IPNetwork

from macvlan_ros.values import dataclass

__all__ = [
    "AddressGiven",
    "AddressSpaces",
    "Answer",
    "Done",
    "EndpointCreated",
    "EndpointInfo",
    "GwAllocChecked",
    "Implements",
    "IpamCapabilities",
    "Joined",
    "NetworkCapabilities",
    "PoolGiven",
    "StaticRoute",
]

#: RouteType of a static route.
_NEXT_HOP = 0
_CONNECTED = 1


class Answer(Protocol):
    """What a handler returns."""

    def body(self) -> Mapping[str, object]:
        """The answer's JSON object."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to say. Docker cannot decode an empty body, so it is an empty object."""

    def body(self) -> Mapping[str, object]:
        return {}


@dataclass(frozen=True, slots=True)
class Implements:
    drivers: tuple[str, ...] = ("NetworkDriver", "IpamDriver")

    def body(self) -> Mapping[str, object]:
        return {"Implements": list(self.drivers)}


@dataclass(frozen=True, slots=True)
class NetworkCapabilities:
    """`scope` is what a network of ours spans, "local" or "global"."""

    scope: str = "local"
    connectivity: str = "global"
    checks_gateway: bool = True

    def body(self) -> Mapping[str, object]:
        return {
            "Scope": self.scope,
            "ConnectivityScope": self.connectivity,
            "GwAllocChecker": self.checks_gateway,
        }


@dataclass(frozen=True, slots=True)
class GwAllocChecked:
    skip_ipv4: bool
    skip_ipv6: bool

    def body(self) -> Mapping[str, object]:
        return {"SkipIPv4": self.skip_ipv4, "SkipIPv6": self.skip_ipv6}


@dataclass(frozen=True, slots=True)
class IpamCapabilities:
    needs_mac: bool = True
    replays: bool = True

    def body(self) -> Mapping[str, object]:
        return {"RequiresMACAddress": self.needs_mac, "RequiresRequestReplay": self.replays}


@dataclass(frozen=True, slots=True)
class AddressSpaces:
    local: str
    everywhere: str

    def body(self) -> Mapping[str, object]:
        return {
            "LocalDefaultAddressSpace": self.local,
            "GlobalDefaultAddressSpace": self.everywhere,
        }


@dataclass(frozen=True, slots=True)
class PoolGiven:
    pool_id: str
    pool: IPNetwork
    data: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> Mapping[str, object]:
        return {"PoolID": self.pool_id, "Pool": str(self.pool), "Data": dict(self.data)}


@dataclass(frozen=True, slots=True)
class AddressGiven:
    """`address` carries its prefix length."""

    address: IPNetwork

    def body(self) -> Mapping[str, object]:
        return {"Address": str(self.address), "Data": {}}


@dataclass(frozen=True, slots=True)
class EndpointCreated:
    """Only what Docker left open: to echo what it gave is an error to it."""

    mac: str = ""

    def body(self) -> Mapping[str, object]:
        return {"Interface": {"MacAddress": self.mac} if self.mac else {}}


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    values: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> Mapping[str, object]:
        return {"Value": dict(self.values)}


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """`next_hop` None: the destination is on the link."""

    destination: IPNetwork
    next_hop: IPAddress | None = None

    def body(self) -> Mapping[str, object]:
        answer: dict[str, object] = {"Destination": str(self.destination)}
        if self.next_hop is None:
            return answer | {"RouteType": _CONNECTED}
        return answer | {"RouteType": _NEXT_HOP, "NextHop": str(self.next_hop)}


@dataclass(frozen=True, slots=True)
class Joined:
    """The link that Docker moves into the sandbox, and the sandbox's routes.

    Without a gateway Docker would add a second interface on docker_gwbridge, so it is told not
    to (`DisableGatewayService`): a container of ours has the LAN and nothing else.
    """

    link: str
    prefix: str
    gateway: IPAddress | None
    gateway_v6: IPAddress | None
    routes: tuple[StaticRoute, ...] = ()

    def body(self) -> Mapping[str, object]:
        answer: dict[str, object] = {
            "InterfaceName": {"SrcName": self.link, "DstPrefix": self.prefix},
            "StaticRoutes": [route.body() for route in self.routes],
            "DisableGatewayService": True,
        }
        if self.gateway is not None:
            answer["Gateway"] = str(self.gateway)
        if self.gateway_v6 is not None:
            answer["GatewayIPv6"] = str(self.gateway_v6)
        return answer
