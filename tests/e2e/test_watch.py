"""The service defends what is reserved, and sees strangers: real containers, real frames."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.wire import frames
from macvlan_ros.wire.arp import Wire
from tests.e2e.conftest import WriteStack
from tests.e2e.test_launch import launched
from tests.lab import Host, Lab
from tests.netns.lan import Capture, Machine, repeating
from tests.netns.test_dhcp import dnsmasq
from tests.netns.test_watcher import leased, udhcpd

ADDRESS = "192.168.50.195"
STACK = """
    x-macvlan-ros: {range: 192.168.50.192/27}
    services: {talker: {image: "ros:lab", x-macvlan-ros: {address: 192.168.50.195}}}
    """


@dataclass(frozen=True)
class Neighbour(Machine):
    """Another machine of the lab's LAN, as those of the namespaces' tests are."""

    pid: int

    @property
    def path(self) -> Path:
        return Path(f"/proc/{self.pid}/ns/net")


def neighbour(lab: Lab, last: int = 30) -> Neighbour:
    host = lab.add_stranger(f"192.168.50.{last}")
    return Neighbour(host.name, host.mac, host.pid)


class Service:
    """`macvlan-ros plugin serve` on a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._log = host.folder / "service.log"

    @property
    def log(self) -> str:
        return self._log.read_text()

    @contextmanager
    def runs(self, *options: str) -> Iterator[Service]:
        command = self.host.macvlan_ros_command("plugin", "serve", *options)
        with self._log.open("w") as log:
            process = self._process = self.host.popen(*command, stdout=log, stderr=log)
        try:
            eventually(lambda: "outcome=Serving" in self.log)
            yield self
        finally:
            process.terminate()
            assert process.wait(20) == 0
        assert "Traceback" not in self.log

    @property
    def seconds_used(self) -> float:
        """Processor time of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def held(self, owner: str) -> tuple[str, str]:
        """Address and MAC of a reservation."""
        listed = json.loads(self.host.macvlan_ros("list", "--json", check=True).stdout)
        return next((one["address"], one["mac"]) for one in listed if one["owner"] == owner)


def eventually(holds: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def answer(machine: Neighbour, address: str = ADDRESS) -> str:
    """The MAC that a probe is answered with, "" if it is not."""
    with Wire("eth0", namespace=machine.path) as wire:
        found = wire.probe([IPAddress(address)])
    return found[IPAddress(address)].mac if found else ""


def in_use(host: Host, address: str = ADDRESS) -> bool:
    """Whether arping's duplicate address detection takes the address for used."""
    words = ("arping", "-D", "-q", "-I", "eth0", "-c", "2", "-w", "2", address)
    code = host.run(*words, check=False).returncode
    assert code in (0, 1)
    return code == 1


def reserve(host: Host, owner: str = "talker", address: str = ADDRESS) -> str:
    """The MAC of a reservation in the pool `lab`."""
    host.macvlan_ros(
        *("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/27"),
        check=True,
    )
    host.macvlan_ros("allocate", "--no-probe", "--address", address, owner, check=True)
    return Service(host).held(owner)[1]


# ---- defence


