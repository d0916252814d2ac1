"""The shim on a LAN of namespaces: who reaches whom, and which MACs the others see. Needs root."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import AddressInUse, Conflict, KernelRefused, NotFound
from macvlan_ros.links import Links
from macvlan_ros.models.links import ArpSettings, Route
from macvlan_ros.reaching.guiding import guide
from macvlan_ros.reaching.shim import (
    Shim,
    add_container,
    ensure_shim,
    remove_container,
    remove_shim,
    shim_mac,
    show_shim,
)
from tests.netns.lan import Capture, Lan, Machine, make_lan

HOST, OTHER, BOX, SHIM = (IPAddress(f"192.168.50.{last}") for last in (11, 12, 195, 200))
HOST6, OTHER6, BOX6, SHIM6 = (IPAddress(f"fd00:50::{last}") for last in (11, 12, 195, 200))
BOX2 = IPAddress("192.168.50.196")


@dataclass
class Site:
    """A PC with one container, another PC, and the switch between them."""

    lan: Lan
    pc: Machine
    other: Machine
    box: Machine
    links: Links

    def ensure(self, *containers: IPAddress) -> Shim:
        return ensure_shim(
            self.links, parent="eth0", addresses=[SHIM, SHIM6], containers=containers
        )

    def connect(self) -> Shim:
        """What a launch does: the shim, and the container's way to the host."""
        shim = self.ensure(BOX, BOX6)
        self.guide([HOST, HOST6], via=shim.addresses)
        return shim

    def guide(self, host: Sequence[IPAddress], *, via: Sequence[IPAddress]) -> tuple[Route, ...]:
        """The container's way to the host."""
        with Links(namespace=self.box.path) as inside:
            return guide(inside, host=host, via=via)

    def macs(self) -> dict[IPAddress, str]:
        """Which MAC each IPv4 address should be seen with."""
        shim = self.links.mac("mvr-eth0")
        return {HOST: self.pc.mac, OTHER: self.other.mac, BOX: self.box.mac, SHIM: shim}

    def forget(self) -> None:
        """Empty everybody's neighbour table."""
        for one in (self.pc, self.other, self.box):
            one.ip("neigh flush all")


@pytest.fixture
def site() -> Iterator[Site]:
    with make_lan() as lan:
        pc = lan.add(f"{HOST}/24", f"{HOST6}/64")
        other = lan.add(f"{OTHER}/24", f"{OTHER6}/64")
        box = lan.contain(pc, f"{BOX}/24", f"{BOX6}/64")
        with Links(namespace=pc.path) as links:
            yield Site(lan, pc, other, box, links)


def everyone_reaches_everyone(site: Site) -> None:
    for address in (BOX, BOX6, OTHER, OTHER6):
        assert site.pc.answers(str(address)), f"the host does not reach {address}"
    for address in (HOST, HOST6, SHIM, SHIM6, OTHER, OTHER6):
        assert site.box.answers(str(address)), f"the container does not reach {address}"
    for address in (HOST, HOST6, SHIM, SHIM6, BOX, BOX6):
        assert site.other.answers(str(address)), f"another PC does not reach {address}"


def test_without_a_shim_host_and_container_do_not_reach_each_other(site: Site) -> None:
    assert not site.pc.answers(str(BOX))
    assert not site.box.answers(str(HOST))
    assert site.other.answers(str(BOX))


def test_with_a_shim_host_container_and_another_pc_all_reach_one_another(site: Site) -> None:
    shim = site.connect()
    assert shim == show_shim(site.links, parent="eth0")
    assert (shim.link, shim.parent, shim.up) == ("mvr-eth0", "eth0", True)
    assert shim.mac == shim_mac(site.pc.mac) == site.links.mac("mvr-eth0")
    assert (set(shim.addresses), set(shim.containers)) == ({SHIM, SHIM6}, {BOX, BOX6})
    everyone_reaches_everyone(site)


@pytest.mark.parametrize("rp_filter", ["0", "1", "2"])
def test_reverse_path_filters_do_not_matter(site: Site, rp_filter: str) -> None:
    for name in ("all", "default", "eth0"):
        path = f"/proc/sys/net/ipv4/conf/{name}/rp_filter"
        site.pc.run("sh", "-c", f"echo {rp_filter} > {path}")
    site.connect()
    everyone_reaches_everyone(site)


