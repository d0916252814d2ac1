"""Extract: of a stack what another PC needs to know to look at it, as a stack file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netaddr import IPAddress

from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.stack.section import SECTION
from macvlan_ros.stack.writing import escape, to_yaml

#: What tells how a service's ROS 2 speaks.
_VARIABLES = ("ROS_VERSION", "ROS_DISTRO", "ROS_DOMAIN_ID", "RMW_IMPLEMENTATION")


def extract(stack: Stack, hosts: Mapping[str, IPAddress]) -> str:
    """The stack's services on the LAN with their hosts and addresses, its master and ROS 2's
    discovery; `hosts` are PCs' own addresses where the file does not say them. It names no files,
    variables or engines, and nobody could launch it."""
    section: dict[str, Any] = {
        "network": stack.network,
        "ros_over": stack.ros_over if stack.ipv6 else None,
        "subnet6": str(stack.subnet6 or "auto") if stack.ipv6 else None,
        "master": stack.master or None,
        "domain": stack.domain,
        "discovery": _discovery(stack),
        "hosts": {
            name: {"address": str(at)} if (at := entry.address or hosts.get(name)) else {}
            for name, entry in stack.hosts.items()
        },
    }
    return to_yaml(
        {
            "name": stack.name,
            SECTION: {key: value for key, value in section.items() if value is not None},
            "services": {
                one.name: _service(one) for one in stack.services.values() if not one.off_lan
            },
        }
    )


def _discovery(stack: Stack) -> Any:
    wanted = stack.discovery
    if not wanted.place:
        return wanted.kind
    place = f"[{wanted.place}]" if ":" in wanted.place.removeprefix("host:") else wanted.place
    return {wanted.kind: f"{place}:{wanted.port}"}


def _service(service: Service) -> dict[str, Any]:
    section = {
        "host": service.host,
        "address": service.address,
        "address6": service.address6,
        "ros": service.ros,
    }
    said = {name: service.environment[name] for name in _VARIABLES if name in service.environment}
    return {
        "image": escape(service.image),
        "container_name": service.container_name,
        "environment": {name: escape(value) for name, value in said.items()},
        SECTION: {key: str(value) for key, value in section.items() if value},
    }
