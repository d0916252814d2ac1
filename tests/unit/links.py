"""An interface for tests that need one without a kernel."""

from __future__ import annotations

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.links import Link

ETH0 = Link(
    name="eth0",
    index=2,
    kind="ethernet",
    mac="02:00:00:00:00:02",
    mtu=1500,
    addresses=(IPNetwork("192.168.50.11/24"), IPNetwork("fe80::1/64")),
    gateway=IPAddress("192.168.50.1"),
    default_route=True,
    chosen=True,
)
