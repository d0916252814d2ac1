"""ROS: the environment that makes a container a node of the LAN. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netaddr import IPAddress

from macvlan_ros.models.containers import Service
from macvlan_ros.ros import ros1, ros2
from macvlan_ros.ros.draft import Draft
from macvlan_ros.ros.ros1 import MASTER_PORT, former_addresses, master_uri
from macvlan_ros.ros.ros2 import Graph, graph, told, version
from macvlan_ros.values import dataclass

__all__ = [
    "MASTER_PORT",
    "Graph",
    "RosEnvironment",
    "environment",
    "former_addresses",
    "graph",
    "master_uri",
    "told",
    "version",
]


@dataclass(frozen=True, slots=True)
class RosEnvironment:
    """A container's variables; None as a value removes one that the image sets. `notes` are what
    was changed and why, one sentence each; `files` what the container gets, by path."""

    variables: Mapping[str, str | None]
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def environment(
    service: Service,
    *,
    address: IPAddress,
    master_uri: str | None,
    image_environment: Mapping[str, str],
    former: Mapping[IPAddress, tuple[str, IPAddress]],
    graph: Graph = ros2.ALONE,
) -> RosEnvironment:
    """The service's variables with ROS set up for `address`.

    `master_uri` is the stack's master (None: the file's own variable counts); `former` maps an
    address that a service of the stack had on a replaced network to that service's name and its
    address now; `graph` is what the stack's ROS 2 nodes have in common. A service with `ros: none`
    keeps its variables as they are.
    """
    draft = Draft(service.name, dict(service.environment), image_environment, service.read_only)
    which = version(service, image_environment)
    if which != "none":
        ros2.leave_the_host(draft)
    if which == "1":
        ros1.prepare(draft, address=address, master=master_uri, former=former)
    elif which == "2":
        ros2.prepare(draft, address=address, graph=graph, hybrid=bool(service.bridges))
    return RosEnvironment(draft.variables, tuple(draft.notes), draft.files)
