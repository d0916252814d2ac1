"""Stages: what the PCs of a lab have when a page begins."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.lab import Host, Lab, ros_image
from tests.lab.host import ROOT
from tests.lab.robot import furnish

HOME = "/run/home"
PCS = ("qtpc", "qtrp")
#: Names of images that the pages use; all of them are Debian's ROS 1 in the lab.
ROS_IMAGES = ("ros:noetic",)
_BIN = f"{HOME}/bin"


@contextmanager
def opened(stage: str) -> Iterator[Mapping[str, Host]]:
    """A LAN of PCs as the stage has it, each with an engine, and the commands that an
    installation gives: macvlan-ros, docker, sudo."""
    hosts, prepare = STAGES[stage]
    with Lab(hosts=hosts) as lab:
        for host in lab.hosts.values():
            _install(host)
            prepare(host)
        yield lab.hosts


def _install(host: Host) -> None:
    ours = f"export PYTHONPATH={shlex.quote(str(ROOT))}\nexec {shlex.quote(sys.executable)} -m"
    for name, script in (
        ("macvlan-ros", f'{ours} macvlan_ros "$@"'),
        ("docker", 'exec /usr/bin/docker "$@"'),
        ("sudo", 'exec "$@"'),
        ("ping", 'exec busybox ping "$@"'),
    ):
        text = f"#!/bin/sh\n{script}\n"
        put = f'mkdir -p {_BIN} && cat > "$1" && chmod 755 "$1"'
        host.run("sh", "-euc", put, "put", f"{_BIN}/{name}", input=text)


def _nothing(_host: Host) -> None:
    """Engines without an image."""


def _ros(host: Host) -> None:
    for name in ROS_IMAGES:
        ros_image.give(host, name)


def _harmoni(host: Host) -> None:
    furnish(host)
    host.import_image("my/ros-image")


#: By the name in a page's `<!-- lab: … -->`: the PCs, and what each of them is given.
STAGES: dict[str, tuple[tuple[str, ...], Callable[[Host], None]]] = {
    "": (PCS, _nothing),
    "ros": (PCS, _ros),
    "harmoni": (PCS, _harmoni),
}
