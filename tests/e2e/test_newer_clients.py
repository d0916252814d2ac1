"""Compose and launch with newer engines: their own docker compose, and ours."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from macvlan_ros.docker_cli.finding import DockerCli
from macvlan_ros.docker_cli.flags import RUN, read_usage
from tests.e2e.conftest import WriteStack
from tests.e2e.plugin_host import PluginHost, left_over, plugged, within
from tests.lab import Host, Lab
from tests.lab.debian import NEWER, engine_tree

MAC = "02:42:c0:ff:ee:01"


@pytest.fixture(params=NEWER)
def newer(lan: Lab, request: pytest.FixtureRequest) -> Host:
    host = lan.hosts[request.param]
    host.import_image("ros:lab")
    return host


@pytest.fixture
def pc(newer: Host) -> Iterator[PluginHost]:
    with plugged(newer) as host:
        yield host


STACK = """
services:
  talker:
    image: ros:lab
    networks:
      lan: {ipv4_address: 192.168.50.70}
  listener:
    image: ros:lab
    networks: [lan]
  fixed_mac:
    image: ros:lab
    networks:
      lan: {mac_address: 02:42:c0:ff:ee:01}
networks:
  lan:
    driver: macvlan-ros
    driver_opts: {parent: eth0}
    ipam:
      driver: macvlan-ros
      config: [{subnet: 192.168.50.0/24, ip_range: 192.168.50.192/28, gateway: 192.168.50.1}]
"""


def test_compose_comes_up_goes_down_and_comes_back(pc: PluginHost, write_stack: WriteStack) -> None:
    file = str(write_stack(STACK) / "compose.yaml")

    def compose(*words: str) -> None:
        pc.docker("compose", "-p", "robot", "-f", file, *words, timeout=120)

    def where() -> dict[str, str]:
        names = ("talker", "listener", "fixed_mac")
        return {name: pc.interface(f"robot-{name}-1").address for name in names}

    compose("up", "-d")
    first = where()
    assert first["talker"] == "192.168.50.70/24"
    assert len(set(first.values())) == 3
    assert pc.interface("robot-fixed_mac-1").mac == MAC
    assert pc.reaches("robot-listener-1", "192.168.50.70")
    compose("restart", "-t", "1", "fixed_mac")
    assert where()["fixed_mac"] == first["fixed_mac"]
    compose("rm", "-s", "-f", "fixed_mac")
    compose("up", "-d")
    assert where() == first
    compose("down", "-t", "1")
    assert left_over(pc) == []


ROBOT = """
x-macvlan-ros:
  range: 192.168.50.192/27
  master: core
services:
  core:
    image: ros:lab
    x-macvlan-ros: {address: 192.168.50.195}
  talker: {image: "ros:lab", restart: always, depends_on: [core]}
"""


def test_launch_gives_each_service_its_address_and_mac(
    newer: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(ROBOT)

    def launched() -> dict[str, dict[str, str]]:
        done = newer.macvlan_ros("launch", "--json", check=True, cwd=folder)
        return {one["service"]: one for one in json.loads(done.stdout)}

    first = launched()
    assert first["core"]["address"] == "192.168.50.195"
    for name, service in first.items():
        link = newer.docker("exec", name, "ip", "addr", "show", "eth0")
        assert f"inet {service['address']}/24" in link
        assert f"link/ether {service['mac']}" in link
    newer.docker("exec", "talker", "ping", "-c", "1", "-W", "2", "core")
    newer.run("busybox", "ping", "-c", "1", "-W", "2", "192.168.50.195")
    assert "ROS_MASTER_URI=http://192.168.50.195:11311" in newer.docker("exec", "talker", "env")
    assert {one["action"] for one in launched().values()} == {"unchanged"}
    newer.docker("restart", "-t", "1", "core")
    assert f"link/ether {first['core']['mac']}" in newer.docker("exec", "core", "ip", "link")
    newer.kill_engine()
    newer.start_engine()
    assert within(15, lambda: "talker" in newer.docker("ps", "--format", "{{.Names}}"))
    link = newer.docker("exec", "talker", "ip", "addr", "show", "eth0")
    assert f"inet {first['talker']['address']}/24" in link
    assert f"link/ether {first['talker']['mac']}" in link
    newer.macvlan_ros("down", check=True, cwd=folder)
    assert newer.docker("ps", "-aq") == ""
    assert "ros_lan" not in newer.docker("network", "ls")
    again = launched()
    assert {name: one["address"] for name, one in again.items()} == {
        name: one["address"] for name, one in first.items()
    }


def test_run_joins_other_networks_beside_the_lan(newer: Host) -> None:
    newer.docker("network", "create", "side")
    words = ("run", "-d", "--name", "talker", "--network", "name=side,alias=t")
    cli = {"MACVLAN_ROS_DOCKER_CLI": f"{engine_tree(newer.name)}/usr/bin/docker"}
    done = newer.macvlan_ros(*words, "--network", "away", "ros:lab", env=cli)
    assert done.returncode == 0, done.stderr
    assert "--network away is left out" in done.stderr
    found = json.loads(newer.docker("inspect", "talker"))[0]["NetworkSettings"]["Networks"]
    assert set(found) == {"ros_lan", "side"}
    assert "t" in found["side"]["Aliases"]
    held = json.loads(newer.macvlan_ros("list", "--json", check=True).stdout)
    lan = next(one for one in held if one["owner"] == "talker")
    assert (found["ros_lan"]["IPAddress"], found["ros_lan"]["MacAddress"]) == (
        lan["address"],
        lan["mac"],
    )
    assert within(30, lambda: "via 192.168.50.1" in newer.docker("exec", "talker", "ip", "route"))


@pytest.mark.parametrize("program", ["/usr/bin/docker", *NEWER])
def test_the_table_of_flags_says_what_docker_s_own_help_says(program: str) -> None:
    program = f"{engine_tree(program)}/usr/bin/docker" if program in NEWER else program
    found = read_usage(DockerCli(program, (program,)).usage("run"))
    assert len(found.takes_value) > 90
    assert {name: RUN.takes_value.get(name) for name in found.takes_value} == found.takes_value
    assert {letter: RUN.letters.get(letter) for letter in found.letters} == found.letters


def test_launch_says_what_is_wrong_in_a_sentence(newer: Host, write_stack: WriteStack) -> None:
    folder = write_stack(ROBOT.replace("core:\n    image: ros:lab", "core:\n    image: no:such"))
    done = newer.macvlan_ros("launch", cwd=folder)
    assert done.returncode in (3, 6)
    assert "no:such" in done.stderr
    assert "Traceback" not in done.stderr
    assert newer.docker("ps", "-aq") == ""
