"""Making and removing links, addresses and routes in real network namespaces. Needs root."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import KernelRefused, NotFound
from macvlan_ros.links import Links
from macvlan_ros.models.links import ArpSettings, MacvlanLink, Route
from tests.netns.lan import make_lan
from tests.netns.namespace import Namespace

CONTAINER = IPNetwork("192.168.50.195/32")


@pytest.fixture
def pc() -> Iterator[Namespace]:
    with make_lan() as lan:
        yield lan.add("192.168.50.11/24", "fd00:50::11/64")


@pytest.fixture
def links(pc: Namespace) -> Iterator[Links]:
    with Links(namespace=pc.path) as links:
        yield links


def _made(links: Links, **options: Any) -> MacvlanLink:
    """A link mv0 over eth0, as it then is."""
    links.add_macvlan("eth0", "mv0", **options)
    made = links.macvlan("mv0")
    assert made is not None
    return made


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa"])
def test_a_macvlan_link_is_made_as_asked_and_is_down(
    pc: Namespace, links: Links, mode: str
) -> None:
    made = _made(links, mac="02:00:00:00:00:07", mode=mode, mtu=1400)
    (shown,) = pc.show("link show mv0")
    assert (made.name, made.index, made.mac) == ("mv0", shown["ifindex"], "02:00:00:00:00:07")
    assert (made.mode, made.parent, made.mtu, made.up) == (mode, "eth0", 1400, False)
    assert shown["linkinfo"]["info_data"]["mode"] == mode
    assert shown["address"] == "02:00:00:00:00:07"
    assert "UP" not in shown["flags"]
    assert links.macvlan("mv0") == made
    assert links.macvlans() == (made,)


def test_a_passthru_link_has_its_parents_mac(links: Links) -> None:
    made = _made(links, mode="passthru")
    assert (made.mode, made.mac) == ("passthru", links.mac("eth0"))


def test_without_a_mac_and_an_mtu_the_kernel_and_the_parent_give_them(
    pc: Namespace, links: Links
) -> None:
    pc.ip("link set eth0 mtu 1300")
    made = _made(links)
    assert made.mtu == 1300
    assert made.mac != links.mac("eth0")


def test_a_name_that_is_taken_is_refused_with_the_kernels_errno(links: Links) -> None:
    links.add_macvlan("eth0", "mv0")
    with pytest.raises(KernelRefused, match="refused to add macvlan link mv0 to eth0: File exists"):
        links.add_macvlan("eth0", "mv0")
    with pytest.raises(KernelRefused) as caught:
        links.add_macvlan("eth0", "mv0")
    assert caught.value.errno == errno.EEXIST


def test_a_parent_that_is_not_there_is_named(links: Links) -> None:
    with pytest.raises(NotFound, match="no interface 'eth9' here"):
        links.add_macvlan("eth9", "mv0")


def test_a_bridge_port_refuses_macvlan_links(pc: Namespace, links: Links) -> None:
    pc.ip("link add br0 type bridge")
    pc.ip("link set eth0 master br0")
    with pytest.raises(KernelRefused) as caught:
        links.add_macvlan("eth0", "mv0")
    assert caught.value.errno == errno.EBUSY
    assert not links.exists("mv0")


def test_deleting_twice_is_fine(pc: Namespace, links: Links) -> None:
    links.add_macvlan("eth0", "mv0")
    assert links.exists("mv0")
    assert links.delete_link("mv0")
    assert not links.exists("mv0")
    assert not links.delete_link("mv0")
    assert "mv0" not in pc.ip("link")


def test_a_link_of_another_kind_is_no_macvlan(links: Links) -> None:
    assert links.exists("eth0")
    assert links.macvlan("eth0") is None
    assert links.macvlan("mv0") is None


def test_a_link_can_be_brought_up_and_keeps_a_text(pc: Namespace, links: Links) -> None:
    links.add_macvlan("eth0", "mv0")
    links.set_up("mv0")
    links.set_up("mv0")
    links.set_alias("mv0", "the text; with =signs")
    found = links.macvlan("mv0")
    assert found is not None
    assert (found.up, found.alias) == (True, "the text; with =signs")
    assert pc.show("link show mv0")[0]["ifalias"] == "the text; with =signs"


@pytest.mark.parametrize("text", ["192.168.50.200/32", "192.168.60.1/24", "fd00:50::200/128"])
def test_adding_and_removing_an_address_twice_is_fine(
    pc: Namespace, links: Links, text: str
) -> None:
    address = IPNetwork(text)
    links.add_macvlan("eth0", "mv0")
    assert links.add_address("mv0", address)
    assert not links.add_address("mv0", address)
    assert links.addresses("mv0") == (address,)
    assert links.addresses("mv0")[0].ip == address.ip
    assert text in pc.ip("address show mv0")
    assert links.remove_address("mv0", address)
    assert not links.remove_address("mv0", address)
    assert links.addresses("mv0") == ()


def test_an_ipv6_address_is_usable_at_once(pc: Namespace, links: Links) -> None:
    links.add_macvlan("eth0", "mv0")
    links.set_up("mv0")
    links.add_address("mv0", IPNetwork("fd00:50::200/128"))
    assert "tentative" not in pc.ip("-6 address show dev mv0 scope global")


def test_a_route_over_a_link_replaces_what_was_there_and_goes_once(
    pc: Namespace, links: Links
) -> None:
    links.add_macvlan("eth0", "mv0")
    links.set_up("mv0")
    links.add_address("mv0", IPNetwork("192.168.50.200/32"))
    source = IPAddress("192.168.50.200")
    links.replace_route(CONTAINER, link="eth0")
    assert links.routes("eth0") == (Route(CONTAINER, "eth0"),)
    links.replace_route(CONTAINER, link="mv0", source=source)
    links.replace_route(CONTAINER, link="mv0", source=source)
    assert links.routes("mv0") == (Route(CONTAINER, "mv0", source=source),)
    assert links.routes("eth0") == ()
    assert "dev mv0" in pc.ip("route get 192.168.50.195")
    assert links.remove_route(CONTAINER, link="mv0")
    assert not links.remove_route(CONTAINER, link="mv0")
    assert "dev eth0" in pc.ip("route get 192.168.50.195")


def test_a_route_may_lead_by_way_of_a_neighbour_over_ipv4_and_ipv6(
    links: Links,
) -> None:
    for target, via in (("10.7.0.0/16", "192.168.50.1"), ("fd00:7::/64", "fd00:50::1")):
        destination = IPNetwork(target)
        links.replace_route(destination, via=IPAddress(via))
        assert Route(destination, "eth0", via=IPAddress(via)) in links.routes("eth0")
        assert links.remove_route(destination, via=IPAddress(via))
        assert not links.remove_route(destination, via=IPAddress(via))


def test_of_two_routes_to_one_place_each_goes_by_its_metric_and_whoever_made_it(
    pc: Namespace, links: Links
) -> None:
    to, via = IPNetwork("fd00:77::/64"), IPAddress("fd00:50::1")
    pc.ip(f"-6 route add {to} via {via} proto boot")
    links.replace_route(to, via=via, metric=2048)
    assert pc.ip("-6 route show fd00:77::/64").count("via") == 2
    assert links.remove_route(to, via=via, metric=2048)
    assert not links.remove_route(to, via=via)
    assert links.remove_route(to, via=via, foreign=True)
    assert "via" not in pc.ip("-6 route show fd00:77::/64")


def test_a_gateway_out_of_reach_is_refused(links: Links) -> None:
    with pytest.raises(KernelRefused, match=r"route 10\.7\.0\.0/16 by way of 172\.16\.0\.1"):
        links.replace_route(IPNetwork("10.7.0.0/16"), via=IPAddress("172.16.0.1"))


def test_arp_settings_are_the_interfaces_own(pc: Namespace, links: Links) -> None:
    assert links.arp_settings("eth0") == ArpSettings()
    links.set_arp("eth0", ArpSettings(ignore=1, announce=2, rp_filter=2))
    assert links.arp_settings("eth0") == ArpSettings(ignore=1, announce=2, rp_filter=2)
    folder = "/proc/sys/net/ipv4/conf"
    names = ("arp_ignore", "arp_announce", "rp_filter")
    assert pc.run("cat", *(f"{folder}/eth0/{name}" for name in names)).split() == ["1", "2", "2"]
    assert pc.run("cat", *(f"{folder}/all/{name}" for name in names)).split() == ["0", "0", "0"]


def test_a_link_that_is_kept_manual_gets_no_ipv6_address_when_it_comes_up(
    pc: Namespace, links: Links
) -> None:
    links.add_macvlan("eth0", "mv0")
    assert links.keep_ipv6_manual("mv0")
    links.set_up("mv0")
    assert links.addresses("mv0") == ()
    assert pc.run("cat", "/proc/sys/net/ipv6/conf/mv0/accept_ra").strip() == "0"


def test_without_the_right_to_change_links_the_user_is_told(pc: Namespace) -> None:
    code = (
        "from macvlan_ros.links import Links\n"
        "from macvlan_ros.errors import Forbidden\n"
        "try:\n"
        "    Links().add_macvlan('eth0', 'mv0')\n"
        "except Forbidden as error:\n"
        "    print(error)\n"
    )
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    assert pc.run(*without, sys.executable, "-c", code).strip() == (
        "no right to add macvlan link mv0 to eth0; run it as root, for example with sudo"
    )


def test_a_vlan_is_made_where_the_kernel_has_them(pc: Namespace, links: Links) -> None:
    """Some kernels are built without 802.1q; then the error says so and nothing is left."""
    try:
        links.add_vlan("eth0", "eth0.100", vlan=100)
    except KernelRefused as error:
        assert error.errno == errno.EOPNOTSUPP
        assert not links.exists("eth0.100")
    else:
        (shown,) = pc.show("link show eth0.100")
        assert shown["linkinfo"]["info_data"]["id"] == 100
