"""Reading /proc/net, from files as kernels write them, numbers in little-endian order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import Unavailable
from macvlan_ros.kernel import procnet
from macvlan_ros.kernel.procnet import ConnectedSubnet, DefaultRoute, HostAddress, Neighbour

ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0132A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0
wlan0\t0000000A\t00000000\t0001\t0\t0\t600\t0000FFFF\t0\t0\t0
eth0\t0032A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
mvr-eth0\tC332A8C0\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
eth0\t0064A8C0\t0132A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t00000A0A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0
"""

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.168.50.1     0x1         0x2         B8:27:EB:00:00:01     *        eth0
192.168.50.7     0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.50.8     0x1         0x2         00:00:00:00:00:00     *        eth0
192.168.50.9     0x1         0x6         02:42:0a:00:00:09     *        eth0
192.168.50.1     0x1         0x2         b8:27:eb:00:00:02     *        wlan0
"""

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.168.50.0/24 2 0 2
        +-- 192.168.50.0/28 2 0 2
           |-- 192.168.50.0
              /24 link UNICAST
           |-- 192.168.50.11
              /32 host LOCAL
        |-- 192.168.50.195
           /32 link UNICAST
        |-- 192.168.50.255
           /32 link BROADCAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.3.4
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.31.0.1
        /32 host LOCAL
     |-- 192.168.50.11
        /32 host LOCAL
"""

IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 02 40 20 80     eth0
fd000050000000000000000000000011 02 40 00 82     eth0
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (
        ("route", ROUTE),
        ("arp", ARP),
        ("fib_trie", FIB_TRIE),
        ("if_inet6", IF_INET6),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_address_of_the_host_is_found_once_with_its_interface(root: Path) -> None:
    assert set(procnet.host_addresses(root)) == {
        HostAddress(IPAddress("127.0.0.1"), "lo"),
        HostAddress(IPAddress("192.168.50.11"), "eth0"),
        HostAddress(IPAddress("10.0.3.4"), "wlan0"),
        HostAddress(IPAddress("172.31.0.1"), ""),
        HostAddress(IPAddress("::1"), "lo"),
        HostAddress(IPAddress("fe80::fc:ff:fe00:1"), "eth0"),
        HostAddress(IPAddress("fd00:50::11"), "eth0"),
    }
    assert len(procnet.host_addresses(root)) == 7


def test_only_resolved_neighbours_count_with_their_mac_in_lower_case(root: Path) -> None:
    assert procnet.neighbours(root) == (
        Neighbour(IPAddress("192.168.50.1"), "b8:27:eb:00:00:01", "eth0"),
        Neighbour(IPAddress("192.168.50.9"), "02:42:0a:00:00:09", "eth0"),
        Neighbour(IPAddress("192.168.50.1"), "b8:27:eb:00:00:02", "wlan0"),
    )


def test_connected_subnets_leave_out_gateways_single_addresses_and_dead_routes(root: Path) -> None:
    assert procnet.connected_subnets(root) == (
        ConnectedSubnet(IPNetwork("192.168.50.0/24"), "eth0"),
        ConnectedSubnet(IPNetwork("10.0.0.0/16"), "wlan0"),
    )


def test_the_default_route_is_the_one_with_the_lowest_metric(root: Path) -> None:
    assert procnet.default_route(root) == DefaultRoute("eth0", IPAddress("192.168.50.1"), 100)
    assert procnet.default_interface(root) == "eth0"


def test_a_default_route_may_do_without_a_gateway(root: Path) -> None:
    lines = ROUTE.splitlines(keepends=True)
    (root / "route").write_text(lines[0] + lines[3])
    assert procnet.default_route(root) == DefaultRoute("ppp0", None, 700)


def test_without_a_default_route_there_is_no_default_interface(root: Path) -> None:
    (root / "route").write_text(ROUTE.splitlines(keepends=True)[0])
    assert procnet.default_route(root) is None
    assert procnet.default_interface(root) == ""


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "nonsense",
        "eth0\t0\t0\t0\t0\t0\t0\t0",
        "eth0\tzzzzzzzz\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
        "eth0\t0032A8C0\t00000000\txyz\t0\t0\t0\t00FFFFFF\t0\t0\t0",
        "eth0\t0032A8C0\t00000000\t0001\t0\t0\tlow\t00FFFFFF\t0\t0\t0",
        "eth0\t0032A8C0\t00000000\t0001\t0\t0\t0\tFF00FF00\t0\t0\t0",
        "192.168.50.300   0x1   0x2   b8:27:eb:00:00:01   *   eth0",
        "192.168.50.3     0x1   zz    b8:27:eb:00:00:01   *   eth0",
        "192.168.50.3     0x1   0x2   infiniband-address  *   eth0",
        "     |-- 999.1.1.1\n        /32 host LOCAL",
        "     |-- \n        /32 host LOCAL",
        "00000000000000000000000000000zzz 02 40 00 82     eth0",
        "\u00e9\x00\x01",
    ],
)
def test_an_odd_line_is_passed_over_and_the_others_are_read(root: Path, odd: str) -> None:
    before = _everything(root)
    for name in ("route", "arp", "fib_trie", "if_inet6"):
        path = root / name
        path.write_text(path.read_text() + odd + "\n")
    assert _everything(root) == before


def test_a_kernel_without_ipv6_has_the_other_addresses(root: Path) -> None:
    (root / "if_inet6").unlink()
    assert {one.address.version for one in procnet.host_addresses(root)} == {4}


def test_a_file_that_is_missing_is_an_error_and_not_an_empty_answer(root: Path) -> None:
    (root / "arp").unlink()
    with pytest.raises(Unavailable, match=r"arp: No such file or directory; is /proc mounted"):
        procnet.neighbours(root)


def test_this_machine_has_a_loopback_address() -> None:
    assert HostAddress(IPAddress("127.0.0.1"), "lo") in procnet.host_addresses()


def test_neither_netlink_nor_docker_is_loaded() -> None:
    code = (
        "import sys, macvlan_ros.kernel.procnet as p; p.host_addresses()\n"
        "print([name for name in ('pyroute2', 'docker') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


def _everything(root: Path) -> tuple[object, ...]:
    return (
        procnet.host_addresses(root),
        procnet.neighbours(root),
        procnet.connected_subnets(root),
        procnet.default_route(root),
    )