def test_a_reserved_address_is_answered_for_while_its_container_is_down_and_never_twice(
    lab: Lab, qtpc: Host, write_stack: WriteStack, tmp_path: Path
) -> None:
    """Launched on Docker's own macvlan driver, so nobody tells the service when it comes up."""
    folder = write_stack(STACK)
    other, third = neighbour(lab), lab.strangers[0]
    mac = launched(qtpc, folder)["talker"]["mac"]
    with Service(qtpc).runs(), Capture(other, "eth0", tmp_path) as capture:
        time.sleep(2)
        assert in_use(third)
        with repeating(other, lambda _: frames.probe(IPAddress(ADDRESS), other.mac), rate=4):
            qtpc.macvlan_ros("stop", check=True, cwd=str(folder))
            time.sleep(4)
            launched(qtpc, folder)
            time.sleep(2)
            qtpc.macvlan_ros("down", check=True, cwd=str(folder))
            time.sleep(3)
        rows = capture.fields(
            f"arp.src.proto_ipv4 == {ADDRESS} or arp.dst.proto_ipv4 == {ADDRESS}",
            *("arp.opcode", "eth.src", "arp.src.hw_mac"),
        )
    answers: list[list[tuple[str, str]]] = [[]]
    for operation, source, sender in rows:
        if operation == "1":
            answers.append([])
        else:
            answers[-1].append((source, sender))
    assert all(len(each) <= 1 for each in answers)
    given = [each[0] for each in answers if each]
    container, defence = (mac, mac), (qtpc.mac, mac)
    assert set(given) == {container, defence}
    changes = [one for one, before in zip(given, [("", ""), *given], strict=False) if one != before]
    assert changes == [container, defence, container, defence], rows


def test_the_plugins_own_container_ends_the_defence_and_its_end_begins_it(
    lab: Lab, qtpc: Host, tmp_path: Path
) -> None:
    """With a MAC of Docker's own, so the kernel alone would not tell."""
    mac, other = reserve(qtpc), neighbour(lab)
    with Service(qtpc).runs():
        eventually(lambda: answer(other) == mac)
        qtpc.docker(
            *("network", "create", "-d", "macvlan-ros", "--ipam-driver", "macvlan-ros"),
            *("--subnet", "192.168.50.0/24", "--ipam-opt", "pool=lab"),
            *("--ipam-opt", "owner=talker", "-o", "parent=eth0", "lan"),
        )
        with Capture(other, "eth0", tmp_path) as capture:
            qtpc.docker("run", "-d", "--name", "box", "--network", "lan", "ros:lab")
            shown = json.loads(qtpc.docker("inspect", "box"))[0]["NetworkSettings"]["Networks"]
            assert shown["lan"]["IPAddress"] == ADDRESS
            for _ in range(3):
                answer(other)
            rows = capture.fields(f"arp.opcode == 2 and arp.src.proto_ipv4 == {ADDRESS}", "eth.src")
        assert {row[0] for row in rows} == {shown["lan"]["MacAddress"]}
        qtpc.docker("rm", "-f", "box")
        eventually(lambda: answer(other) == mac)
        qtpc.docker("network", "rm", "lan")


def test_a_dhcp_client_does_not_get_a_defended_address(
    lab: Lab, qtpc: Host, tmp_path: Path
) -> None:
    reserve(qtpc, address="192.168.50.200")
    server, client = neighbour(lab, 2), neighbour(lab, 31)
    range_ = "192.168.50.200,192.168.50.201,1h"
    with dnsmasq(server, tmp_path, range_, "--dhcp-sequential-ip"), Service(qtpc).runs():
        eventually(lambda: bool(answer(client, "192.168.50.200")))
        assert leased(client, tmp_path)[0] == "192.168.50.201"


def test_a_careful_dhcp_server_finds_a_defended_address_taken(
    lab: Lab, qtpc: Host, tmp_path: Path
) -> None:
    server, client = neighbour(lab, 2), neighbour(lab, 31)
    with udhcpd(server, tmp_path, 200, 203):
        usual, _ = leased(client, tmp_path)
    (tmp_path / "udhcpd.leases").unlink()  # it was written at the end
    reserve(qtpc, address=usual)
    with udhcpd(server, tmp_path, 200, 203), Service(qtpc).runs() as service:
        eventually(lambda: bool(answer(client, usual)))
        eventually(lambda: "DHCP servers on eth0: 192.168.50.2" in service.log)
        address, words = leased(client, tmp_path)
    assert address not in (usual, "")
    assert "declin" not in words.lower()


