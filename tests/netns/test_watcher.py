"""Defence and conflict watch on a real LAN of network namespaces. Needs root."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.defence.guard import Addresses, HeardConflict
from macvlan_ros.defence.watcher import Watcher
from macvlan_ros.errors import StoreDown
from macvlan_ros.wire import frames
from macvlan_ros.wire.arp import Wire
from tests.netns.lan import Lan, Machine, make_lan, repeating, stranger
from tests.netns.namespace import cable
from tests.netns.test_dhcp import dnsmasq, wait_for_server

OURS = "02:00:00:00:08:01"
GHOST = "02:00:00:00:09:09"


def at(last: int, version: int = 4) -> IPAddress:
    return IPAddress(f"192.168.50.{last}") if version == 4 else IPAddress(f"fd00:50::{last}")


@pytest.fixture
def lan() -> Iterator[Lan]:
    with make_lan() as made:
        yield made


class Service:
    """A host with a watcher, and what its store would say."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.defended: Addresses = {}
        self.running: Addresses = {}
        self.away = False
        self.conflicts: list[HeardConflict] = []

    def read(self, addresses: Addresses) -> Addresses:
        if self.away:
            raise StoreDown("the store is away")
        return addresses

    def watch(self, *servers: IPAddress) -> Watcher:
        return Watcher(
            "eth0",
            defended=lambda: self.read(self.defended),
            running=lambda: self.read(self.running),
            servers=servers,
            on_conflict=self.conflicts.append,
            namespace=self.machine.path,
        )


@pytest.fixture
def service(lan: Lan) -> Service:
    return Service(lan.add("192.168.50.11/24", "fd00:50::11/64"))


def in_use(machine: Machine, address: IPAddress) -> bool:
    """Whether arping's duplicate address detection finds the address in use."""
    command = ["nsenter", f"--net={machine.path}", "arping", "-D", "-q", "-I", "eth0", "-c", "2"]
    done = subprocess.run([*command, "-w", "2", str(address)], timeout=10, check=False)
    assert done.returncode in (0, 1)
    return done.returncode == 1


