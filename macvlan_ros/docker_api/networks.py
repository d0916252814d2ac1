"""Docker's networks and volumes: make what is missing, refuse what differs, remove what is ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netaddr import IPAddress

from macvlan_ros.docker_api.calls import Calls
from macvlan_ros.docker_api.labels import LABEL_MANAGED, MANAGED, is_ours
from macvlan_ros.docker_api.network_payload import bridge_payload, network_payload
from macvlan_ros.docker_api.network_values import (
    BUILT_IN,
    network_differences,
    read_network,
    subnets_of,
)
from macvlan_ros.errors import (
    Conflict,
    EngineRefused,
    InvalidRequest,
    MacvlanRosError,
    NetworkDiffers,
    NetworkNotFound,
    NotFound,
)
from macvlan_ros.near import did_you_mean

if TYPE_CHECKING:
    from macvlan_ros.models.containers import BridgeUse, Volume
    from macvlan_ros.models.networks import Network

_LISTED_WITHIN = 1.0
_LOOK_EVERY = 0.05


class NetworkCalls(Calls):
    """What an engine's networks and volumes can be asked for."""

    def networks(self) -> tuple[Network, ...]:
        """The macvlan networks that we made, by name."""
        filters = {"driver": "macvlan", "label": f"{LABEL_MANAGED}={MANAGED}"}
        listing = self.list_networks(filters=filters)
        found = [network for network in map(read_network, listing) if network is not None]
        return tuple(sorted(found, key=lambda network: network.name))

    def _near(self, name: str) -> str:
        """What may have been meant, among all networks of the engine."""
        known = {str(each.get("Name")) for each in self.list_networks()}
        return did_you_mean(name, sorted(known.difference(BUILT_IN)))

    def network(self, name: str) -> Network:
        """The macvlan network of that name, whoever made it.

        Raises `NetworkNotFound`, and `NetworkDiffers` for a network that is not macvlan.
        """
        found = self._find_network(name)
        if found is None:
            raise NetworkNotFound(
                f"there is no Docker network {name!r}{self._near(name)}; make it with: "
                f"macvlan-ros network create {name}"
            )
        network = read_network(found)
        if network is None:
            raise NetworkDiffers(
                f"Docker network {name!r} is a {found.get('Driver')} network, not a macvlan one "
                "with an IPv4 subnet; choose another name"
            )
        return network

    def ensure_network(
        self,
        wanted: Network,
        *,
        host_address: IPAddress | None = None,
        host_address6: IPAddress | None = None,
    ) -> tuple[Network, bool]:
        """The network as wanted, and whether this call made it.

        Where the network has no gateway, Docker takes an address for one all the same:
        `host_address` names it, and must be one that is never handed out; so does `host_address6`.
        One of that name that somebody else made serves if it is the same in substance. Raises
        `NetworkDiffers` with each difference, `Conflict` when another network has the parent or the
        subnet, `InvalidRequest` without both gateway and `host_address`.
        """
        found = self._find_network(wanted.name)
        if found is not None:
            return self._accept(found, wanted), False
        if wanted.gateway is None and host_address is None:
            raise InvalidRequest(
                f"network {wanted.name!r} has no gateway, and {wanted.parent} no address that "
                "Docker may take for one; give the interface an address, or the pool a gateway"
            )
        six = wanted.six
        if six is not None and six.gateway is None and host_address6 is None:
            raise InvalidRequest(
                f"network {wanted.name!r} has no IPv6 gateway, and {wanted.parent} no address in "
                f"{six.subnet} that Docker may take for one; give the interface an address"
            )
        payload = network_payload(wanted, placeholder=host_address, placeholder6=host_address6)
        try:
            stands, made = self._make_network(payload)
        except MacvlanRosError as refused:
            raise self._explain(wanted, refused) from refused
        return self._accept(stands, wanted), made

    def _make_network(self, payload: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """What stands under the payload's name once it was made, and whether by this call.

        Docker lets two callers at once make one network each, of one name. All of them see the
        same oldest one, and all but its maker withdraw their own.
        """
        name = payload["Name"]
        try:
            with self.asking(f"make network {name!r}") as client:
                made = client.create_network(payload)["Id"]
        except MacvlanRosError as error:
            # the engine refuses a subnet that another process has just taken before it lists that
            # one's network
            patience = _LISTED_WITHIN if "overlap" in str(error) else 0.0
            found = self._await_network(name, patience)
            if found is None:
                raise
            return found, False
        oldest = self._find_network(name)
        if oldest is None:
            raise EngineRefused(f"network {name!r} was removed as soon as it was made; try again")
        if oldest["Id"] == made:
            return oldest, True
        self._delete_network(made, name)
        return oldest, False

    def _await_network(self, name: str, seconds: float) -> dict[str, Any] | None:
        """The network that another process may have made since we looked, or is making."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._find_network(name)
            if found is not None or time.monotonic() > deadline:
                return found
            time.sleep(_LOOK_EVERY)

    def _find_network(self, name: str) -> dict[str, Any] | None:
        """The network of exactly that name; of several the oldest."""
        # docker's filter also finds names that hold this one; an expression that does not
        # would miss the swarm's networks, for which it counts as a plain text
        listing = self.list_networks(names=[name])
        named = [found for found in listing if found.get("Name") == name]
        return min(named, key=_age, default=None)

    def _accept(self, found: Mapping[str, Any], wanted: Network) -> Network:
        differences = network_differences(found, wanted)
        network = read_network(found)
        if differences or network is None:
            remove = (
                "macvlan-ros network rm" if is_ours(found.get("Labels")) else "docker network rm"
            )
            raise NetworkDiffers(
                f"Docker network {wanted.name!r} exists and differs: {'; '.join(differences)}. "
                f"Remove it with: {remove} {wanted.name}, or choose another name"
            )
        return network

    def _explain(self, wanted: Network, refused: MacvlanRosError) -> MacvlanRosError:
        """The network that stands in the way of a new one, if that is what Docker says."""
        said = str(refused)
        listing = self.list_networks()
        if "already using parent" in said:
            reason = _parent_taken(listing, wanted)
        elif "overlap" in said or "already in use" in said:
            reason = _subnet_taken(listing, wanted)
        else:
            reason = ""
        return Conflict(reason) if reason else refused

    def remove_network(self, name: str) -> bool:
        """Remove a network that we made; False when there is none of that name.

        Raises `Conflict` for one that somebody else made, and for one that containers use, also
        stopped ones, which could not start again; they are named.
        """
        found = self._find_network(name)
        if found is None:
            return False
        if not is_ours(found.get("Labels")):
            raise Conflict(
                f"Docker network {name!r} was not made by macvlan-ros; "
                f"if nobody needs it, remove it with: docker network rm {name}"
            )
        users = self.network_users(found["Id"], name)
        if users:
            raise Conflict(
                f"network {name!r} is in use by {', '.join(users)}; remove them first, with: "
                f"macvlan-ros down, or docker rm -f {' '.join(users)}"
            )
        return self._delete_network(found["Id"], name)

    def network_users(self, identity: str, name: str) -> tuple[str, ...]:
        """The names of the containers on a network, stopped ones too."""
        # one that has never run knows its network by name alone
        users = self.list_containers(all=True, filters={"network": [identity, name]})
        return tuple(sorted(user["Names"][0].removeprefix("/") for user in users))

    def _delete_network(self, identity: str, name: str) -> bool:
        """Delete by id; False when it went in the meantime."""
        try:
            with self.asking(f"remove network {name!r}") as client:
                client.remove_network(identity)
        except NotFound:
            return False
        return True

    def ensure_bridge(self, bridge: BridgeUse, *, labels: Mapping[str, str]) -> bool:
        """Make a stack's additional network; False when it is there. What is there is used as is.

        Raises `NetworkNotFound` for an external one that is not there.
        """
        if self._find_network(bridge.name) is not None:
            return False
        if bridge.external:
            raise NetworkNotFound(
                f"there is no Docker network {bridge.name!r}, which the stack calls external"
                f"{self._near(bridge.name)}; make it with: docker network create {bridge.name}"
            )
        return self._make_network(bridge_payload(bridge, labels))[1]

    def driver_of(self, name: str) -> str:
        """The driver of a network that somebody made ("overlay", …); "" when there is none."""
        found = self._find_network(name)
        return str(found.get("Driver") or "") if found else ""

    def remove_bridge(self, name: str) -> bool:
        """Remove an additional network; False when there is none, it is not ours, or in use."""
        found = self._find_network(name)
        if found is None or not is_ours(found.get("Labels")):
            return False
        if self.network_users(found["Id"], name):
            return False
        return self._delete_network(found["Id"], name)

    def ensure_volume(self, volume: Volume, *, labels: Mapping[str, str]) -> bool:
        """Make a named volume; False when it is there.

        Raises `NotFound` for an external one that is not there, and `Conflict` for one that was
        made with other options.
        """
        name = volume.name
        found = self._find_volume(name)
        if found is not None:
            if volume.options and found.get("Options") != volume.options:
                raise Conflict(
                    f"Docker volume {name!r} is there with other driver_opts than the stack's; keep"
                    f" what is in it, and remove it with: docker volume rm {name}"
                )
            return False
        if volume.external:
            raise NotFound(
                f"there is no Docker volume {name!r}, which the stack calls external; "
                f"make it with: docker volume create {name}"
            )
        with self.asking(f"make volume {name!r}") as client:
            client.create_volume(
                name,
                labels={**volume.labels, **labels, LABEL_MANAGED: MANAGED},
                driver=volume.driver or None,
                driver_opts=dict(volume.options) or None,
            )
        return True

    def remove_volume(self, name: str) -> bool:
        """Remove a volume that we made; False when there is none, or it is not ours.

        Raises `Conflict` while a container has it.
        """
        found = self._find_volume(name)
        if found is None or not is_ours(found.get("Labels")):
            return False
        with self.asking(f"remove volume {name!r}") as client:
            client.remove_volume(name)
        return True

    def _find_volume(self, name: str) -> dict[str, Any] | None:
        with self.asking("list its volumes", quick=True) as client:
            listing = client.volumes(filters={"name": name})["Volumes"] or []
        return next((volume for volume in listing if volume["Name"] == name), None)


def _age(found: Mapping[str, Any]) -> tuple[str, str]:
    """Sorts the oldest first, the same for everybody who looks."""
    return found.get("Created") or "", found.get("Id") or ""


def _parent_taken(listing: list[dict[str, Any]], wanted: Network) -> str:
    for found in listing:
        if (found.get("Options") or {}).get("parent") == wanted.parent:
            name = found.get("Name")
            return (
                f"Docker network {name!r} has {wanted.parent} already, and this engine cannot make "
                f"{wanted.name!r} over it too; use {name!r}, or remove it with: "
                f"docker network rm {name}"
            )
    return ""


def _subnet_taken(listing: list[dict[str, Any]], wanted: Network) -> str:
    for found in listing:
        for subnet in subnets_of(found):
            if subnet in wanted.subnet or wanted.subnet in subnet:
                name = found.get("Name")
                return (
                    f"subnet {wanted.subnet} overlaps {subnet} of Docker network {name!r}; "
                    f"use {name!r}, or remove it with: docker network rm {name}"
                )
    return ""
