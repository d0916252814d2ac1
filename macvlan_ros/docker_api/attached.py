"""Who is attached to a Docker network right now, containers of other makers included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from netaddr import IPAddress

from macvlan_ros.docker_api.calls import Calls
from macvlan_ros.docker_api.hosts_files import aliases_of
from macvlan_ros.docker_api.labels import LABEL_DEFAULT_ROUTE, is_ours
from macvlan_ros.docker_api.network_values import LAN_DRIVERS, is_on_our_lan
from macvlan_ros.docker_api.values import read_address
from macvlan_ros.errors import NotFound
from macvlan_ros.values import dataclass

#: How many containers are looked at side by side.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Attached:
    """A running container on a network. `endpoint` is another one after each start.

    `addresses` are those on that network, IPv4 first. `pid` is its first process, as the engine's
    PC counts them: /proc/PID/ns/net is its network namespace. `gateway` is the one that its default
    route shall have, where it is on several networks and we made it; `gateway6` is what Docker
    takes for that network's IPv6 router. `aliases` are what else it goes by, beside its name.
    """

    id: str
    name: str
    endpoint: str
    addresses: tuple[IPAddress, ...]
    mac: str
    pid: int
    gateway: IPAddress | None = None
    gateway6: IPAddress | None = None
    aliases: tuple[str, ...] = ()


class AttachedCalls(Calls):
    """What an engine's networks can be asked about their containers."""

    def attached(self, network: str, *, known: Iterable[Attached] = ()) -> tuple[Attached, ...]:
        """The running containers on the network of that id, by name, whoever made them.

        Takes one listing, and one look at each container whose endpoint is not among `known`.
        """
        listing = self.list_containers(filters={"network": [network]})
        before = {one.endpoint: one for one in known}
        look = partial(self._look, network=network, before=before)
        if len(listing) < 2 or all(_endpoint(one, network)[0] in before for one in listing):
            found = [look(entry) for entry in listing]
        else:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as side_by_side:
                found = list(side_by_side.map(look, listing))
        return tuple(sorted((one for one in found if one), key=lambda one: one.name))

    def attached_as(self, name: str, network: str) -> Attached | None:
        """The running container of that name or id on the network of that id; None if it is not."""
        found = self._look({"Id": name}, network=network, before={})
        # Docker takes the beginning of an id for a name, too
        return found if found is not None and name in (found.id, found.name) else None

    def on_the_hosts_network(self) -> dict[str, str]:
        """The running containers that share this PC's address (--network host), with their images,
        by name."""
        listing = self.list_containers()
        return {
            entry["Names"][0].lstrip("/"): entry["Image"]
            for entry in sorted(listing, key=lambda entry: str(entry["Names"]))
            if (entry.get("HostConfig") or {}).get("NetworkMode") == "host"
        }

    def addresses_in_use(self) -> frozenset[IPAddress]:
        """The addresses of all running containers, on whichever network."""
        listing = self.list_containers()
        return frozenset(
            address
            for entry in listing
            for endpoint in _networks(entry).values()
            for address in _addresses(endpoint or {})
        )

    def on_our_networks(self) -> tuple[Attached, ...]:
        """The running containers on networks that we or our plugin made or give the addresses of,
        by name; each one once."""
        listing = self.list_networks()
        ours = [found["Id"] for found in listing if is_on_our_lan(found)]
        found = {one.id: one for network in ours for one in self.attached(network)}
        return tuple(sorted(found.values(), key=lambda one: one.name))

    def others_over(self, parent: str) -> dict[str, str]:
        """The macvlan and ipvlan networks over it that we did not make: name -> driver."""
        listing = self.list_networks()
        return {
            str(found.get("Name")): str(found["Driver"])
            for found in listing
            if (found.get("Options") or {}).get("parent") == parent
            and found.get("Driver") in LAN_DRIVERS
            and not is_ours(found.get("Labels"))
        }

    def network_names(self) -> dict[str, str]:
        """The names of all networks, by their ids."""
        listing = self.list_networks()
        return {str(found.get("Id")): str(found.get("Name")) for found in listing}

    def drivers_over(self, parent: str) -> frozenset[str]:
        """Which drivers, other than Docker's own, have a network with that parent."""
        listing = self.list_networks()
        return frozenset(
            str(found.get("Driver"))
            for found in listing
            if (found.get("Options") or {}).get("parent") == parent
            and found.get("Driver") not in LAN_DRIVERS
        )

    def _look(
        self, entry: Mapping[str, Any], *, network: str, before: Mapping[str, Attached]
    ) -> Attached | None:
        """One container of the listing; None when it has left in the meantime."""
        name, _ = _endpoint(entry, network)
        if name in before:
            return before[name]
        try:
            with self.asking("look at a container", quick=True) as client:
                found = client.inspect_container(entry["Id"])
        except NotFound:
            return None
        name, endpoint = _endpoint(found, network)
        pid = (found.get("State") or {}).get("Pid") or 0
        if not name or not pid:
            return None
        return Attached(
            id=found["Id"],
            name=(found.get("Name") or "").removeprefix("/"),
            endpoint=name,
            addresses=_addresses(endpoint),
            mac=str(endpoint.get("MacAddress") or "").lower(),
            pid=pid,
            gateway=_gateway(found),
            gateway6=read_address(endpoint.get("IPv6Gateway")),
            aliases=aliases_of(found),
        )


def known_as(listing: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of listed containers by each of their MACs (lower case) and addresses."""
    found = {}
    for entry in listing:
        name = str((entry.get("Names") or [""])[0]).lstrip("/")
        for endpoint in _networks(entry).values():
            mac = str((endpoint or {}).get("MacAddress") or "").lower()
            for known in (mac, *map(str, _addresses(endpoint or {}))):
                if known:
                    found[known] = name
    return found


def _networks(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return (entry.get("NetworkSettings") or {}).get("Networks") or {}


def _gateway(found: Mapping[str, Any]) -> IPAddress | None:
    """That of the network which the container's label says has the default route."""
    labels = (found.get("Config") or {}).get("Labels") or {}
    endpoint = _networks(found).get(labels.get(LABEL_DEFAULT_ROUTE, "")) or {}
    return read_address(endpoint.get("Gateway"))


def _endpoint(entry: Mapping[str, Any], network: str) -> tuple[str, Mapping[str, Any]]:
    """The container's endpoint on that network, with its id; "" when it has none."""
    for endpoint in _networks(entry).values():
        if endpoint and endpoint.get("NetworkID") == network:
            return endpoint.get("EndpointID") or "", endpoint
    return "", {}


def _addresses(endpoint: Mapping[str, Any]) -> tuple[IPAddress, ...]:
    texts = (endpoint.get("IPAddress"), endpoint.get("GlobalIPv6Address"))
    return tuple(address for address in map(read_address, texts) if address is not None)
