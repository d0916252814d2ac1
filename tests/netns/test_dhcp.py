"""DHCP servers on a real LAN of network namespaces. Needs root."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import KernelRefused, ParentNotFound
from macvlan_ros.wire import dhcp6
from macvlan_ros.wire.dhcp import client_mac, find_servers
from tests.netns.lan import Capture, Lan, Machine, make_lan, repeating


@pytest.fixture
def lan() -> Iterator[Lan]:
    with make_lan() as made:
        yield made


@contextmanager
def dnsmasq(machine: Machine, folder: Path, pool: str, *options: str) -> Iterator[Path]:
    """A DHCP server on the machine. Yields the file with its leases."""
    leases = folder / f"leases-{machine.name}"
    command = ["nsenter", f"--net={machine.path}", "dnsmasq", "--keep-in-foreground", "--port=0"]
    command += ["--conf-file=/dev/null", "--user=root", f"--dhcp-leasefile={leases}", "--pid-file="]
    command += ["--interface=eth0", "--bind-interfaces", f"--dhcp-range={pool}", *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_server(machine)
        yield leases
    finally:
        process.terminate()
        process.wait(10)


def wait_for_server(machine: Machine) -> None:
    """Until something listens on the DHCP server's port."""
    end = time.monotonic() + 5
    while ":67 " not in machine.run("ss", "-lun"):
        assert time.monotonic() < end, "no DHCP server came up"
        time.sleep(0.02)


def test_a_server_is_found_with_what_it_offers_and_gives_no_lease(lan: Lan, tmp_path: Path) -> None:
    pc, server = lan.add(), lan.add("192.168.50.1/24")
    with dnsmasq(server, tmp_path, "192.168.50.100,192.168.50.120,1h") as leases:
        capture = Capture(lan.switch, "lan", tmp_path)
        (offer,) = find_servers("eth0", namespace=pc.path)
        kinds = capture.fields("dhcp", "dhcp.option.dhcp", "dhcp.hw.mac_addr", "eth.src")
        assert leases.read_text() == ""
    assert offer.server == IPAddress("192.168.50.1")
    assert IPAddress("192.168.50.100") <= offer.address <= IPAddress("192.168.50.120")
    assert (offer.netmask, offer.router) == (IPAddress("255.255.255.0"), offer.server)
    assert (offer.lease_s, offer.mac) == (3600, server.mac)
    asked = [row for row in kinds if row[0] == "1"]
    assert {row[0] for row in kinds} == {"1", "2"}
    assert {row[1:] for row in asked} == {(client_mac(pc.mac), pc.mac)}


def test_a_dhcpv6_server_is_found_with_what_it_advertises_and_gives_no_lease(
    lan: Lan, tmp_path: Path
) -> None:
    pc, server = lan.add(), lan.add("192.168.50.1/24", "fd00:50::1/64")
    for machine in (pc, server):  # it would answer from its other address until then
        eventually_ready(machine)
    ranges = ("192.168.50.100,192.168.50.120,1h", "--dhcp-range=fd00:50::1:100,fd00:50::1:1ff,1h")
    with dnsmasq(server, tmp_path, *ranges) as leases:
        capture = Capture(lan.switch, "lan", tmp_path)
        (offer,) = dhcp6.find_servers("eth0", seconds=1.5, namespace=pc.path)
        kinds = capture.fields(
            "dhcpv6", "dhcpv6.msgtype", "dhcpv6.duidll.link_layer_addr", "eth.src"
        )
        held = [line for line in leases.read_text().splitlines() if "duid" not in line]
    assert held == []
    assert offer.server.is_link_local()
    assert IPAddress("fd00:50::1:100") <= offer.address <= IPAddress("fd00:50::1:1ff")
    assert (offer.lease_s, offer.mac) == (3600, server.mac)
    assert {row[0] for row in kinds} == {"1", "2"}
    asked = [row for row in kinds if row[0] == "1"]
    assert {row[1:] for row in asked} == {(client_mac(pc.mac), pc.mac)}


def test_without_ipv6_no_dhcpv6_server_is_asked(lan: Lan) -> None:
    pc = lan.add("192.168.50.11/24")
    pc.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    assert dhcp6.find_servers("eth0", namespace=pc.path) == ()


def eventually_ready(machine: Machine) -> None:
    """Until its link-local address may be used: others do not have it."""
    end = time.monotonic() + 10
    while "tentative" in (shown := machine.run("ip", "-6", "address", "show", "eth0")) or (
        "fe80" not in shown
    ):
        assert time.monotonic() < end, shown
        time.sleep(0.05)


def test_a_second_server_is_found_too(lan: Lan, tmp_path: Path) -> None:
    pc, one, other = lan.add(), lan.add("192.168.50.1/24"), lan.add("192.168.50.2/24")
    with (
        dnsmasq(one, tmp_path, "192.168.50.100,192.168.50.120,1h", "--no-ping"),
        dnsmasq(other, tmp_path, "192.168.50.200,192.168.50.220,2h", "--no-ping"),
    ):
        offers = find_servers("eth0", seconds=1, namespace=pc.path)
    assert {(str(one.server), one.lease_s) for one in offers} == {
        ("192.168.50.1", 3600),
        ("192.168.50.2", 7200),
    }


def test_a_lan_without_a_server_is_told_in_the_time_that_was_given(lan: Lan) -> None:
    pc = lan.add("192.168.50.11/24")
    start = time.monotonic()
    assert find_servers("eth0", seconds=1.5, namespace=pc.path) == ()
    assert 1.4 < time.monotonic() - start < 6


def test_who_is_told_to_stop_does_not_wait_for_servers(lan: Lan) -> None:
    pc = lan.add("192.168.50.11/24")
    stop, start = threading.Event(), time.monotonic()
    threading.Timer(0.3, stop.set).start()
    assert find_servers("eth0", seconds=60, namespace=pc.path, stopped=stop.is_set) == ()
    assert time.monotonic() - start < 20


def test_a_flood_of_broken_answers_neither_breaks_nor_delays_it(lan: Lan) -> None:
    pc, rogue = lan.add("192.168.50.11/24"), lan.add()
    ethernet = b"\xff" * 6 + bytes.fromhex(rogue.mac.replace(":", "")) + b"\x08\x00"
    header = bytes.fromhex("4500011c000000004011") + bytes(2) + b"\xc0\xa8\x32\x01" + b"\xff" * 4
    front = ethernet + header + bytes.fromhex("0043004401080000")
    start = time.monotonic()
    with repeating(rogue, lambda number: front + b"\x02\x01\x06" * (number % 400), rate=10_000):
        assert find_servers("eth0", seconds=1, namespace=pc.path) == ()
    assert time.monotonic() - start < 10


def test_an_interface_that_cannot_be_asked_through_is_refused(lan: Lan) -> None:
    pc = lan.add("192.168.50.11/24")
    with pytest.raises(ParentNotFound):
        find_servers("eth7", namespace=pc.path)
    pc.ip("link set eth0 down")
    with pytest.raises(KernelRefused, match="eth0 is down"):
        find_servers("eth0", namespace=pc.path)
