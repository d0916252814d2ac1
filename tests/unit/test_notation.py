"""What people write of addresses, and what is said to them when it is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest

from macvlan_ros.errors import BadSubnet, InvalidRequest
from macvlan_ros.models.pools import Pool
from macvlan_ros.notation import parse_pool

LAN = "192.168.50.0/24"


def lab(**written: Any) -> Pool:
    return parse_pool("lab", **{"subnet": LAN, "gateway": "192.168.50.1", **written})


def test_ranges_and_exclusions_are_merged_so_that_equal_pools_are_equal() -> None:
    one = lab(ranges=["192.168.50.20-192.168.50.29", "192.168.50.10-192.168.50.25"])
    other = lab(ranges=["192.168.50.10-192.168.50.29"])
    assert one == other


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"subnet": "192.168.50.7/24"},
            "--subnet 192.168.50.7/24: has host bits set; did you mean 192.168.50.0/24?",
        ),
        ({"subnet": "192.168.50.0"}, "--subnet 192.168.50.0: has no prefix length"),
        ({"subnet": "192.168.50.0/33"}, "--subnet 192.168.50.0/33: not CIDR"),
        ({"subnet": "lan"}, "--subnet lan: has no prefix length; write it as CIDR"),
        ({"subnet": ""}, "--subnet : has no prefix length"),
        ({"subnet": "127.0.0.0/8"}, "--subnet 127.0.0.0/8: 127.0.0.0/8 is loopback"),
        ({"subnet": "0.0.0.0/0"}, "--subnet 0.0.0.0/0: 0.0.0.0/8 means 'this host'"),
        ({"subnet": "239.1.0.0/16"}, "224.0.0.0/4 is multicast"),
        ({"subnet": "fe80::/64"}, "is link-local"),
        (
            {"ranges": ["192.168.51.1-192.168.51.9"]},
            "--range 192.168.51.1-192.168.51.9: lies outside the subnet 192.168.50.0/24 (192.168."
            "50.0 to 192.168.50.255); choose it inside",
        ),
        ({"ranges": ["192.168.50.200-192.168.51.9"]}, "lies outside the subnet"),
        (
            {"ranges": ["192.168.50.20-192.168.50.10"]},
            "runs backwards; write 192.168.50.10-192.168.50.20",
        ),
        (
            {"ranges": ["192.168.50.10-20"]},
            "--range 192.168.50.10-20: not a range; write FROM-TO with two whole",
        ),
        ({"ranges": ["192.168.50.193/27"]}, "has host bits set; did you mean 192.168.50.192/27?"),
        (
            {"ranges": ["fd00::1-fd00::9"]},
            "--range fd00::1-fd00::9: is IPv6, but the subnet 192.168.50.0/24 is IPv4",
        ),
        ({"ranges": ["192.168.50.1-fd00::9"]}, "mixes IPv4 and IPv6"),
        ({"excludes": ["192.168.60.1"]}, "--exclude 192.168.60.1: lies outside the subnet"),
        ({"excludes": ["all"]}, "--exclude all: not a range"),
        ({"gateway": "192.168.51.1"}, "--gateway 192.168.51.1: lies outside the subnet"),
        ({"gateway": "192.168.50.0"}, "--gateway 192.168.50.0: is the network address"),
        ({"gateway": "192.168.50.255"}, "--gateway 192.168.50.255: is the broadcast address"),
        ({"gateway": "fd00::1"}, "--gateway fd00::1: is IPv6"),
        ({"gateway": "router"}, "--gateway router: not an address"),
        ({"gateway": "192.168.050.1"}, "--gateway 192.168.050.1: not an address"),
        (
            {"ranges": ["192.168.50.9"], "excludes": ["192.168.50.8/31"]},
            "pool 'lab' would have no address to hand out: all of 192.168.50.9 is excluded",
        ),
        ({"ranges": ["192.168.50.0-192.168.50.1"]}, "would have no address to hand out"),
    ],
)
def test_what_is_wrong_with_a_pool_is_said_in_one_sentence(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(BadSubnet, match=re.escape(message)) as caught:
        lab(**wrong)
    assert "\n" not in str(caught.value)


def test_a_file_can_have_its_own_keys_named() -> None:
    with pytest.raises(BadSubnet, match=r"^compose.yaml: x-macvlan-ros.range 10.0.0.1: lies"):
        lab(ranges=["10.0.0.1"], said="compose.yaml: x-macvlan-ros.")


@pytest.mark.parametrize("name", ["", "-lab", "a b", "é", "a/b", "x" * 129, "a\n"])
def test_names_are_those_that_containers_may_have(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be used: take 1 to 128 letters"):
        parse_pool(name, subnet=LAN)


def test_leases_are_for_ipv4() -> None:
    with pytest.raises(InvalidRequest, match="--dhcp: leases are for IPv4, and fd00:50::/64 is"):
        parse_pool("six", subnet="fd00:50::/64", dhcp=True)


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="order 'random' is unknown; take one of: hashed, seq"):
        lab(order="random")
