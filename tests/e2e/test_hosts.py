"""PCs that share a store on etcd: who is there, whose name is whose, who takes over from whom."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.e2e.three_hosts import HOSTS, ready, rows, sharing, write
from tests.lab import Host, Lab


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    with started(hosts=HOSTS) as lab:
        yield ready(lab)


@pytest.fixture
def three(module_lab: Lab) -> Iterator[Lab]:
    with sharing(module_lab) as lab:
        yield lab


CLI = {"MACVLAN_ROS_DOCKER_CLI": "/usr/bin/docker"}


def stack(host: str) -> str:
    return f"""
x-macvlan-ros:
  range: 192.168.50.192/27
  hosts: {{qtpc: {{parent: eth0}}, qtrp: {{parent: eth0}}, qtnx: {{parent: eth0}}}}
services:
  camera: {{image: "ros:lab", x-macvlan-ros: {{host: {host}}}}}
"""


def serve(host: Host) -> None:
    """Starts our service there. Once it listens it has entered its host, or is about to."""
    host.popen(*host.macvlan_ros_command("plugin", "serve"))
    deadline = time.monotonic() + 20
    while host.name not in known(host):
        assert time.monotonic() < deadline, "the service has not entered its host"


def known(host: Host) -> dict[str, dict[str, Any]]:
    found = json.loads(host.macvlan_ros("hosts", "--json", check=True).stdout)
    return {one["name"]: one for one in found}


def camera(host: Host) -> dict[str, Any]:
    held = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    found: dict[str, Any] = next(one for one in held if one["owner"] == "camera")
    return found


def test_hosts_are_known_and_a_dead_ones_address_is_taken_over_once_it_is_silent(
    three: Lab, tmp_path: Path
) -> None:
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    serve(qtnx)
    there = str(write(tmp_path, stack("qtnx")))
    before = rows(qtnx.macvlan_ros("launch", "--json", check=True, cwd=there).stdout)["camera"]
    found = known(qtpc)
    assert set(found) == {"qtnx"}
    assert found["qtnx"]["state"] == "alive"
    assert found["qtnx"]["services"] == ["plugin"]
    assert found["qtnx"]["addresses"] == 2  # the camera's, the shim's
    assert found["qtnx"]["engine"].startswith("Docker ")
    (interface,) = [one for one in found["qtnx"]["interfaces"] if one["name"] == "eth0"]
    assert f"{qtnx.address}/24" in interface["addresses"]

    # the engine dies, the container lives: its address is nobody else's
    qtnx.kill_engine()
    here = str(write(tmp_path, stack("qtpc")))
    refused = qtpc.macvlan_ros("launch", cwd=here)
    assert refused.returncode == 4
    assert "'camera' belongs to the host 'qtnx', and its address" in refused.stderr
    assert qtpc.docker("ps", "-aq") == ""
    assert camera(qtpc)["host"] == "qtnx"

    qtnx.cut_power()
    unasked = qtpc.macvlan_ros("launch", "--no-probe", cwd=here)
    assert unasked.returncode == 6
    assert "has to be asked" in unasked.stderr
    taken = qtpc.macvlan_ros("launch", "--json", check=True, cwd=here)
    assert "'qtpc' takes it over" in taken.stderr
    after = rows(taken.stdout)["camera"]
    assert (after["address"], after["mac"]) == (before["address"], before["mac"])
    assert camera(qtpc)["host"] == "qtpc"
    stranger = three.hosts["qtrp"]
    stranger.run("busybox", "ping", "-c", "1", "-W", "2", after["address"])

    # the dead one comes back, with the stack as it knew it
    qtnx.start_engine()
    back = qtnx.macvlan_ros("launch", cwd=str(write(tmp_path, stack("qtnx"))))
    assert back.returncode == 4
    assert "'camera' belongs to the host 'qtpc'" in back.stderr


def test_run_takes_the_address_of_its_name_over_once_nobody_answers_for_it(three: Lab) -> None:
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    run = ("run", "-d", "--name", "camera", "ros:lab")
    qtnx.macvlan_ros(*run, check=True, env=CLI)
    before = camera(qtpc)
    refused = qtpc.macvlan_ros(*run, env=CLI)
    assert refused.returncode == 4
    assert (
        f"'camera' belongs to the host 'qtnx', and its address {before['address']}"
        in refused.stderr
    )
    assert qtpc.docker("ps", "-aq") == ""
    qtnx.cut_power()
    unasked = qtpc.macvlan_ros("run", "--no-probe", *run[1:], env=CLI)
    assert unasked.returncode == 6
    assert "has to be asked" in unasked.stderr
    taken = qtpc.macvlan_ros(*run, env=CLI)
    assert taken.returncode == 0, taken.stderr
    assert "'qtpc' takes it over" in taken.stderr
    after = camera(qtnx)
    assert (after["address"], after["mac"], after["host"]) == (
        before["address"],
        before["mac"],
        "qtpc",
    )


def test_a_living_host_gives_up_what_it_only_defends(three: Lab, tmp_path: Path) -> None:
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    serve(qtnx)
    there = str(write(tmp_path, stack("qtnx")))
    qtnx.macvlan_ros("launch", "--no-shim", check=True, cwd=there)
    qtnx.macvlan_ros("stop", check=True, cwd=there)
    address = camera(qtpc)["address"]
    deadline = time.monotonic() + 20
    asking = ("arping", "-D", "-q", "-I", "eth0", "-c", "2", "-w", "2", address)
    while qtpc.run(*asking, check=False).returncode == 0:
        assert time.monotonic() < deadline, "qtnx does not defend the address of its camera"
    here = str(write(tmp_path, stack("qtpc")))
    taken = rows(qtpc.macvlan_ros("launch", "--json", check=True, cwd=here).stdout)
    assert taken["camera"]["address"] == address


def test_two_pcs_of_one_name_are_refused_with_both_named(three: Lab, tmp_path: Path) -> None:
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    robot = {"MACVLAN_ROS_HOST": "robot"}
    text = 'services: {camera: {image: "ros:lab"}}\n'
    folder = str(write(tmp_path, text))
    qtpc.macvlan_ros("launch", check=True, cwd=folder, env=robot)
    refused = qtnx.macvlan_ros("launch", cwd=folder, env=robot)
    assert refused.returncode == 4
    for part in ("two PCs go by the name 'robot'", qtpc.mac, qtnx.mac, "hosts rm robot"):
        assert part in refused.stderr
    assert qtnx.docker("ps", "-aq") == ""
    served = qtnx.macvlan_ros("plugin", "serve", env=robot, timeout=30)
    assert served.returncode == 4
    assert "two PCs go by the name 'robot'" in served.stderr
    qtpc.macvlan_ros("hosts", "rm", "robot", check=True)
    assert "robot" not in known(qtpc)
    assert qtpc.macvlan_ros("hosts", "rm", "robot").returncode == 3


def test_running_containers_learn_the_names_of_those_that_come_later(
    three: Lab, tmp_path: Path
) -> None:
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    first = 'services: {first: {image: "ros:lab"}}\n'
    second = 'services: {other: {image: "ros:lab", container_name: second, hostname: desk}}\n'
    qtpc.macvlan_ros("launch", check=True, cwd=str(write(tmp_path, first)))
    qtpc.popen(*qtpc.macvlan_ros_command("shim", "watch", "--interval", "0.5"))
    qtnx.macvlan_ros("launch", check=True, cwd=str(write(tmp_path, second)))
    assert json.loads(qtnx.macvlan_ros("names", "--json", check=True).stdout) == {
        "changed": ["second"]
    }
    asking = ("/usr/bin/docker", "exec", "first", "ping", "-c", "1", "-W", "1")
    deadline = time.monotonic() + 20
    for name in ("second", "other", "desk"):
        while qtpc.run(*asking, name, check=False).returncode:
            assert time.monotonic() < deadline, qtpc.docker("exec", "first", "cat", "/etc/hosts")
    qtnx.docker("exec", "second", "ping", "-c", "1", "-W", "2", "first")