def test_the_lan_sees_one_mac_for_each_address(site: Site, tmp_path: Path) -> None:
    """All ARP on the switch, with empty tables, whoever starts and with whatever source."""
    with Capture(site.lan.switch, "lan", tmp_path) as frames:
        site.connect()
        for address in (HOST, SHIM, BOX):
            said = site.other.run("arping", "-b", "-c", "1", "-w", "1", "-I", "eth0", str(address))
            assert said.count("reply from") == 1, said
        # questions with a source that belongs to the host's other link
        for start, target, source in ((site.pc, BOX, HOST), (site.pc, OTHER, SHIM)):
            site.forget()
            assert start.answers(str(target), source=str(source))
            everyone_reaches_everyone(site)
        told = frames.fields("arp", "arp.src.proto_ipv4", "arp.src.hw_mac")
    assert set(told) == {(str(address), mac) for address, mac in site.macs().items()}


def test_the_lan_sees_one_mac_for_each_ipv6_address(site: Site, tmp_path: Path) -> None:
    with Capture(site.lan.switch, "lan", tmp_path) as frames:
        site.connect()
        for start, target, source in ((site.pc, BOX6, HOST6), (site.pc, OTHER6, SHIM6)):
            site.forget()
            assert start.answers(str(target), source=str(source))
            everyone_reaches_everyone(site)
        rows = frames.fields(
            "icmpv6.type in {135, 136}",
            "ipv6.src",
            "icmpv6.nd.na.target_address",
            "icmpv6.opt.linkaddr",
        )
    # an advertisement tells of its target, a solicitation of its sender
    told = {(target or sender, mac) for sender, target, mac in rows if mac}
    assert {(address, mac) for address, mac in told if address.startswith("fd00")} == {
        (str(address).replace("192.168.50.", "fd00:50::"), mac)
        for address, mac in site.macs().items()
    }


def test_another_pcs_table_shows_the_parents_mac_for_the_host(site: Site) -> None:
    site.connect()
    everyone_reaches_everyone(site)
    table = {row["dst"]: row["lladdr"] for row in site.other.show("neigh") if "lladdr" in row}
    macs = site.macs()
    assert table[str(HOST)] == table[str(HOST6)] == macs[HOST]
    assert table[str(SHIM)] == table[str(SHIM6)] == macs[SHIM]
    assert table[str(BOX)] == table[str(BOX6)] == macs[BOX]


def test_ensuring_again_changes_nothing(site: Site) -> None:
    first = site.ensure(BOX, BOX6)
    with_monitor = ["timeout", "2", "ip", "monitor", "link", "address", "route"]
    with ThreadPoolExecutor(1) as pool:
        events = pool.submit(site.pc.run, *with_monitor, check=False)
        for _ in range(20):
            assert site.ensure(BOX, BOX6) == first
        changed = events.result()
    # the kernel may still be telling of the IPv6 addresses; nothing else is to be seen
    for word in ("Deleted", "link/ether", "inet 192", str(BOX), str(BOX6)):
        assert word not in changed


def test_the_shim_survives_its_parents_down_and_up(site: Site) -> None:
    before = site.connect()
    site.pc.ip("link set eth0 down")
    assert site.ensure(BOX, BOX6) == before
    site.pc.ip("link set eth0 up")
    site.pc.ip(f"address replace {HOST6}/64 dev eth0 nodad")  # the kernel drops it with the link
    assert site.ensure(BOX, BOX6) == before
    everyone_reaches_everyone(site)


def test_a_shim_that_was_taken_down_comes_back_with_its_routes(site: Site) -> None:
    before = site.connect()
    site.pc.ip("link set mvr-eth0 down")
    found = show_shim(site.links, parent="eth0")
    assert found is not None
    assert (found.up, found.containers) == (False, ())
    assert site.ensure(BOX, BOX6) == before
    everyone_reaches_everyone(site)


def test_a_shim_that_was_deleted_comes_back_the_same(site: Site) -> None:
    before = site.connect()
    site.pc.ip("link delete mvr-eth0")
    assert show_shim(site.links, parent="eth0") is None
    assert site.ensure(BOX, BOX6) == before
    everyone_reaches_everyone(site)


