"""Judging interfaces: the reasons that a lab of namespaces cannot make, and the choosing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netaddr import IPNetwork

from macvlan_ros.errors import BadParent, BadSubnet, ParentNotFound
from macvlan_ros.kernel.parents import Facts, find_parent, survey

LO = Facts(name="lo", index=1, kind="loopback", up=True, carrier=True, mac="", mtu=65536)
ETH0 = Facts(
    name="eth0",
    index=2,
    kind="ethernet",
    up=True,
    carrier=True,
    mac="b8:27:eb:00:00:01",
    mtu=1500,
    addresses=(IPNetwork("192.168.50.11/24"),),
)
ETH1 = replace(
    ETH0,
    name="eth1",
    index=3,
    mac="b8:27:eb:00:00:02",
    addresses=(IPNetwork("10.0.0.11/24"),),
)
BOND0 = replace(ETH0, name="bond0", index=4, kind="bond")


def objection(facts: Facts) -> str:
    return survey([facts])[0].objection


def test_a_bond_can_be_the_parent_and_its_slaves_cannot() -> None:
    slave = replace(ETH0, master="bond0", master_kind="bond", addresses=())
    with pytest.raises(BadParent, match=r"eth0 cannot be a parent .*bond bond0\); name bond0"):
        find_parent([slave, BOND0], "eth0")
    assert find_parent([slave, BOND0]).name == "bond0"
    assert find_parent([slave, BOND0], slave.mac).name == "bond0"


def test_a_port_of_a_vrf_keeps_its_frames_and_can_be_the_parent() -> None:
    assert objection(replace(ETH0, master="blue", master_kind="vrf")) == ""


def test_an_interface_with_ipvlan_links_cannot_carry_macvlan_ones() -> None:
    found = replace(ETH0, ipvlans=("ipvl0", "ipvl1"))
    assert objection(found) == "carries ipvlan links already: ipvl0, ipvl1"


def test_what_a_link_is_comes_before_the_state_that_it_is_in() -> None:
    assert "Wi-Fi" in objection(replace(ETH0, wireless=True, up=False, addresses=()))


@pytest.mark.parametrize(
    ("name", "owner"),
    [("virbr0", "libvirt"), ("podman0", "Podman or CNI"), ("lxcbr0", "LXC"), ("br-12", "")],
)
def test_a_bridge_is_told_to_be_a_programs_own_by_its_name(name: str, owner: str) -> None:
    found = objection(replace(ETH0, name=name, kind="bridge"))
    assert found == (f"{owner}'s own bridge" if owner else "")


def test_a_default_route_over_wifi_leaves_the_only_wired_interface() -> None:
    wlan0 = replace(ETH1, name="wlan0", wireless=True, metric=600)
    assert find_parent([LO, ETH0, wlan0]).name == "eth0"


def test_two_possible_parents_without_a_default_route_are_not_guessed_between() -> None:
    with pytest.raises(BadParent, match="which of eth0, eth1 is the LAN; name one with --parent"):
        find_parent([LO, ETH0, ETH1])


def test_a_vlan_has_its_lower_links_mac_and_is_not_meant_by_it() -> None:
    vlan = replace(
        ETH0, name="eth0.100", index=9, kind="vlan", addresses=(IPNetwork("10.1.0.1/24"),)
    )
    assert find_parent([LO, ETH0, vlan], ETH0.mac).name == "eth0"
    assert find_parent([LO, ETH0, vlan], "10.1.0.0/24").name == "eth0.100"


def test_a_subnet_on_several_interfaces_means_the_chosen_one_or_is_refused() -> None:
    twin = replace(ETH1, addresses=(IPNetwork("192.168.50.12/24"),))
    with pytest.raises(BadParent, match="fits several interfaces \\(eth0, eth1\\)"):
        find_parent([LO, ETH0, twin], "192.168.50.0/24")
    routed = replace(twin, metric=100)
    assert find_parent([LO, ETH0, routed], "192.168.50.0/24").name == "eth1"


def test_a_subnet_that_fits_a_good_and_a_bad_interface_means_the_good_one() -> None:
    wlan0 = replace(ETH1, name="wlan0", wireless=True, addresses=(IPNetwork("192.168.50.12/24"),))
    assert find_parent([LO, wlan0, ETH0], "192.168.50.0/24").name == "eth0"


@pytest.mark.parametrize("text", ["192.168.50.0/33", "lan/24", "/", "192.168.50.0/24/8"])
def test_a_subnet_that_does_not_parse_is_told_so(text: str) -> None:
    with pytest.raises(BadSubnet, match="write it like 192"):
        find_parent([LO, ETH0], text)


def test_a_subnet_or_mac_that_nothing_has_is_answered_with_what_there_is() -> None:
    with pytest.raises(ParentNotFound, match=r"these have one: eth0 192\.168\.50\.11/24"):
        find_parent([LO, ETH0], "172.16.0.0/16")
    with pytest.raises(ParentNotFound, match="there are: eth0 b8:27:eb:00:00:01"):
        find_parent([LO, ETH0], "b8:27:eb:00:00:99")


def test_a_host_with_the_loopback_alone_is_told_to_connect() -> None:
    with pytest.raises(ParentNotFound, match="no interface but the loopback"):
        find_parent([LO])


def test_a_parent_of_a_network_whose_subnet_is_said_needs_no_address_of_its_own() -> None:
    trunk = replace(ETH1, addresses=())
    with pytest.raises(BadParent, match="no IPv4 address"):
        find_parent([ETH0, trunk], "eth1")
    assert find_parent([ETH0, trunk], "eth1", bare=True).name == "eth1"
    with pytest.raises(BadParent, match="down"):
        find_parent([ETH0, replace(trunk, up=False)], "eth1", bare=True)
