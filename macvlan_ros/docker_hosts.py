"""Where Docker keeps the hosts files of running containers."""

from __future__ import annotations

from dataclasses import dataclass

from macvlan_ros.docker_calls import Calls
from macvlan_ros.docker_values import read_address
from macvlan_ros.errors import NotFound
from macvlan_ros.models import IPAddress


@dataclass(frozen=True, slots=True)
class HostsFile:
    """A running container, its addresses, and its hosts file on the engine's host."""

    name: str
    addresses: tuple[IPAddress, ...]
    path: str


class HostsCalls(Calls):
    """What an engine can be asked for about names."""

    def hosts_files(self) -> tuple[HostsFile, ...]:
        """The hosts files of all running containers that have one of their own."""
        with self.asking("list its containers", quick=True) as client:
            listing = client.containers()
        found = []
        for entry in listing:
            ends = ((entry.get("NetworkSettings") or {}).get("Networks") or {}).values()
            texts = ((end or {}).get("IPAddress") for end in ends)
            addresses = tuple(a for a in map(read_address, texts) if a is not None)
            if not addresses:
                continue
            try:
                with self.asking("look at a container", quick=True) as client:
                    path = client.inspect_container(entry["Id"]).get("HostsPath") or ""
            except NotFound:
                continue
            if path:
                found.append(HostsFile(entry["Names"][0].removeprefix("/"), addresses, path))
        return tuple(found)
