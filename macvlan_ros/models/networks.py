"""Docker's macvlan networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.links import NetworkMode
from macvlan_ros.values import dataclass


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
