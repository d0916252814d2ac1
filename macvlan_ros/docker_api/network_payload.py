"""A network as the Engine API takes it: the body of POST /networks/create.

Pure: values in, plain dicts out, for API 1.41 (Docker 20.10) to 1.52 (Docker 29). See
https://docs.docker.com/reference/api/engine/version/v1.41/#operation/NetworkCreate
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_api.labels import (
    LABEL_GATEWAY,
    LABEL_GATEWAY6,
    LABEL_MANAGED,
    LABEL_POOL,
    LABEL_POOL6,
    MANAGED,
    NO_GATEWAY,
)

if TYPE_CHECKING:
    from macvlan_ros.models.containers import BridgeUse
    from macvlan_ros.models.networks import Network


def network_payload(
    network: Network, *, placeholder: IPAddress | None, placeholder6: IPAddress | None = None
) -> dict[str, Any]:
    """The whole body for a macvlan network.

    Docker always keeps one address for a gateway, and without one given takes the first of the
    range, which then no container can have. So a network without a gateway names `placeholder`,
    an address that is never handed out (this host's own), and is internal: no default route.
    `placeholder6` is the same for IPv6; the default route that Docker makes by way of it is taken
    away inside of each container (sandbox.py).
    """
    pools = [_ipam_pool(network.subnet, network.gateway or placeholder, network.ip_range)]
    labels = dict(network.labels)
    if network.pool:
        labels[LABEL_POOL] = network.pool
    if network.gateway is None:
        labels[LABEL_GATEWAY] = NO_GATEWAY
    six = network.six
    if six is not None:
        pools.append(_ipam_pool(six.subnet, six.gateway or placeholder6, six.ip_range))
        labels[LABEL_POOL6] = six.pool
        if six.gateway is None:
            labels[LABEL_GATEWAY6] = NO_GATEWAY
    options = {"parent": network.parent, "macvlan_mode": network.mode}
    internal = network.gateway is None
    made = _network(network.name, "macvlan", options, pools, labels=labels, internal=internal)
    return {**made, "EnableIPv6": True} if six is not None else made


def _network(
    name: str,
    driver: str,
    options: Mapping[str, str],
    pools: Sequence[Mapping[str, str]],
    *,
    labels: Mapping[str, str],
    internal: bool,
) -> dict[str, Any]:
    return {
        "Name": name,
        "Driver": driver,
        "Options": dict(options),
        "IPAM": {"Driver": "default", "Config": list(pools)},
        "Internal": internal,
        "Labels": {**labels, LABEL_MANAGED: MANAGED},
        "CheckDuplicate": True,
    }


def _ipam_pool(
    subnet: IPNetwork, gateway: IPAddress | None, ip_range: IPNetwork | None
) -> dict[str, str]:
    pool = {"Subnet": str(subnet.cidr)}
    if gateway is not None:
        pool["Gateway"] = str(gateway)
    if ip_range is not None:
        pool["IPRange"] = str(ip_range.cidr)
    return pool


def bridge_payload(bridge: BridgeUse, labels: Mapping[str, str]) -> dict[str, Any]:
    """The whole body for an additional network of a stack."""
    pools = [{"Subnet": str(subnet.cidr)} for subnet in bridge.subnets]
    return _network(
        bridge.name,
        bridge.driver,
        bridge.driver_options,
        pools,
        labels=labels,
        internal=bridge.internal,
    )
