"""Docker's networks as values, read from its answers, and how they differ from what is wanted.

Pure: the JSON of GET /networks (https://docs.docker.com/reference/api/engine/) in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netaddr import IPNetwork

from macvlan_ros.docker_api.labels import (
    LABEL_GATEWAY,
    LABEL_GATEWAY6,
    LABEL_POOL,
    LABEL_POOL6,
    NO_GATEWAY,
    is_ours,
)
from macvlan_ros.docker_api.values import read_address
from macvlan_ros.models.networks import Network, Side6

#: Drivers whose containers stand on the LAN itself, not on a subnet of Docker's own.
LAN_DRIVERS = ("macvlan", "ipvlan")
#: What a network is of whose place the LAN's takes, where another stays beside it.
REPLACED_DRIVERS = ("overlay", *LAN_DRIVERS)
#: Networks of Docker's own, of which a container has one and no other.
BUILT_IN = ("host", "none", "bridge", "default")
#: The name of our plugin.
PLUGIN = "macvlan-ros"


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