def test_what_runs_on_another_host_is_not_answered_for(
    lab: Lab, qtpc: Host, qtrp: Host, write_stack: WriteStack, tmp_path: Path
) -> None:
    """Each host has a store of its own, and both have reserved the address for the same owner."""
    other = neighbour(lab)
    folder = write_stack(STACK)
    mac = launched(qtrp, folder)["talker"]["mac"]
    qtrp.macvlan_ros("stop", check=True, cwd=str(folder))
    launched(qtpc, folder)
    qtpc.macvlan_ros("stop", check=True, cwd=str(folder))
    assert Service(qtpc).held("talker") == Service(qtrp).held("talker") == (ADDRESS, mac)
    with Service(qtpc).runs(), Service(qtrp).runs():
        eventually(lambda: answer(other) == mac)
        launched(qtrp, folder)
        qtrp.docker("exec", "talker", "ping", "-c", "1", "-W", "2", "192.168.50.1")
        sources = answering(other, tmp_path, seconds=4)
        assert sources == {mac}
    # a service that starts while the container runs, and says nothing, finds out by itself
    with Service(qtpc).runs():
        time.sleep(3)
        assert answering(other, tmp_path, seconds=2) == {mac}


def answering(machine: Neighbour, folder: Path, *, seconds: float) -> set[str]:
    """The Ethernet sources of the answers to probes for the address."""
    with Capture(machine, "eth0", folder) as capture:
        with repeating(machine, lambda _: frames.probe(IPAddress(ADDRESS), machine.mac), rate=4):
            time.sleep(seconds)
        rows = capture.fields(f"arp.opcode == 2 and arp.src.proto_ipv4 == {ADDRESS}", "eth.src")
    return {row[0] for row in rows}


@pytest.mark.parametrize("how", ["option", "setting"])
def test_without_defence_nothing_is_answered(lab: Lab, qtpc: Host, how: str) -> None:
    reserve(qtpc)
    other = neighbour(lab)
    options = ("--no-defend",) if how == "option" else ()
    if how == "setting":
        qtpc.run("sh", "-c", "printf '[macvlan-ros]\\ndefend = no\\n' >/etc/macvlan-ros.conf")
    try:
        with Service(qtpc).runs(*options):
            time.sleep(3)
            assert answer(other) == ""
    finally:
        with suppress(FileNotFoundError):
            qtpc.path("/etc/macvlan-ros.conf").unlink()


def test_a_reservation_whose_address_a_stranger_holds_is_not_defended(lab: Lab, qtpc: Host) -> None:
    reserve(qtpc)
    other, stranger = neighbour(lab), lab.add_stranger(ADDRESS)
    with Service(qtpc).runs() as service:
        eventually(lambda: f"{ADDRESS} is used by {stranger.mac}" in service.log)
        assert answer(other) == stranger.mac
        assert not in_use(lab.strangers[0], "192.168.50.196")


def test_the_parents_going_down_and_up_is_survived(lab: Lab, qtpc: Host) -> None:
    mac, other = reserve(qtpc), neighbour(lab)
    with Service(qtpc).runs():
        eventually(lambda: answer(other) == mac)
        qtpc.link_down()
        time.sleep(2)
        assert answer(other) == ""
        qtpc.link_up()
        eventually(lambda: answer(other) == mac)


