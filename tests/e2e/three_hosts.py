"""Three PCs that one stack runs on, and how the others' engines are named from the first."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab import Host, Lab

HOSTS = ("qtpc", "qtrp", "qtnx")
IMAGE = "ros:lab"

#: The master is on the second PC; the third depends on the first.
SERVICES = """
services:
  core:
    image: ros:lab
    depends_on: [camera]
    x-macvlan-ros: {host: qtpc}
  face:
    image: ros:lab
    x-macvlan-ros: {host: qtpc, address: 192.168.50.196}
  hardware:
    image: ros:lab
    command: answer 11311 master
    x-macvlan-ros: {host: qtrp}
  speaker:
    image: ros:lab
    x-macvlan-ros: {host: qtrp}
  camera:
    image: ros:lab
    depends_on: {lidar: {condition: service_healthy}}
    x-macvlan-ros: {host: qtnx}
  lidar:
    image: ros:lab
    healthcheck: {test: [CMD, "true"], interval: 200ms}
    x-macvlan-ros: {host: qtnx}
"""


def ready(lab: Lab) -> Lab:
    """The lab, with the image on each PC."""
    for host in lab.hosts.values():
        host.import_image(IMAGE)
    return lab


def stack_text(lab: Lab, *, services: str = SERVICES, **engines: str) -> str:
    """A stack for all PCs; `engines` names some of them otherwise than by their sockets."""
    lines = ["x-macvlan-ros:", "  range: 192.168.50.192/27", "  master: hardware", "  hosts:"]
    for name, host in lab.hosts.items():
        engine = engines.get(name, host.docker_url)
        lines.append(f"    {name}: {{parent: eth0, address: {host.address}, docker: '{engine}'}}")
    return "\n".join(lines) + "\n" + textwrap.dedent(services)


def write(folder: Path, text: str) -> Path:
    """A folder with that stack in it, in which every PC can launch."""
    here = folder / "robot"
    here.mkdir(exist_ok=True)
    (here / "compose.yaml").write_text(text)
    return here


def rows(output: str) -> dict[str, dict[str, Any]]:
    """What launch or ps printed as JSON, by service."""
    return {one["service"]: one for one in json.loads(output)}


def started_at(host: Host, name: str) -> str:
    return host.docker("inspect", "-f", "{{.State.StartedAt}}", name)


def start_etcd(host: Host) -> str:
    """Starts an etcd on the PC, and returns the store's URL."""
    url = f"http://{host.address}:2379"
    command = ["etcd", "--data-dir", f"{host.folder}/etcd-{time.monotonic_ns()}"]
    command += ["--listen-client-urls", url, "--advertise-client-urls", url]
    command += ["--listen-peer-urls", "http://127.0.0.1:2380", "--log-level", "error"]
    command += ["--initial-advertise-peer-urls", "http://127.0.0.1:2380"]
    command += ["--initial-cluster", "default=http://127.0.0.1:2380"]
    host.popen(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    probe = f"import socket; socket.create_connection(('{host.address}', 2379), 1)"
    deadline = time.monotonic() + 20
    while host.run(sys.executable, "-c", probe, check=False).returncode:
        assert time.monotonic() < deadline, "etcd does not listen"
        time.sleep(0.05)
    return f"etcd://{host.address}:2379/macvlan-ros"


@contextmanager
def sharing(lab: Lab) -> Iterator[Lab]:
    """All PCs with a store on an etcd, which runs on the second; then the lab is as before."""
    url = start_etcd(lab.hosts["qtrp"])
    for host in lab.hosts.values():
        host.path("/etc/macvlan-ros.conf").write_text(f"[macvlan-ros]\nstore = {url}\n")
    yield lab
    for host in lab.hosts.values():
        host.path("/etc/macvlan-ros.conf").unlink()
        # Docker would wait for a service that is not there any more
        host.run("sh", "-c", "rm -f /run/docker/plugins/*.sock")
    lab.reset()
