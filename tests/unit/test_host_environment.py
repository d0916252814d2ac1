"""What ROS on a PC itself is told."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.lan_names import host_environment as hosts
from macvlan_ros.launching import landing
from macvlan_ros.models.containers import Service
from macvlan_ros.models.pools import Reservation
from macvlan_ros.models.stacks import HostEntry, Stack
from tests.unit.links import ETH0

PARENT = replace(ETH0, mac="02:00:00:00:00:01", addresses=(IPNetwork("192.168.50.12/24"),))
SITE = landing.Site("qtrp", PARENT, IPNetwork("192.168.50.0/24"))
STACK = Stack(
    name="robot",
    files=("compose.yaml",),
    network="ros_lan",
    master="core",
    hosts={"qtrp": HostEntry("qtrp")},
    services={"core": Service(name="core", image="ros", container_name="robot_core")},
)
CORE = {"core": IPAddress("192.168.50.195")}


def found(
    stack: Stack = STACK, *, wanted: str = "", environ: Mapping[str, str] | None = None
) -> hosts.HostEnvironment:
    return hosts.of_host(stack, site=SITE, known=CORE, wanted=wanted, environ=environ or {})


def test_a_pc_has_its_own_address_and_the_stacks_master() -> None:
    assert found().variables == {
        "ROS_IP": "192.168.50.12",
        "ROS_MASTER_URI": "http://192.168.50.195:11311",
        "ROS_HOSTNAME": None,
    }


def test_a_master_on_the_pc_itself_is_at_its_address_on_the_lan() -> None:
    there = replace(STACK, master="host:qtrp")
    assert found(there).variables["ROS_MASTER_URI"] == "http://192.168.50.12:11311"


def test_over_ipv6_all_addresses_are_of_that_family() -> None:
    link = replace(PARENT, addresses=(*PARENT.addresses, IPNetwork("fd00::c/64")))
    site = landing.Site("qtrp", link, SITE.subnet, IPNetwork("fd00::/64"))
    held = [
        Reservation("lan", IPAddress("192.168.50.195"), "robot_core", "02:00:00:00:00:01"),
        Reservation("lan6", IPAddress("fd00::195"), "robot_core", "02:00:00:00:00:01"),
    ]
    six = replace(STACK, ros_over="ipv6")
    assert hosts.known_addresses(STACK, SITE, held) == CORE
    known = hosts.known_addresses(six, site, held)
    variables = hosts.of_host(six, site=site, known=known, wanted="", environ={}).variables
    assert variables == {
        "ROS_IP": "fd00::c",
        "ROS_IPV6": "on",
        "ROS_MASTER_URI": "http://[fd00::195]:11311",
        "ROS_HOSTNAME": None,
    }


def test_what_the_terminal_has_is_said_when_it_goes() -> None:
    said = found(environ={"ROS_HOSTNAME": "qtrp.local"}).notes
    assert len(said) == 1
    assert said[0].startswith("qtrp: ROS_HOSTNAME=qtrp.local is removed, because it beats ROS_IP")


def test_the_version_is_the_terminals() -> None:
    assert found(environ={"ROS_VERSION": "2"}).ros == "2"
    assert found(wanted="1", environ={"ROS_VERSION": "2"}).ros == "1"
    two = found(replace(STACK, domain=4), wanted="2").variables
    assert two["ROS_DOMAIN_ID"] == "4"
    assert two["ROS_STATIC_PEERS"] == "192.168.50.195"
    assert "ROS_HOSTNAME" not in two


@pytest.mark.parametrize(
    "text", ["plain", "a b", "it's", 'mode="client";x=["tcp/[::1]:7"]', "$x\\"]
)
def test_a_shell_reads_what_is_meant(text: str) -> None:
    environment = hosts.HostEnvironment("a", "b", "1", {"NAME": text, "GONE": None})
    script = "\n".join([*hosts.lines(environment, "sh"), 'printf "%s|%s" "$NAME" "${GONE-unset}"'])
    shell = ["env", "GONE=there", "sh", "-c", script]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == f"{text}|unset"


def test_fish_has_words_of_its_own() -> None:
    environment = hosts.HostEnvironment("a", "b", "1", {"NAME": "it's \\", "GONE": None})
    assert hosts.lines(environment, "fish") == ["set -e GONE", r"set -gx NAME 'it\'s \\'"]
    assert hosts.shell_of("/usr/bin/fish") == "fish"
    assert hosts.shell_of("/bin/bash") == "sh"
    assert hosts.shell_of("") == "sh"
