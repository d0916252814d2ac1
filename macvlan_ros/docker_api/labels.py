"""Labels: by them macvlan-ros knows its own things in Docker again, and what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from macvlan_ros.launching.plan import Planned
    from macvlan_ros.models.stacks import Stack

LABEL_MANAGED = "macvlan-ros.managed"
LABEL_POOL = "macvlan-ros.pool"
LABEL_POOL6 = "macvlan-ros.pool6"
LABEL_GATEWAY = "macvlan-ros.gateway"
LABEL_GATEWAY6 = "macvlan-ros.gateway6"
LABEL_STACK = "macvlan-ros.stack"
LABEL_SERVICE = "macvlan-ros.service"
LABEL_OWNER = "macvlan-ros.owner"
LABEL_CONFIG_HASH = "macvlan-ros.config-hash"
LABEL_ADDRESS = "macvlan-ros.address"
#: The addresses where its ROS 2 looks for nodes.
LABEL_PEERS = "macvlan-ros.peers"
#: The network that has the default route of a container on several.
LABEL_DEFAULT_ROUTE = "macvlan-ros.default-route"

#: What `LABEL_MANAGED` is set to.
MANAGED = "1"
#: `LABEL_GATEWAY` of a network without a gateway, where Docker insists on one.
NO_GATEWAY = "none"


def is_ours(labels: Mapping[str, str] | None) -> bool:
    """Whether the labels say that macvlan-ros made it."""
    return (labels or {}).get(LABEL_MANAGED) == MANAGED


#: By it Compose tells whether a container is still as its files have it.
_COMPOSE_HASH = "com.docker.compose.config-hash"


def made_by_launch(found: Mapping[str, str]) -> bool:
    """Whether a container with these labels was made by `launch`, and not by Compose itself."""
    own = found.get(LABEL_CONFIG_HASH)
    return own is not None and found.get(_COMPOSE_HASH) == own


def of_container(stack: Stack, planned: Planned) -> dict[str, str]:
    """Our own labels, and those by which `docker compose ps`, `logs` and `down` know a container
    (docker/compose, pkg/api/labels.go)."""
    files = [str(Path(file).absolute()) for file in stack.files]
    return {
        **_of_place(planned),
        LABEL_STACK: stack.name,
        LABEL_SERVICE: planned.service.name,
        LABEL_OWNER: planned.service.owner,
        LABEL_CONFIG_HASH: planned.config_hash,
        "com.docker.compose.project": stack.name,
        "com.docker.compose.service": planned.service.name,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        # docker-compose 1.29 asks by it how old the labels are, and breaks where there is none
        "com.docker.compose.version": "2.0.0",
        _COMPOSE_HASH: planned.config_hash,
        "com.docker.compose.project.working_dir": str(Path(files[0]).parent),
        "com.docker.compose.project.config_files": ",".join(files),
    }


def _of_place(planned: Planned) -> dict[str, str]:
    """What is remembered of the address on the LAN, where there is one."""
    place, service = planned.attachment, planned.service
    if place is None:
        return {}
    default = service.default_route or place.network
    return {
        **({LABEL_DEFAULT_ROUTE: default} if service.bridges else {}),
        LABEL_POOL: planned.pool,
        **({LABEL_POOL6: planned.pool6} if planned.pool6 else {}),
        LABEL_ADDRESS: str(place.address),
        **({LABEL_PEERS: " ".join(map(str, planned.peers))} if planned.peers else {}),
    }
