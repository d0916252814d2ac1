"""How Docker's networks are read and compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from netaddr import IPNetwork

from macvlan_ros.docker_api.network_values import network_differences, read_network, taken_subnets
from tests.unit.docker_network import NETWORK as WANTED

OURS = {"macvlan-ros.managed": "1", "macvlan-ros.pool": "lab"}


def found(**changes: Any) -> dict[str, Any]:
    """A network as GET /networks lists it."""
    config = {
        "Subnet": "192.168.50.0/24",
        "Gateway": "192.168.50.1",
        "IPRange": "192.168.50.192/27",
    }
    return {
        "Name": "ros_lan",
        "Id": "9a6d",
        "Driver": "macvlan",
        "Scope": "local",
        "IPAM": {"Driver": "default", "Config": [config]},
        "Options": {"parent": "eth0", "macvlan_mode": "bridge"},
        "Labels": OURS,
        **changes,
    }


def ipam(**config: str) -> dict[str, Any]:
    return {"Config": [{"Subnet": "192.168.50.0/24", **config}]}


def test_a_network_reads_as_it_was_wanted() -> None:
    assert read_network(found()) == replace(WANTED, id="9a6d", labels=OURS)
    assert network_differences(found(), WANTED) == ()


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"Options": {"parent": "eth1"}}, "parent is eth1, wanted eth0"),
        (
            {"Options": {"parent": "eth0", "macvlan_mode": "vepa"}},
            "mode is vepa, wanted bridge",
        ),
        ({"Driver": "bridge"}, "driver is bridge, wanted macvlan"),
        ({"Scope": "swarm"}, "scope is swarm, wanted local"),
        ({"IPAM": {"Config": None}}, "it has no IPv4 subnet, wanted 192.168.50.0/24"),
        (
            {"IPAM": {"Config": [{"Subnet": "10.0.0.0/8", "Gateway": "192.168.50.1"}]}},
            "subnet is 10.0.0.0/8, wanted 192.168.50.0/24",
        ),
        (
            {"IPAM": ipam(Gateway="192.168.50.254", IPRange="192.168.50.192/27")},
            "gateway is 192.168.50.254, wanted 192.168.50.1",
        ),
        (
            {"IPAM": ipam(Gateway="192.168.50.1")},
            "range is none, wanted 192.168.50.192/27",
        ),
        (
            {"Labels": {**OURS, "macvlan-ros.pool": "other"}},
            "pool is other, wanted lab",
        ),
    ],
)
def test_each_difference_is_named(changes: dict[str, Any], difference: str) -> None:
    assert difference in network_differences(found(**changes), WANTED)


def test_no_macvlan_mode_means_bridge() -> None:
    assert network_differences(found(Options={"parent": "eth0"}), WANTED) == ()


def test_a_network_of_somebody_else_serves_whatever_its_range() -> None:
    foreign = found(Labels=None, IPAM=ipam(Gateway="192.168.50.1"))
    assert network_differences(foreign, WANTED) == ()
    network = read_network(foreign)
    assert network is not None
    assert not network.ours


def test_a_gateway_that_only_docker_wanted_reads_as_none() -> None:
    ours = found(Labels={**OURS, "macvlan-ros.gateway": "none"})
    assert network_differences(ours, replace(WANTED, gateway=None)) == ()
    assert network_differences(found(), replace(WANTED, gateway=None)) == (
        "gateway is 192.168.50.1, wanted none",
    )


def test_subnets_of_the_lan_itself_are_not_dockers_own() -> None:
    listing: list[dict[str, Any]] = [
        {"Name": "bridge", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}},
        {"Name": "host", "Driver": "host", "IPAM": {"Config": None}},
        {"Name": "none", "Driver": "null", "IPAM": None},
        {
            "Name": "ours",
            "Driver": "bridge",
            "Labels": OURS,
            "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}, {"Subnet": "fd00::/64"}]},
        },
        found(),
        found(Name="foreign", Labels=None, Driver="ipvlan"),
    ]
    assert taken_subnets(listing) == {
        IPNetwork("172.17.0.0/16"): "bridge",
        IPNetwork("172.18.0.0/16"): "ours",
        IPNetwork("fd00::/64"): "ours",
    }