def test_what_somebody_spoils_is_mended(site: Site) -> None:
    before = site.connect()
    site.links.set_arp("eth0", ArpSettings())
    site.links.set_arp("mvr-eth0", ArpSettings())
    site.pc.ip(f"address delete {SHIM}/32 dev mvr-eth0")
    site.pc.ip("address add 192.168.50.201/32 dev mvr-eth0")
    assert site.ensure(BOX, BOX6) == before
    assert site.links.arp_settings("eth0").ignore == 1
    assert site.links.arp_settings("mvr-eth0").ignore == 1
    assert "192.168.50.201" not in site.pc.ip("address")
    everyone_reaches_everyone(site)


def test_routes_follow_the_containers(site: Site) -> None:
    second = site.lan.contain(site.pc, f"{BOX2}/24")
    site.ensure(BOX)
    assert site.pc.answers(str(BOX))
    assert not site.pc.answers(str(BOX2))
    assert site.ensure(BOX2).containers == (BOX2,)
    assert site.pc.answers(str(BOX2))
    assert second.answers(str(SHIM))
    assert "dev eth0" in site.pc.ip(f"route get {BOX}")


def test_containers_can_come_and_go_one_by_one(site: Site) -> None:
    site.ensure()
    assert add_container(site.links, parent="eth0", address=BOX)
    assert not add_container(site.links, parent="eth0", address=BOX)
    assert add_container(site.links, parent="eth0", address=BOX6)
    assert site.pc.answers(str(BOX))
    assert site.pc.answers(str(BOX6))
    # None leaves what there is
    kept = ensure_shim(site.links, parent="eth0", addresses=[SHIM, SHIM6])
    assert set(kept.containers) == {BOX, BOX6}
    assert remove_container(site.links, parent="eth0", address=BOX)
    assert not remove_container(site.links, parent="eth0", address=BOX)
    assert not site.pc.answers(str(BOX))
    assert site.pc.answers(str(BOX6))


def test_a_container_needs_a_shim_that_speaks_its_family(site: Site) -> None:
    with pytest.raises(NotFound, match="no shim over eth0; make it with: macvlan-ros shim up"):
        add_container(site.links, parent="eth0", address=BOX)
    assert not remove_container(site.links, parent="eth0", address=BOX)
    shim = ensure_shim(site.links, parent="eth0", addresses=[SHIM], containers=[BOX, BOX6])
    assert shim.containers == (BOX,)
    with pytest.raises(NotFound, match="has no IPv6 address to speak with"):
        add_container(site.links, parent="eth0", address=BOX6)
    routes = site.guide([HOST, HOST6], via=shim.addresses)
    assert [one.destination.version for one in routes] == [4]


def test_removing_gives_the_parent_its_settings_back(site: Site) -> None:
    site.links.set_arp("eth0", ArpSettings(ignore=0, announce=1, rp_filter=1))
    site.connect()
    assert site.links.arp_settings("eth0") == ArpSettings(ignore=1, announce=2, rp_filter=1)
    # what was before is known to whoever comes later, not to this process alone
    with Links(namespace=site.pc.path) as later:
        assert remove_shim(later, parent="eth0")
        assert not remove_shim(later, parent="eth0")
    assert site.links.arp_settings("eth0") == ArpSettings(ignore=0, announce=1, rp_filter=1)
    assert not site.links.exists("mvr-eth0")
    assert str(BOX) not in site.pc.ip("route")
    assert str(BOX6) not in site.pc.ip("-6 route")


@pytest.mark.parametrize("strict", [2, 8])
def test_a_parent_that_ignores_more_already_is_left_so(site: Site, strict: int) -> None:
    site.links.set_arp("eth0", ArpSettings(ignore=strict))
    site.ensure()
    assert site.links.arp_settings("eth0").ignore == strict
    remove_shim(site.links, parent="eth0")
    assert site.links.arp_settings("eth0") == ArpSettings(ignore=strict)


def test_what_somebody_set_meanwhile_is_not_set_back(site: Site) -> None:
    site.ensure()
    site.links.set_arp("eth0", ArpSettings(ignore=2, announce=2))
    remove_shim(site.links, parent="eth0")
    assert site.links.arp_settings("eth0") == ArpSettings(ignore=2, announce=0)


def test_routers_give_the_shim_no_address_and_no_route(site: Site) -> None:
    site.connect()
    for setting in ("accept_ra", "addr_gen_mode"):
        path = f"/proc/sys/net/ipv6/conf/mvr-eth0/{setting}"
        expected = {"accept_ra": "0", "addr_gen_mode": "1"}[setting]
        assert site.pc.run("cat", path).strip() == expected


