"""A parent that is a VLAN, made on demand: in a virtual machine, whose kernel has 802.1q."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import CommandFailed, LabError
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
SERVICES = """
macvlan-ros plugin serve >/var/log/plugin 2>&1 &
dockerd --iptables=false --ip6tables=false --bridge=none >/var/log/dockerd 2>&1 &
for _ in $(seq 200); do
    if [ -S /run/docker/plugins/macvlan-ros.sock ] && [ -S /run/docker.sock ]; then
        exec docker version --format {{.Server.Version}}
    fi
    sleep 0.2
done
tail -n 3 /var/log/plugin /var/log/dockerd >&2
exit 1
"""
# dockerd's socket is there before it answers, but then it lets who asks wait.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

OURS = ("network", "create", "-d", "macvlan-ros", "--ipam-driver", "macvlan-ros")
FIXED = ("--ip", "192.168.100.70")
ROOM = ("--subnet", "192.168.100.0/24", "--gateway", "192.168.100.1")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    try:
        with Machine() as made:
            made.sh(FAR)
            made.sh(SERVICES, timeout=150)
            made.import_image("ros:lab")
            yield made
    except LabError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def vm(machine: Machine) -> Iterator[Machine]:
    yield machine
    machine.sh("docker rm -f $(docker ps -aq) 2>/dev/null; docker network prune -f", timeout=120)
    assert links(machine) == {"lo", "eth0"}


def links(vm: Machine) -> set[str]:
    return set(vm.sh("ls /sys/class/net").stdout.split())


def reaches(vm: Machine, container: str, address: str) -> bool:
    words = ("exec", container, "ping", "-c", "1", "-W", "5", address)
    return " 0% packet loss" in vm.docker(*words, check=False)


def test_a_vlan_is_made_with_its_first_network_and_goes_with_its_last(machine: Machine) -> None:
    machine.docker(*OURS, *ROOM, "-o", "parent=eth0.100", "lan")
    shown = machine.sh("ip -d link show eth0.100").stdout
    assert "vlan protocol 802.1Q id 100" in shown
    assert ",UP" in shown
    machine.docker(*OURS, "--subnet", "10.100.0.0/24", "-o", "parent=eth0.100", "other")
    machine.docker("run", "-d", "--name", "one", "--network", "lan", *FIXED, "ros:lab")
    third = ("--subnet", "10.101.0.0/24", "-o", "parent=eth0.100", "-o", "mtu=9000", "third")
    with pytest.raises(CommandFailed, match="mtu 9000 is more than the 1500 of the"):
        machine.docker(*OURS, *third)
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
    machine.docker(*OURS, "--subnet", "192.168.200.0/24", "-o", "parent=eth0.200", "own")
    machine.docker("network", "rm", "own")
    assert "eth0.200" in links(machine)
    machine.sh("ip link delete eth0.200")
