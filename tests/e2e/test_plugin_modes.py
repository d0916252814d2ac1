"""What macvlan's modes let containers reach, through Docker and over a real switch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.plugin_host import PluginHost, left_over, plugged, within
from tests.lab import Lab

OTHER_PC = "192.168.50.12"


@pytest.fixture
def pc(lab: Lab) -> Iterator[PluginHost]:
    with plugged(lab.hosts["qtpc"]) as host:
        yield host


def hairpin(lab: Lab, state: str) -> None:
    """Whether the switch sends what qtpc's port says back to that port, if it is for somebody there
    (IEEE 802.1Qbg, reflective relay)."""
    slave = ["ip", "link", "set", lab._port_of["qtpc"], "type", "bridge_slave"]
    lab.switch.run(*slave, "hairpin", state)


def two_containers(pc: PluginHost, mode: str) -> str:
    """Two in a network of that mode; the second one's address."""
    pc.network("lan", "-o", f"mode={mode}")
    pc.run("one")
    two = pc.run("two")
    assert mode_of(pc, "one") == mode
    assert pc.reaches("one", OTHER_PC)
    return two.address


def mode_of(pc: PluginHost, name: str) -> str:
    """The mode of a container's link, as the kernel says it."""
    pid = pc.docker("inspect", "-f", "{{.State.Pid}}", name)
    shown = pc.host.run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-d", "link", "show", "eth0")
    return shown.stdout.partition("macvlan mode ")[2].partition(" ")[0]


def test_containers_in_mode_vepa_meet_where_the_switch_reflects(pc: PluginHost, lab: Lab) -> None:
    two = two_containers(pc, "vepa")
    assert not pc.reaches("one", two)
    hairpin(lab, "on")
    try:
        assert within(20, lambda: pc.reaches("one", two))
    finally:
        hairpin(lab, "off")


def test_containers_in_mode_private_do_not_even_then(pc: PluginHost, lab: Lab) -> None:
    two = two_containers(pc, "private")
    hairpin(lab, "on")
    try:
        assert not pc.reaches("one", two)
    finally:
        hairpin(lab, "off")


def test_mode_passthru_gives_the_parent_to_one_container_alone(pc: PluginHost, lab: Lab) -> None:
    pc.network("lan", "-o", "mode=passthru")
    one = pc.run("one")
    assert mode_of(pc, "one") == "passthru"
    assert pc.reaches("one", OTHER_PC)
    said = pc.refused("run", "-d", "--name", "two", "--network", "lan", "ros:lab")
    assert "mode passthru gives eth0 to one container alone" in said
    assert "stop that container first, or use mode bridge" in said
    assert set(pc.reservations()) == {one.address.partition("/")[0]}
    another = ("network", "create", "-d", "macvlan-ros", "--ipam-driver", "macvlan-ros")
    said = pc.refused(*another, "--subnet", "10.9.0.0/24", "-o", "parent=eth0", "more")
    assert "mode passthru does not share; use mode bridge, or another parent" in said
    pc.docker("rm", "-f", "one")
    assert lab.hosts["qtpc"].mac in pc.host.run("ip", "link", "show", "eth0").stdout
    pc.docker("start", "two")
    assert pc.reaches("two", OTHER_PC)
    pc.docker("rm", "-f", "two")
    pc.docker("network", "rm", "lan")
    assert left_over(pc) == []
