"""A Docker network for tests that need one without an engine."""

from __future__ import annotations

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.networks import Network

NETWORK = Network(
    name="ros_lan",
    parent="eth0",
    subnet=IPNetwork("192.168.50.0/24"),
    gateway=IPAddress("192.168.50.1"),
    ip_range=IPNetwork("192.168.50.192/27"),
    pool="lab",
)
