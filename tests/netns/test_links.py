"""The interfaces of real network namespaces. Needs root."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import BadParent, NotFound, ParentNotFound, Unavailable
from macvlan_ros.links import Links
from macvlan_ros.models.links import Link
from tests.netns.namespace import Namespace, cable, namespaces
from tests.privileges import unprivileged


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """A PC with eth0, up and cabled to a switch, without addresses."""
    with namespaces("pc", "switch") as (pc, switch):
        cable(pc, "eth0", switch, "p0")
        pc.ip("link set eth0 up")
        switch.ip("link set p0 up")
        yield pc, switch


@pytest.fixture
def pc(pair: tuple[Namespace, Namespace]) -> Namespace:
    """A PC as it should be: eth0 with an address and the default route."""
    pc, _ = pair
    pc.ip("address add 192.168.50.11/24 dev eth0")
    pc.ip("route add default via 192.168.50.1")
    return pc


def inspect(pc: Namespace, sys_root: Path = Path("/nonexistent")) -> dict[str, Link]:
    with Links(namespace=pc.path, sys_root=sys_root) as links:
        return {link.name: link for link in links.links()}


def refusal(pc: Namespace, wanted: str, sys_root: Path = Path("/nonexistent")) -> str:
    with Links(namespace=pc.path, sys_root=sys_root) as links, pytest.raises(BadParent) as caught:
        links.parent(wanted)
    return str(caught.value)


def test_a_wired_interface_is_shown_with_all_that_matters(pc: Namespace) -> None:
    pc.ip("link set eth0 mtu 1400")
    pc.ip("address add fd00:50::11/64 dev eth0 nodad")
    eth0 = inspect(pc)["eth0"]
    shown = pc.show("link show eth0")[0]
    assert (eth0.index, eth0.mac, eth0.mtu) == (shown["ifindex"], shown["address"], 1400)
    assert (eth0.kind, eth0.up, eth0.carrier, eth0.wireless) == ("veth", True, True, False)
    assert eth0.addresses[0] == IPNetwork("192.168.50.11/24")
    assert eth0.addresses[0].ip == IPAddress("192.168.50.11")
    assert IPNetwork("fd00:50::11/64") in eth0.addresses
    assert (eth0.default_route, eth0.gateway) == (True, IPAddress("192.168.50.1"))
    assert (eth0.objection, eth0.remedy, eth0.chosen) == ("", "", True)


def test_macvlan_children_are_named_and_are_no_parents_themselves(pc: Namespace) -> None:
    pc.ip("link add link eth0 name mv1 type macvlan mode bridge")
    pc.ip("link add link eth0 name mv0 type macvlan mode bridge")
    found = inspect(pc)
    assert found["eth0"].children == ("mv0", "mv1")
    assert found["mv0"].kind == "macvlan"
    assert refusal(pc, "mv0") == (
        "mv0 cannot be a parent (itself a macvlan of eth0); name eth0 instead"
    )


def test_a_macvlan_whose_parent_is_in_another_namespace_is_no_parent(pc: Namespace) -> None:
    with namespaces("box") as (box,):
        pc.ip("link add link eth0 name mv0 type macvlan mode bridge")
        pc.ip(f"link set mv0 netns {box.name}")
        assert inspect(box)["mv0"].objection == "itself a macvlan"
        assert inspect(pc)["eth0"].children == ()


def test_loopback_is_no_parent(pc: Namespace) -> None:
    assert "lo cannot be a parent (loopback)" in refusal(pc, "lo")


def test_an_interface_that_is_down_is_no_parent(pc: Namespace) -> None:
    pc.ip("link set eth0 down")
    assert refusal(pc, "eth0") == (
        "eth0 cannot be a parent (down); bring it up with: ip link set eth0 up"
    )


def test_an_interface_without_carrier_is_no_parent(pair: tuple[Namespace, Namespace]) -> None:
    pc, switch = pair
    switch.ip("link set p0 down")
    assert "eth0 cannot be a parent (no carrier); plug in its cable" in refusal(pc, "eth0")


def test_an_interface_without_an_ipv4_address_is_no_parent(
    pair: tuple[Namespace, Namespace],
) -> None:
    pc, _ = pair
    assert "eth0 cannot be a parent (no IPv4 address)" in refusal(pc, "eth0")


def test_a_bridge_port_is_no_parent_and_is_not_shown_when_it_is_a_veth(pc: Namespace) -> None:
    pc.ip("link add br0 type bridge")
    pc.ip("link set eth0 master br0")
    assert refusal(pc, "eth0") == (
        "eth0 cannot be a parent (a port of bridge br0); name br0 instead"
    )
    assert "eth0" not in inspect(pc)


def test_a_bridge_of_the_users_own_can_be_the_parent(pc: Namespace) -> None:
    pc.ip("link add br0 type bridge")
    pc.ip("link set br0 up")
    pc.ip("link set eth0 master br0")
    pc.ip("address flush dev eth0")
    pc.ip("address add 192.168.50.11/24 dev br0")
    pc.ip("route replace default via 192.168.50.1 dev br0")
    with Links(namespace=pc.path) as links:
        assert links.parent().name == "br0"


@pytest.mark.parametrize("name", ["docker0", "br-0123456789ab", "docker_gwbridge"])
def test_a_bridge_of_dockers_own_is_no_parent(pc: Namespace, name: str) -> None:
    pc.ip(f"link add {name} type bridge")
    pc.ip(f"link set {name} up")
    pc.ip(f"address add 172.17.0.1/16 dev {name}")
    assert "Docker's own bridge" in refusal(pc, name)


@pytest.mark.parametrize("mark", ["wireless", "phy80211"])
def test_wifi_is_no_parent(pc: Namespace, tmp_path: Path, mark: str) -> None:
    (tmp_path / "class" / "net" / "eth0" / mark).mkdir(parents=True)
    assert inspect(pc, tmp_path)["eth0"].wireless
    assert "Wi-Fi: the access point drops frames from other MACs" in refusal(pc, "eth0", tmp_path)


def test_a_tunnel_without_ethernet_addresses_is_no_parent(pc: Namespace) -> None:
    if not Path("/dev/net/tun").exists():
        pytest.fail("this machine has no /dev/net/tun")
    pc.run("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
    found = inspect(pc)["tun0"]
    assert (found.kind, found.objection) == ("tun", "no Ethernet addresses (tun)")


def test_the_default_route_with_the_lowest_metric_chooses(
    pair: tuple[Namespace, Namespace],
) -> None:
    pc, switch = pair
    cable(pc, "eth1", switch, "p1")
    pc.ip("link set eth1 up")
    switch.ip("link set p1 up")
    pc.ip("address add 192.168.50.11/24 dev eth0")
    pc.ip("address add 10.0.0.11/24 dev eth1")
    pc.ip("route add default via 192.168.50.1 metric 200")
    pc.ip("route add default via 10.0.0.1 metric 300")
    pc.ip("route add default via 10.0.0.2 metric 100")
    found = inspect(pc)
    assert [name for name, link in found.items() if link.chosen] == ["eth1"]
    assert found["eth1"].gateway == IPAddress("10.0.0.2")
    assert found["eth0"].default_route


def test_a_default_route_over_several_hops_counts_for_each_interface(pc: Namespace) -> None:
    pc.ip("route replace default nexthop via 192.168.50.1 nexthop via 192.168.50.2")
    eth0 = inspect(pc)["eth0"]
    assert (eth0.default_route, eth0.gateway) == (True, IPAddress("192.168.50.1"))


def test_without_a_default_route_the_only_possible_parent_is_chosen(pc: Namespace) -> None:
    pc.ip("route del default")
    assert [name for name, link in inspect(pc).items() if link.chosen] == ["eth0"]


def test_without_any_possible_parent_every_reason_is_told(pc: Namespace) -> None:
    pc.ip("link add docker0 type bridge")
    pc.ip("link set eth0 down")
    with Links(namespace=pc.path) as links, pytest.raises(ParentNotFound) as caught:
        links.parent()
    assert "eth0 (down)" in str(caught.value)
    assert "docker0 (Docker's own bridge)" in str(caught.value)
    assert "ip link set eth0 up" in str(caught.value)


def test_a_parent_is_found_by_name_mac_subnet_and_altname(pc: Namespace) -> None:
    pc.ip("link property add dev eth0 altname enp0s31f6")
    mac = pc.show("link show eth0")[0]["address"]
    with Links(namespace=pc.path) as links:
        for wanted in ("eth0", mac, mac.upper().replace(":", "-"), "192.168.50.0/24", "enp0s31f6"):
            assert links.parent(wanted).name == "eth0"


def test_an_unknown_name_is_answered_with_what_there_is(pc: Namespace) -> None:
    with Links(namespace=pc.path) as links, pytest.raises(ParentNotFound) as caught:
        links.parent("etho")
    assert "no interface 'etho' on this host; did you mean eth0?" in str(caught.value)


def test_one_links_serves_many_threads_with_one_socket(pc: Namespace) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Links(namespace=pc.path) as links:
        links.links()
        opened = len(list(Path("/proc/self/fd").iterdir()))
        with ThreadPoolExecutor(8) as pool:
            seen = set(pool.map(lambda _: links.links(), range(64)))
        assert len(list(Path("/proc/self/fd").iterdir())) == opened
    assert len(seen) == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_closing_twice_is_fine_and_a_closed_one_changes_nothing_more(pc: Namespace) -> None:
    links = Links(namespace=pc.path)
    links.set_alias("eth0", "once")
    links.close()
    links.close()
    with pytest.raises(Unavailable, match="closed"):
        links.set_alias("eth0", "twice")


def test_a_namespace_that_is_gone_is_named() -> None:
    gone = Path("/run/netns/mvr-links-none")
    with Links(namespace=gone) as links, pytest.raises(NotFound, match=f"namespace at {gone}"):
        links.links()


def test_links_that_change_while_they_are_read_are_read_again(pc: Namespace) -> None:
    """A table too long for one message, and somebody at work in it.

    Whether the kernel marks such a reading is its own affair: tests/unit/test_netlink.py has those.
    """
    pc.run("sh", "-c", "seq 60 | sed 's/.*/link add b& type bridge/' | ip -batch -")
    churn = "while :; do ip link add d0 type bridge; ip link del d0; sleep 0.05; done"
    with subprocess.Popen(["nsenter", f"--net={pc.path}", "sh", "-c", churn]) as churning:
        try:
            with Links(namespace=pc.path) as links:
                for _ in range(10):
                    names = [link.name for link in links.links()]
                    assert len(names) == len(set(names))
                    assert {"lo", "eth0", *(f"b{number}" for number in range(1, 61))} <= set(names)
        finally:
            churning.kill()


def test_looking_takes_no_capability(pc: Namespace) -> None:
    code = (
        "from pathlib import Path\n"
        "assert 'CapEff:\\t' + 16 * '0' in Path('/proc/self/status').read_text()\n"
        "from macvlan_ros.links import Links\n"
        "print(Links().parent('192.168.50.0/24').name)\n"
    )
    assert pc.run(*unprivileged(), sys.executable, "-c", code).strip() == "eth0"
