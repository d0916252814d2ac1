"""Where Docker keeps the hosts files of running containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netaddr import IPAddress

from macvlan_ros.docker_api.calls import Calls
from macvlan_ros.docker_api.labels import LABEL_SERVICE
from macvlan_ros.docker_api.values import read_address
from macvlan_ros.errors import NotFound
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class HostsFile:
    """A running container, its addresses, and its hosts file on the engine's host. `aliases` are
    what else it goes by: its service of a stack, and a hostname that somebody gave it."""

    name: str
    addresses: tuple[IPAddress, ...]
    path: str
    aliases: tuple[str, ...] = ()


class HostsCalls(Calls):
    """What an engine can be asked for about names."""

    def hosts_files(self) -> tuple[HostsFile, ...]:
        """The hosts files of all running containers that have one of their own."""
        listing = self.list_containers()
        found = []
        for entry in listing:
            ends = ((entry.get("NetworkSettings") or {}).get("Networks") or {}).values()
            texts = ((end or {}).get("IPAddress") for end in ends)
            addresses = tuple(a for a in map(read_address, texts) if a is not None)
            if not addresses:
                continue
            try:
                with self.asking("look at a container", quick=True) as client:
                    details = client.inspect_container(entry["Id"])
            except NotFound:
                continue
            path = details.get("HostsPath") or ""
            name = entry["Names"][0].removeprefix("/")
            if path:
                found.append(HostsFile(name, addresses, path, aliases_of(details)))
        return tuple(found)


def aliases_of(details: Mapping[str, Any]) -> tuple[str, ...]:
    """What a container that was inspected goes by, beside its name."""
    config = details.get("Config") or {}
    service = str((config.get("Labels") or {}).get(LABEL_SERVICE) or "")
    hostname = str(config.get("Hostname") or "")
    if str(details.get("Id")).startswith(hostname):
        hostname = ""  # Docker's own choice
    names = dict.fromkeys((service, hostname))
    own = str(details.get("Name") or "").removeprefix("/")
    return tuple(name for name in names if name and name != own)
