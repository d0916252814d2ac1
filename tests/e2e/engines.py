"""What the tests of the engine share: a network, a service, and a container of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netaddr import IPAddress

from macvlan_ros.engine import Engine
from macvlan_ros.models.containers import Attachment, Service
from tests.lab import Host
from tests.unit import docker_network

IMAGE = "robot:engine"
NETWORK = replace(docker_network.NETWORK, pool="default")
TALKER = Service(name="talker", image=IMAGE, container_name="robot_talker")
NAME = TALKER.container_name
ADDRESS = IPAddress("192.168.50.195")
MAC = "02:42:00:00:00:c3"


def create(
    engine: Engine,
    service: Service = TALKER,
    *,
    address: IPAddress = ADDRESS,
    mac: str = MAC,
    environment: Mapping[str, str | None] | None = None,
    hosts: tuple[tuple[str, str], ...] = (),
    labels: Mapping[str, str] | None = None,
    **changes: Any,
) -> str:
    """A container of the service, with `changes` to it, on the network; not started."""
    return engine.create(
        replace(service, **changes),
        attachment=Attachment(NETWORK.name, address, mac),
        environment=environment or {},
        hosts=hosts,
        labels=labels or {"macvlan-ros.stack": "robot", "macvlan-ros.address": str(address)},
    )


def inspect(host: Host, name: str = TALKER.container_name) -> dict[str, Any]:
    """What docker's own command line says of a container."""
    found: list[dict[str, Any]] = json.loads(host.docker("inspect", name))
    return found[0]


def container_names(host: Host) -> list[str]:
    return sorted(host.docker("ps", "-a", "--format", "{{.Names}}").split())


def network_names(host: Host) -> list[str]:
    names = host.docker("network", "ls", "--format", "{{.Name}}").split()
    return (
        sorted(set(names) - {"bridge", "host", "none"}) if len(names) == len(set(names)) else names
    )


def run(engine: Engine, **options: Any) -> str:
    """The same, started."""
    identity = create(engine, **options)
    engine.start(identity)
    return identity


def await_exit(engine: Engine) -> int:
    """The exit code of the container, once it has ended."""
    deadline = time.monotonic() + 30
    while (found := engine.container(NAME)) is None or found.state != "exited":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found.exit_code


def inside(host: Host, *command: str, name: str = NAME) -> str:
    """What a command prints in a container."""
    return host.docker("exec", name, *command)
