"""The plugin under Docker Compose and under swarm mode: their real programs, real engines."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.plugin_host import IMAGE, PluginHost, plugged, within
from tests.lab import Lab


@pytest.fixture
def pc(make_lab: Callable[..., Lab]) -> Iterator[PluginHost]:
    with plugged(make_lab(hosts=("qtpc",)).hosts["qtpc"]) as host:
        yield host


STACK = """
version: "2.4"
services:
  talker:
    image: ros:lab
    networks:
      lan: {ipv4_address: 192.168.50.70}
      control: {}
  listener:
    image: ros:lab
    networks: [lan]
  fixed_mac:
    image: ros:lab
    mac_address: 02:42:c0:ff:ee:01
    networks: [lan]
networks:
  lan:
    driver: macvlan-ros
    driver_opts: {parent: eth0}
    ipam:
      driver: macvlan-ros
      config: [{subnet: 192.168.50.0/24, ip_range: 192.168.50.192/28, gateway: 192.168.50.1}]
  control:
    driver: macvlan
    driver_opts: {parent: eth0, macvlan_mode: bridge}
    ipam:
      driver: macvlan-ros
      options: {pool: control}
      config: [{subnet: 10.77.0.0/24}]
"""


def test_a_compose_file_comes_up_goes_down_and_comes_back(pc: PluginHost, tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(textwrap.dedent(STACK))
    add = ("pool", "add", "control", "--subnet", "10.77.0.0/24", "--range", "10.77.0.16/28")
    pc.host.macvlan_ros(*add, check=True)

    def compose(*words: str) -> None:
        pc.host.run("docker-compose", "-p", "robot", "-f", str(file), *words, timeout=120)

    def where(service: str) -> str:
        return pc.interface(f"robot_{service}_1").address

    compose("up", "-d")
    lan = {name: link for name in ("eth0", "eth1") for link in [linked(pc, "robot_talker_1", name)]}
    assert "192.168.50.70/24" in lan.values()
    assert any(address.startswith("10.77.0.") for address in lan.values())
    sticky = where("fixed_mac")
    assert len({sticky, where("listener"), "192.168.50.70/24"}) == 3
    assert pc.reaches("robot_listener_1", "192.168.50.70")
    compose("restart", "-t", "1")
    assert where("fixed_mac") == sticky
    compose("stop", "-t", "1")
    assert {held["kind"] for held in pc.reservations().values()} <= {"network"}
    compose("start")
    assert where("fixed_mac") == sticky
    compose("down", "-t", "1")
    assert pc.reservations() == {}
    assert pc.own_links() == set()
    pc.host.macvlan_ros("pool", "rm", "control", check=True)
    assert pc.remembered() == []


def linked(pc: PluginHost, container: str, link: str) -> str:
    return pc.interface(container, link).address


def test_swarm_takes_our_ipam_on_a_node(pc: PluginHost) -> None:
    pc.docker("swarm", "init", "--advertise-addr", "192.168.50.11")
    try:
        config = ["--config-only", "--subnet", "192.168.50.0/24", "--gateway", "192.168.50.1"]
        config += ["--ip-range", "192.168.50.192/28", "--ipam-driver", "macvlan-ros"]
        pc.docker("network", "create", *config, "-o", "parent=eth0", "lan-here")
        words = ["-d", "macvlan", "--scope", "swarm", "--config-from", "lan-here", "--attachable"]
        pc.docker("network", "create", *words, "lan")
        create = ["service", "create", "-d", "--name", "web", "--network", "lan", "--replicas", "3"]
        pc.docker(*create, IMAGE)
        assert within(60, lambda: len(running(pc)) == 3)
        given = {pc.interface(name).address.partition("/")[0] for name in running(pc)}
        assert len(given) == 3
        assert given <= set(pc.reservations())
        pc.docker("service", "scale", "-d", "web=1")
        assert within(60, lambda: len(dynamic(pc)) == 1)
        plain = pc.run("plain").address.partition("/")[0]
        assert plain in pc.reservations()
        pc.docker("service", "rm", "web")
        pc.docker("rm", "-f", "plain")
        assert within(60, lambda: dynamic(pc) == set())
        pc.docker("network", "rm", "lan")
    finally:
        pc.docker("swarm", "leave", "--force", check=False)
    pc.docker("network", "rm", "lan-here")


def running(pc: PluginHost) -> list[str]:
    return pc.docker("ps", "--filter", "name=web", "--format", "{{.Names}}").split()


def dynamic(pc: PluginHost) -> set[str]:
    held = pc.reservations()
    return {address for address, each in held.items() if each["kind"] == "dynamic"}
