"""What another PC is told of a stack, to look at it: read again, it says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import stack as stacks
from macvlan_ros.models.stacks import Stack

TEXT = """
name: robot
x-macvlan-ros:
  network: lan
  subnet6: fd00:50::/64
  range6: fd00:50::1:0/112
  ros_over: ipv6
  master: host:qtpc
  domain: 7
  discovery: {discovery}
  hosts:
    qtpc: {{parent: eth0}}
    qtrp: {{docker: "ssh://robot@192.168.50.12", address: 192.168.50.12}}
services:
  core:
    image: "ros:$$1"
    container_name: robot_core
    command: roscore
    environment: {{ROS_DISTRO: jazzy, RMW_IMPLEMENTATION: "a$$b", SECRET: hunter2}}
    x-macvlan-ros: {{host: qtpc, address: 192.168.50.195, address6: "fd00:50::1:5"}}
  hardware:
    image: ros:noetic
    depends_on: [core]
    profiles: [later]
    volumes: ["./here:/there"]
    x-macvlan-ros: {{host: qtrp, ros: 1}}
  database:
    image: redis
    network_mode: host
    x-macvlan-ros: {{lan: false}}
"""


def read(folder: Path, text: str) -> Stack:
    (folder / "compose.yaml").write_text(text)
    return stacks.load([folder / "compose.yaml"], environ={})


@pytest.mark.parametrize(
    "discovery",
    [
        "unicast",
        "{server: core}",
        '{router: "host:qtrp:7000"}',
        '{server: "[fd00::9]:11000"}',
        '{server: "192.168.50.9"}',
    ],
)
def test_what_verify_needs_comes_back_and_nothing_else(tmp_path: Path, discovery: str) -> None:
    whole = read(tmp_path, TEXT.format(discovery=discovery))
    text = stacks.extract(whole, {"qtpc": IPAddress("192.168.50.11")})
    found = read(tmp_path, text)
    for name in ("name", "network", "ipv6", "ros_over", "master", "domain", "discovery"):
        assert getattr(found, name) == getattr(whole, name)
    assert {name: str(one.address) for name, one in found.hosts.items()} == {
        "qtpc": "192.168.50.11",
        "qtrp": "192.168.50.12",
    }
    assert list(found.services) == ["core", "hardware"]
    for name, service in found.services.items():
        for key in ("image", "container_name", "host", "address", "address6", "ros"):
            assert getattr(service, key) == getattr(whole.services[name], key)
    assert found.services["core"].environment == {
        "ROS_DISTRO": "jazzy",
        "RMW_IMPLEMENTATION": "a$b",
    }
    for kept_back in ("hunter2", "ssh://", "roscore", "later", "here"):
        assert kept_back not in text


def test_a_stack_that_says_nothing_is_told_of_as_well(tmp_path: Path) -> None:
    whole = read(tmp_path, "name: robot\nservices: {core: {image: 'ros:noetic'}}\n")
    found = read(tmp_path, stacks.extract(whole, {}))
    assert (found.master, found.domain, found.ipv6) == ("", None, False)
    assert found.discovery == whole.discovery
    assert list(found.services) == ["core"]