def test_ipv6_is_defended_too(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(hosts=("qtpc",), subnet6="fd00:50::/64", engines=False)
    qtpc, other = lab.hosts["qtpc"], neighbour(lab)
    qtpc.macvlan_ros(
        "pool", "add", "six", "--subnet", "fd00:50::/64", "--range", "fd00:50::1:0/112", check=True
    )
    qtpc.macvlan_ros("allocate", "--pool", "six", "talker", check=True)
    address, mac = Service(qtpc).held("talker")
    with Service(qtpc).runs():
        eventually(lambda: answer(other, address) == mac)


# ---- strangers


def test_a_stranger_on_a_running_containers_address_is_logged_kept_and_shown(
    lab: Lab, qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK)
    launched(qtpc, folder)
    with Service(qtpc).runs() as service:
        time.sleep(2)
        assert shown(qtpc, folder) == ""
        thief = lab.add_stranger(ADDRESS)
        thief.run("busybox", "ping", "-c", "2", "-W", "1", "192.168.50.11", check=False)
        eventually(lambda: shown(qtpc, folder) == thief.mac)
        lines = [line for line in service.log.splitlines() if thief.mac in line]
        assert len(lines) == 1
        assert f"{ADDRESS} is used by {thief.mac}" in lines[0]
    assert shown(qtpc, folder) == thief.mac  # without the service, too
    assert thief.mac in qtpc.macvlan_ros("ps", cwd=str(folder)).stdout
    examined = json.loads(qtpc.macvlan_ros("doctor", "--no-dhcp", "--json").stdout)
    (found,) = (each for each in examined if each["check"] == "strangers")
    assert found["level"] == "bad"
    assert found["text"].startswith(f"{ADDRESS} of 'talker': ")
    assert thief.mac in found["text"]


def test_a_scan_from_another_pc_tells_who_defends_from_who_runs(qtpc: Host, qtrp: Host) -> None:
    reserve(qtpc)
    reserve(qtrp)

    def seen() -> dict[str, str]:
        found = json.loads(qtrp.macvlan_ros("scan", "--json", check=True).stdout)
        return next((one for one in found if one["address"] == ADDRESS), {})

    with Service(qtpc).runs():
        eventually(lambda: seen().get("defended_by") == qtpc.mac)
        assert (seen()["whose"], seen()["owner"]) == ("ours", "talker")
        assert "ours (defended)" in qtrp.macvlan_ros("scan").stdout
        said = qtrp.macvlan_ros("doctor", "--no-dhcp").stdout
        assert f"{ADDRESS} of 'talker' is defended while it is down" in said


def shown(host: Host, folder: Path) -> str:
    """The conflict that `ps` tells of."""
    listed = json.loads(host.macvlan_ros("ps", "--json", check=True, cwd=str(folder)).stdout)
    return str(listed[0]["conflict"])


def test_a_strangers_address_is_not_asked_for_again_until_it_is_claimed(
    lab: Lab, qtpc: Host
) -> None:
    pool = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.200/30")
    qtpc.macvlan_ros(*pool, check=True)
    wanted = qtpc.macvlan_ros("allocate", "-q", "talker", "--no-probe", check=True).stdout.strip()
    qtpc.macvlan_ros("release", "talker", check=True)
    stranger = lab.add_stranger(wanted)
    assert qtpc.macvlan_ros("allocate", "-q", "talker", check=True).stdout.strip() != wanted
    qtpc.macvlan_ros("release", "talker", check=True)
    stranger.link_down()
    again = qtpc.macvlan_ros("allocate", "-q", "talker", "--no-probe", check=True)
    assert again.stdout.strip() != wanted
    qtpc.macvlan_ros("release", "talker", check=True)
    qtpc.macvlan_ros("allocate", "--address", wanted, "talker", check=True)
    qtpc.macvlan_ros("release", "talker", check=True)
    once_more = qtpc.macvlan_ros("allocate", "-q", "talker", "--no-probe", check=True)
    assert once_more.stdout.strip() == wanted


def test_a_thousand_frames_a_second_cost_less_than_a_twentieth_of_a_core(
    lab: Lab, qtpc: Host
) -> None:
    """Announcements of a reserved address by a stranger, and the whole service's time."""
    reserve(qtpc)
    other = neighbour(lab)
    stranger = "02:00:00:00:09:09"
    with Service(qtpc).runs() as service:
        eventually(lambda: bool(answer(other)))
        time.sleep(5)  # by now it has looked for DHCP servers
        frame = frames.announcement(IPAddress(ADDRESS), stranger)
        with repeating(other, lambda _: frame, rate=1000):
            time.sleep(1)
            before, start = service.seconds_used, time.monotonic()
            time.sleep(6)
            share = (service.seconds_used - before) / (time.monotonic() - start)
        assert share < 0.05
        assert service.log.count(stranger) == 1