def test_it_works_where_proc_sys_is_read_only(site: Site) -> None:
    """As in a hardened service and a managed plugin."""
    code = (
        "from netaddr import IPAddress\n"
        "from macvlan_ros.links import Links\n"
        "from macvlan_ros.reaching.shim import ensure_shim\n"
        "try: open('/proc/sys/net/ipv4/conf/eth0/arp_ignore', 'w')\n"
        "except OSError as error: print(error.strerror)\n"
        f"ensure_shim(Links(), parent='eth0', addresses=[IPAddress('{SHIM}'),"
        f" IPAddress('{SHIM6}')], containers=[IPAddress('{BOX}'), IPAddress('{BOX6}')])\n"
    )
    mounts = (
        "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys /proc/sys "
        '&& exec "$0" -c "$1"'
    )
    said = site.pc.run("unshare", "--mount", "sh", "-c", mounts, sys.executable, code)
    assert said.strip() == "Read-only file system"
    site.guide([HOST, HOST6], via=[SHIM, SHIM6])
    everyone_reaches_everyone(site)


def test_many_who_want_the_shim_at_once_get_the_same_one(site: Site) -> None:
    def ensure(_: int) -> Shim:
        with Links(namespace=site.pc.path) as links:
            return ensure_shim(links, parent="eth0", addresses=[SHIM], containers=[BOX])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ensure, range(16)))) == 1
    remove_shim(site.links, parent="eth0")
    assert site.links.arp_settings("eth0") == ArpSettings()


def test_a_failure_leaves_nothing_behind(site: Site) -> None:
    """A MAC that another link over the parent has: the kernel notices when the link comes up."""
    site.pc.ip("link add link eth0 name twin address 02:00:00:00:00:07 type macvlan mode bridge")
    site.pc.ip("link set twin up")
    with pytest.raises(KernelRefused, match="bring up mvr-eth0"):
        ensure_shim(
            site.links,
            parent="eth0",
            addresses=[SHIM],
            containers=[BOX],
            mac="02:00:00:00:00:07",
        )
    assert not site.links.exists("mvr-eth0")
    assert site.links.arp_settings("eth0") == ArpSettings()


def test_a_foreign_link_of_the_shims_name_is_not_touched(site: Site) -> None:
    site.pc.ip("link add mvr-eth0 type bridge")
    with pytest.raises(Conflict, match="delete it with: ip link delete mvr-eth0"):
        site.ensure(BOX)
    assert not remove_shim(site.links, parent="eth0")
    assert site.links.exists("mvr-eth0")
    assert site.links.arp_settings("eth0") == ArpSettings()


def test_an_address_of_a_container_cannot_be_the_shims(site: Site) -> None:
    with pytest.raises(AddressInUse, match=f"{SHIM} is a container's"):
        site.ensure(BOX, SHIM)
    assert not site.links.exists("mvr-eth0")


def test_a_parent_that_is_gone_is_named(site: Site) -> None:
    site.ensure(BOX)
    site.pc.ip("link delete eth0")
    with pytest.raises(NotFound, match="no interface 'eth0' here"):
        site.ensure(BOX)
    assert not remove_shim(site.links, parent="eth0")


def test_guiding_a_container_twice_is_fine_and_an_ended_one_is_told(site: Site) -> None:
    site.ensure(BOX)
    routes = site.guide([HOST], via=[SHIM])
    assert site.guide([HOST], via=[SHIM]) == routes
    assert f"{HOST} via {SHIM} dev eth0" in site.box.ip("route")
    with pytest.raises(NotFound, match="no network namespace at /proc/4194399/ns/net"):
        guide(Links(namespace=Path("/proc/4194399/ns/net")), host=[HOST], via=[SHIM])


def test_each_subnets_containers_are_spoken_to_with_the_shims_address_there(site: Site) -> None:
    far, far_shim = IPAddress("10.20.0.5"), IPAddress("10.20.0.200")
    box = site.lan.contain(site.pc, f"{far}/24")
    ensure_shim(site.links, parent="eth0", addresses=[SHIM, far_shim], containers=[BOX, far])
    assert f"src {far_shim}" in site.pc.ip(f"route get {far}")
    assert f"src {SHIM}" in site.pc.ip(f"route get {BOX}")
    assert site.pc.answers(str(far))
    assert site.pc.answers(str(BOX))
    assert box.answers(str(far_shim))
