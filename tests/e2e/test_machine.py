"""A virtual machine, with systemd and a kernel of its own: the service as systemd starts it, and
parents that are VLANs, made on demand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.pages import Page, all_pages, read
from tests.docs.stages import MACHINE
from tests.docs.typing_out import compare, do
from tests.e2e.plugin_host import within
from tests.lab import CommandFailed, LabError
from tests.lab.host import ROOT
from tests.lab.machine import Machine

#: eth1 becomes another PC, with one address on the LAN and one on each of two VLANs.
FAR = """
ip link set eth0 up
ip address add 192.168.50.11/24 dev eth0
ip netns add far
ip link set eth1 netns far
ip -n far link set eth1 up
ip -n far address add 192.168.50.1/24 dev eth1
for vlan in 100 200; do
    ip -n far link add link eth1 name eth1.$vlan type vlan id $vlan
    ip -n far link set eth1.$vlan up
    ip -n far address add 192.168.$vlan.1/24 dev eth1.$vlan
done
"""
#: All that starts at boot, in one go, as at boot.
BOOT = """
set -e
systemctl stop macvlan-ros.service macvlan-ros.socket
ln -s /usr/lib/systemd/system/docker.service /etc/systemd/system/multi-user.target.wants
systemctl daemon-reload
systemctl start multi-user.target
docker version --format {{.Server.Version}}
"""
UNITS = {
    f"usr/local/share/macvlan-ros/{path.name}": path.read_text()
    for path in (ROOT / "plugin").glob("macvlan-ros*")
}
# dockerd's socket is there before it answers, but then it lets who asks wait.
pytestmark = pytest.mark.timeout(600)

FIXED = ("--ip", "192.168.100.70")
ROOM = ("--subnet", "192.168.100.0/24", "--gateway", "192.168.100.1")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    try:
        with Machine(UNITS) as made:
            made.sh(FAR)
            made.run("macvlan-ros", "plugin", "install", "--no-shim", timeout=200)
            made.sh(BOOT, timeout=200)
            made.import_image("ros:lab")
            made.docker("tag", "ros:lab", "ros:noetic")
            made.sh("mkdir -p /run/home")
            yield made
    except LabError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def vm(machine: Machine) -> Iterator[Machine]:
    yield machine
    machine.sh("docker rm -f $(docker ps -aq) 2>/dev/null; docker network prune -f", timeout=120)
    assert links(machine) == {"lo", "eth0"}


def make_network(vm: Machine, *words: str) -> None:
    """What is asked for may come too late on a machine as slow as this; then once more, as told."""
    command = ["network", "create", "-d", "macvlan-ros", "--ipam-driver", "macvlan-ros", *words]
    for _ in range(5):
        try:
            vm.docker(*command)
            return
        except CommandFailed as error:
            if "then repeat the command" not in str(error):
                raise
    vm.docker(*command)


def links(vm: Machine) -> set[str]:
    return set(vm.sh("ls /sys/class/net").stdout.split())


def reaches(vm: Machine, container: str, address: str) -> bool:
    words = ("exec", container, "ping", "-c", "1", "-W", "5", address)
    return " 0% packet loss" in vm.docker(*words, check=False)


def show(vm: Machine, unit: str, name: str) -> str:
    return vm.run("systemctl", "show", "-P", name, unit).stdout.strip()


def test_systemd_starts_the_service_before_docker_confined_and_when_it_is_asked_for(
    vm: Machine,
) -> None:
    service = "macvlan-ros.service"
    ready = int(show(vm, service, "ActiveEnterTimestampMonotonic"))
    assert 0 < ready <= int(show(vm, "docker.service", "ExecMainStartTimestampMonotonic"))
    status = vm.sh(f"cat /proc/{show(vm, service, 'MainPID')}/status").stdout.split("\n")
    # CAP_NET_ADMIN and CAP_NET_RAW, for good, and the system calls of a service
    assert {"CapEff:\t0000000000003000", "NoNewPrivs:\t1", "Seccomp:\t2"} <= set(status)
    make_network(vm, "--subnet", "192.168.50.0/24", "-o", "parent=eth0", "lan")
    vm.docker("run", "-d", "--name", "one", "--network", "lan", "ros:lab")
    assert reaches(vm, "one", "192.168.50.1")
    vm.run("systemctl", "stop", service)
    vm.docker("rm", "-f", "one")
    assert show(vm, service, "ActiveState") == "active", "its socket was asked"
    vm.docker("network", "rm", "lan")
    said = vm.run("journalctl", "-u", "docker").stdout
    assert "Unable to" not in said, "Docker had to wait for the plugin"


IMPATIENT = """
set -e
mkdir -p /run/systemd/system/macvlan-ros.service.d
printf '[Service]\\nWatchdogSec=10s\\n' >/run/systemd/system/macvlan-ros.service.d/test.conf
systemctl daemon-reload
systemctl restart macvlan-ros.service
"""
PATIENT = """
rm -r /run/systemd/system/macvlan-ros.service.d
systemctl daemon-reload
systemctl restart macvlan-ros.service
"""


def test_a_service_that_stands_still_is_started_anew_and_docker_goes_on(vm: Machine) -> None:
    service = "macvlan-ros.service"
    assert show(vm, service, "WatchdogUSec") == "1min"
    vm.sh(IMPATIENT)
    try:
        stopped = show(vm, service, "MainPID")
        vm.sh(f"kill -STOP {stopped}")
        make_network(vm, "--subnet", "192.168.50.0/24", "-o", "parent=eth0", "lan")
        assert show(vm, service, "MainPID") != stopped
        vm.docker("network", "rm", "lan")
    finally:
        vm.sh(PATIENT)


def test_a_vlan_is_made_with_its_first_network_and_goes_with_its_last(machine: Machine) -> None:
    make_network(machine, *ROOM, "-o", "parent=eth0.100", "lan")
    shown = machine.sh("ip -d link show eth0.100").stdout
    assert "vlan protocol 802.1Q id 100" in shown
    assert ",UP" in shown
    make_network(machine, "--subnet", "10.100.0.0/24", "-o", "parent=eth0.100", "other")
    machine.docker("run", "-d", "--name", "one", "--network", "lan", *FIXED, "ros:lab")
    third = ("--subnet", "10.101.0.0/24", "-o", "parent=eth0.100", "-o", "mtu=9000", "third")
    with pytest.raises(CommandFailed, match="mtu 9000 is more than the 1500 of the"):
        make_network(machine, *third)
    # tagged frames arrive, and their answers; what was refused took nothing with it
    assert reaches(machine, "one", "192.168.100.1")
    assert "dev eth1.100" in machine.sh("ip -n far neighbour show 192.168.100.70").stdout
    machine.docker("network", "rm", "other")
    assert "eth0.100" in links(machine)
    # a reboot takes the VLAN away
    machine.docker("kill", "one")
    machine.sh("ip link delete eth0.100")
    machine.docker("start", "one")
    assert reaches(machine, "one", "192.168.100.1")
    machine.docker("rm", "-f", "one")
    machine.docker("network", "rm", "lan")
    assert links(machine) == {"lo", "eth0"}


def test_a_vlan_of_the_user_s_own_stays(machine: Machine) -> None:
    machine.sh("ip link add link eth0 name eth0.200 type vlan id 200; ip link set eth0.200 up")
    make_network(machine, "--subnet", "192.168.200.0/24", "-o", "parent=eth0.200", "own")
    machine.docker("network", "rm", "own")
    assert "eth0.200" in links(machine)
    machine.sh("ip link delete eth0.200")


class Prompt:
    """A terminal in the virtual machine, where what a page says is typed."""

    def __init__(self, vm: Machine) -> None:
        self._vm = vm

    def run(
        self,
        *argv: str,
        check: bool = True,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002  (subprocess.run's own word)
    ) -> subprocess.CompletedProcess[str]:
        assert input is None, "these pages have no files"
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        shell = ("sh" if argv[0] == "bash" else argv[0], *argv[1:])
        return self._vm.run("env", *variables, *shell, check=check, timeout=timeout)


PAGES = [page for page in map(read, all_pages()) if page.stage == MACHINE]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_a_page_about_parents_does_what_it_says(vm: Machine, page: Page) -> None:
    compare(page, do(page, {"robot": Prompt(vm)}))


def test_a_machine_ends_when_the_process_that_made_it_is_killed(tmp_path: Path) -> None:
    code = "from tests.lab.machine import Machine; Machine().__enter__()"
    with (tmp_path / "said").open("w") as said:
        owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=said, stderr=said)
    children = Path(f"/proc/{owner.pid}/task/{owner.pid}/children")

    def emulator() -> list[int]:
        return [int(pid) for pid in children.read_text().split() if "qemu" in name_of(pid)]

    assert within(60, lambda: bool(emulator())), (tmp_path / "said").read_text()
    (pid,) = emulator()
    owner.kill()
    owner.wait(20)
    assert within(30, lambda: "qemu" not in name_of(str(pid)))


def name_of(pid: str) -> str:
    """A process's own name, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""