def eventually(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


# ---- defence


def test_a_defended_address_looks_taken_and_others_look_free(lan: Lan, service: Service) -> None:
    other = lan.add("192.168.50.30/24")
    service.defended, service.running = {at(50): OURS}, {at(60): OURS}
    with service.watch() as watcher:
        assert watcher.trouble == ""
        with Wire("eth0", namespace=other.path) as wire:
            found = wire.probe([at(50), at(60), at(70)])
            assert {one: answer.mac for one, answer in found.items()} == {at(50): OURS}
            assert wire.probe([at(50)], mine={OURS}) == {}
        assert in_use(other, at(50))
        assert not in_use(other, at(60))
        assert watcher.counts.answered >= 2
    assert not in_use(other, at(50))


def test_linux_does_not_take_a_defended_ipv6_address(lan: Lan, service: Service) -> None:
    other = lan.add()
    service.defended = {at(50, 6): OURS}

    def state(address: IPAddress) -> str:
        shown = other.show("-6 address show dev eth0")[0]["addr_info"]
        (info,) = (one for one in shown if one["local"] == str(address))
        return "failed" if info.get("dadfailed") else "asking" if info.get("tentative") else "up"

    with service.watch():
        for address in (at(50, 6), at(51, 6)):
            other.ip(f"address add {address}/64 dev eth0")
        eventually(lambda: state(at(51, 6)) == "up")
        assert state(at(50, 6)) == "failed"


def test_the_defence_ends_the_moment_that_the_container_is_up(lan: Lan, service: Service) -> None:
    other = lan.add("192.168.50.30/24")
    service.defended = {at(50): OURS}
    with service.watch(), Wire("eth0", namespace=other.path) as wire:
        assert wire.probe([at(50)])
        service.running = {at(50): OURS}  # nobody tells the watcher
        assert not wire.probe([at(50)])
        service.running = {}
        eventually(lambda: at(50) in wire.probe([at(50)]))


def test_the_defence_ends_when_the_container_speaks_from_another_host(
    lan: Lan, service: Service
) -> None:
    other = lan.add("192.168.50.30/24")
    service.defended = {at(50): OURS}
    with service.watch(), Wire("eth0", namespace=other.path) as wire:
        assert wire.probe([at(50)])
        wire.announce(at(50), OURS)
        assert not wire.probe([at(50)])


def test_nothing_is_defended_while_the_store_is_away(lan: Lan, service: Service) -> None:
    other = lan.add("192.168.50.30/24")
    service.defended = {at(50): OURS}
    with service.watch() as watcher, Wire("eth0", namespace=other.path) as wire:
        service.away = True
        assert not wire.probe([at(50)])
        assert watcher.trouble == "the store is away"
        service.away = False
        eventually(lambda: at(50) in wire.probe([at(50)]))
        assert watcher.trouble == ""


def test_a_new_reservation_is_defended_at_once_when_the_watcher_is_told(
    lan: Lan, service: Service
) -> None:
    other = lan.add("192.168.50.30/24")
    with service.watch() as watcher, Wire("eth0", namespace=other.path) as wire:
        service.defended = {at(50): OURS}
        watcher.refresh()
        assert wire.probe([at(50)])[at(50)].mac == OURS


def test_a_stranger_who_announces_a_defended_address_is_answered_alone(
    lan: Lan, service: Service
) -> None:
    other, third = lan.add("192.168.50.50/24"), lan.add("192.168.50.30/24")
    service.defended = {at(50): OURS}
    with (
        service.watch() as watcher,
        stranger(other, lambda _: None) as heard,
        stranger(third, lambda _: None) as overheard,
        Wire("eth0", namespace=other.path) as wire,
    ):
        wire.announce(at(50), other.mac, count=3)
        eventually(lambda: any(one.mac == OURS for one in heard))
        time.sleep(0.2)
        assert sum(one.mac == OURS for one in heard) == 1
        assert not any(one.mac == OURS for one in overheard)
        (conflict,) = watcher.conflicts()
    assert (conflict.mac, conflict.running, conflict.count) == (other.mac, False, 3)


def test_the_parents_going_and_coming_back_is_survived(lan: Lan, service: Service) -> None:
    other, pc = lan.add("192.168.50.30/24"), service.machine
    service.defended = {at(50): OURS}
    with service.watch() as watcher, Wire("eth0", namespace=other.path) as wire:
        pc.ip("link set eth0 down")
        eventually(lambda: "eth0" in watcher.trouble)
        pc.ip("link set eth0 up")
        eventually(lambda: at(50) in wire.probe([at(50)]))
        assert watcher.trouble == ""
        pc.ip("link delete eth0")
        eventually(lambda: "eth0" in watcher.trouble)
        cable(pc, "eth0", lan.switch, "again")
        lan.switch.ip("link set again master lan up")
        pc.ip("link set eth0 up")
        eventually(lambda: at(50) in wire.probe([at(50)]))


def test_it_stops_within_a_second_and_leaves_nothing_open(service: Service) -> None:
    service.defended = {at(50): OURS, at(50, 6): OURS}
    before = set(Path("/proc/self/fd").iterdir())
    watcher = service.watch()
    watcher.start()
    watcher.start()
    start = time.monotonic()
    watcher.stop()
    watcher.stop()
    watcher.refresh()
    assert time.monotonic() - start < 5
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_an_interface_that_is_not_there_is_waited_for_and_named(service: Service) -> None:
    service.defended = {at(50): OURS}
    service.machine.ip("link set eth0 down")
    service.machine.ip("link set eth0 name gone")
    with service.watch() as watcher:
        assert "no interface eth0" in watcher.trouble


# ---- conflict watch


@pytest.mark.parametrize("version", [4, 6])
def test_a_stranger_on_a_running_address_is_a_conflict_and_its_owner_is_not(
    lan: Lan, service: Service, version: int
) -> None:
    other = lan.add("192.168.50.30/24", "fd00:50::30/64")
    service.running = {at(60, version): OURS}
    with service.watch() as watcher, Wire("eth0", namespace=other.path) as wire:
        wire.announce(at(60, version), OURS)
        wire.announce(at(61, version), GHOST)
        wire.announce(at(60, version), GHOST, count=3)
        eventually(lambda: watcher.counts.conflicting == 3)
        (conflict,) = watcher.conflicts()
        assert watcher.counts.answered == 0
    assert (conflict.address, conflict.mac, conflict.ours) == (at(60, version), GHOST, OURS)
    assert (conflict.running, conflict.count) == (True, 3)
    assert [one.count for one in service.conflicts] == [1]


def test_a_machine_that_takes_the_address_by_hand_is_noticed_when_it_speaks(
    lan: Lan, service: Service
) -> None:
    thief = lan.add("192.168.50.60/24")
    service.running = {at(60): OURS}
    with service.watch() as watcher:
        thief.run("busybox", "ping", "-c", "1", "-W", "1", "192.168.50.11")
        eventually(lambda: bool(watcher.conflicts()))
    assert watcher.conflicts()[0].mac == thief.mac


@pytest.mark.parametrize(("about", "version"), [("others", 4), ("ours", 4), ("ours", 6)])
def test_a_thousand_frames_a_second_take_less_than_a_twentieth_of_a_core(
    lan: Lan, service: Service, about: str, version: int
) -> None:
    """So much for every thousand frames, however long a busy machine takes to send them."""
    flooder, sent = lan.add(), [0]
    service.running = {at(last, version): OURS for last in range(60, 80)}
    service.defended = {at(last, version): OURS for last in range(80, 100)}
    first = 60 if about == "ours" else 120

    def frame(number: int) -> bytes:
        sent[0] = number
        return frames.announcement(at(first + number % 20, version), GHOST, source=flooder.mac)

    with service.watch() as watcher, repeating(flooder, frame, rate=1000):
        eventually(lambda: sent[0] > 500, seconds=30)
        before, begun = busy(watcher), sent[0]
        eventually(lambda: sent[0] > begun + 3000, seconds=60)
        share = (busy(watcher) - before) / ((sent[0] - begun) / 1000)
        counts = watcher.counts
    assert share < 0.05
    assert counts.lost == 0
    assert counts.conflicting > 3000 if about == "ours" else counts.read == 0


def busy(watcher: Watcher) -> float:
    """Seconds that the watcher's thread has been on a processor."""
    stat = Path(f"/proc/self/task/{watcher.thread_id}/schedstat")
    return int(stat.read_text().split()[0]) / 1e9


# ---- DHCP clients and servers


@contextmanager
def udhcpd(machine: Machine, folder: Path, first: int, last: int) -> Iterator[None]:
    """busybox's DHCP server, which asks for an address before it offers it."""
    settings = folder / "udhcpd.conf"
    leases = folder / "udhcpd.leases"
    leases.touch()
    settings.write_text(
        f"start {at(first)}\nend {at(last)}\ninterface eth0\nlease_file {leases}\n"
        f"pidfile {folder / 'udhcpd.pid'}\noption subnet 255.255.255.0\n"
    )
    command = ["nsenter", f"--net={machine.path}", "busybox", "udhcpd", "-f", str(settings)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_server(machine)
        yield
    finally:
        process.terminate()
        process.wait(10)


def leased(machine: Machine, folder: Path) -> tuple[str, str]:
    """The address that udhcpc obtains on the machine, asking for it before use, and its words."""
    script = folder / "script"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && echo "bound=$ip" >&2\nexit 0\n')
    script.chmod(0o755)
    command = ["nsenter", f"--net={machine.path}", "busybox", "udhcpc", "-f", "-q", "-n", "-a"]
    command += ["-i", "eth0", "-s", str(script), "-t", "8", "-T", "2", "-A", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    words = done.stdout + done.stderr
    return next((line[6:] for line in words.splitlines() if line.startswith("bound=")), ""), words


def test_a_client_declines_a_defended_address_and_takes_another(
    lan: Lan, service: Service, tmp_path: Path
) -> None:
    server, client = lan.add("192.168.50.1/24"), lan.add()
    service.defended = {at(100): OURS}
    with (
        service.watch() as watcher,
        dnsmasq(server, tmp_path, "192.168.50.100,192.168.50.101,1h", "--dhcp-sequential-ip"),
    ):
        address, words = leased(client, tmp_path)
    assert "declin" in words.lower() or "in use" in words.lower()
    assert address == "192.168.50.101"
    assert watcher.counts.answered >= 1


def test_a_careful_server_does_not_even_offer_a_defended_address(
    lan: Lan, service: Service, tmp_path: Path
) -> None:
    server, client = lan.add("192.168.50.1/24"), lan.add()
    with udhcpd(server, tmp_path, 100, 103):
        usual, _ = leased(client, tmp_path)
    (tmp_path / "udhcpd.leases").unlink()
    service.defended = {IPAddress(usual): OURS}
    with service.watch(at(1)) as watcher, udhcpd(server, tmp_path, 100, 103):
        address, words = leased(client, tmp_path)
    assert address not in (usual, "")
    assert "declin" not in words.lower()
    assert watcher.counts.answered >= 1


def test_without_a_defence_the_same_client_gets_the_address(lan: Lan, tmp_path: Path) -> None:
    server, client = lan.add("192.168.50.1/24"), lan.add()
    with dnsmasq(server, tmp_path, "192.168.50.100,192.168.50.101,1h", "--dhcp-sequential-ip"):
        assert leased(client, tmp_path)[0] == "192.168.50.100"
