"""A network as the Engine API takes it."""

from __future__ import annotations

from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_api.network_payload import bridge_payload, network_payload
from macvlan_ros.models.containers import BridgeUse
from tests.unit.docker_network import NETWORK


def test_a_network_is_marked_as_ours_and_names_its_pool() -> None:
    made = network_payload(NETWORK, placeholder=IPAddress("192.168.50.10"))
    assert made["Driver"] == "macvlan"
    assert made["Options"] == {"parent": "eth0", "macvlan_mode": "bridge"}
    assert made["IPAM"]["Config"] == [
        {
            "Subnet": "192.168.50.0/24",
            "Gateway": "192.168.50.1",
            "IPRange": "192.168.50.192/27",
        }
    ]
    assert made["Labels"] == {"macvlan-ros.managed": "1", "macvlan-ros.pool": "lab"}
    assert made["Internal"] is False


def test_a_network_without_a_gateway_keeps_docker_off_the_pool() -> None:
    made = network_payload(replace(NETWORK, gateway=None), placeholder=IPAddress("192.168.50.10"))
    assert made["IPAM"]["Config"][0]["Gateway"] == "192.168.50.10"
    assert made["Internal"] is True
    assert made["Labels"]["macvlan-ros.gateway"] == "none"


def test_an_additional_network_carries_the_stacks_labels() -> None:
    bridge = BridgeUse("backend", subnets=(IPNetwork("10.9.0.0/24"),), internal=True)
    made = bridge_payload(bridge, {"macvlan-ros.stack": "robot"})
    assert (made["Driver"], made["Internal"]) == ("bridge", True)
    assert made["IPAM"]["Config"] == [{"Subnet": "10.9.0.0/24"}]
    assert made["Labels"] == {"macvlan-ros.stack": "robot", "macvlan-ros.managed": "1"}
