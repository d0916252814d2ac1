"""Labels: how Docker's own objects remember what macvlan-ros made them for."""

from __future__ import annotations

from pathlib import Path

from macvlan_ros import __version__
from macvlan_ros.models import Service, Stack

MANAGED = "macvlan-ros.managed"
POOL = "macvlan-ros.pool"
STACK = "macvlan-ros.stack"
SERVICE = "macvlan-ros.service"
OWNER = "macvlan-ros.owner"
CONFIG_HASH = "macvlan-ros.config-hash"
VERSION = "macvlan-ros.version"


def of_container(stack: Stack, service: Service, *, pool: str, config_hash: str) -> dict[str, str]:
    """The labels of a service's container: the file's own, ours, and those by which
    `docker compose ps`, `logs` and `down` know it (docker/compose, pkg/api/labels.go)."""
    files = [str(Path(file).absolute()) for file in stack.files]
    return {
        **service.labels,
        MANAGED: "1",
        POOL: pool,
        STACK: stack.name,
        SERVICE: service.name,
        OWNER: service.owner,
        CONFIG_HASH: config_hash,
        VERSION: __version__,
        "com.docker.compose.project": stack.name,
        "com.docker.compose.service": service.name,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.config-hash": config_hash,
        "com.docker.compose.project.working_dir": str(Path(files[0]).parent),
        "com.docker.compose.project.config_files": ",".join(files),
    }
