"""LAN networks: Docker's networks over parents, as our network driver makes them.

Docker says the subnet, so the parent needs no address of its own, and a VLAN made here has none.
A parent may go by another name after a reboot, and a VLAN sub-interface is gone then: it is looked
for, and made, whenever it is needed.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace

from macvlan_ros.errors import Conflict, InvalidRequest, NetworkNotFound, ParentNotFound
from macvlan_ros.kernel.link_names import link_exists
from macvlan_ros.links import Links
from macvlan_ros.models.pools import NETWORK, Reservation
from macvlan_ros.state import DockerNetwork, State

__all__ = ["PLACEHOLDER", "LanNetworks", "is_placeholder", "shim_objection"]

#: What is kept for Docker under this is no router's address: Docker just wants to have one.
PLACEHOLDER = "placeholder"

# An interface's name has 15 letters at most.
_VLAN = re.compile(r"(?=.{3,15}\Z)(?P<base>.+)\.(?P<id>[1-9][0-9]{0,3})\Z")

_LAST_VLAN = 4094  # IEEE 802.1Q, 9.6: 4095 is reserved


class LanNetworks:
    """This host's Docker networks over parents. Any number of threads may share it."""

    def __init__(self, state: State, links: Links) -> None:
        self._state = state
        self._links = links

    def create(self, wanted: DockerNetwork) -> DockerNetwork:
        """Note a network, its parent found or made. The same one twice is fine.

        Raises ParentNotFound, BadParent, Conflict, InvalidRequest, KernelRefused.
        """
        with ExitStack() as undo:
            parent, made = self._find_or_make_parent(wanted)
            if made:
                undo.callback(self._links.delete_link, parent)
            ours = made or self._made_by_us(parent)
            network = replace(wanted, parent=parent, made_parent=ours)
            self._check_mtu(network)
            self._check_beside_others(network)
            standing = self._state.network(network.id)
            if standing is not None and replace(standing, made_parent=ours) != network:
                raise Conflict(
                    f"network {network.id[:12]} exists with other options; remove it first with: "
                    f"docker network rm {network.id[:12]}"
                )
            if standing is None:
                self._state.keep_network(network)
            undo.pop_all()
        return standing or network

    def delete(self, network_id: str) -> bool:
        """Forget a network, and remove a parent that was made for it; False when there was none."""
        network = self._state.network(network_id)
        if network is None:
            return False
        self._state.drop_network(network_id)
        shared = any(each.parent == network.parent for each in self._state.networks())
        if network.made_parent and not shared:
            self._links.delete_link(network.parent)
        elif network.made_parent:
            self._pass_on(network)
        return True

    def _pass_on(self, network: DockerNetwork) -> None:
        """Another network stands on the parent that was made for this one: it removes it."""
        heir = next(each for each in self._state.networks() if each.parent == network.parent)
        self._state.keep_network(replace(heir, made_parent=True))

    def _find_or_make_parent(self, network: DockerNetwork) -> tuple[str, bool]:
        """The parent's name, and whether it was made just now."""
        try:
            return self._links.parent(network.wanted, bare=True).name, False
        except ParentNotFound:
            vlan = _VLAN.match(network.wanted)
            if vlan is None:
                raise
        if int(vlan["id"]) > _LAST_VLAN:
            raise InvalidRequest(
                f"parent {network.wanted}: there is no VLAN {vlan['id']}; take one from 1 to "
                f"{_LAST_VLAN}"
            )
        base = self._links.parent(vlan["base"], bare=True).name
        self._links.add_vlan(base, network.wanted, vlan=int(vlan["id"]))
        with ExitStack() as undo:
            undo.callback(self._links.delete_link, network.wanted)
            self._links.set_up(network.wanted)
            undo.pop_all()
        return network.wanted, True

    def _made_by_us(self, parent: str) -> bool:
        return any(each.made_parent and each.parent == parent for each in self._state.networks())

    def _check_mtu(self, network: DockerNetwork) -> None:
        most = self._links.parent(network.parent, bare=True).mtu
        if network.mtu > most:
            raise InvalidRequest(
                f"mtu {network.mtu} is more than the {most} of the parent {network.parent}; "
                "choose a smaller one, or leave it out to take the parent's"
            )

    def _check_beside_others(self, network: DockerNetwork) -> None:
        """passthru takes the parent for itself (ip-link(8))."""
        for other in self._state.networks():
            if other.id == network.id or other.parent != network.parent:
                continue
            if "passthru" in (other.mode, network.mode):
                raise Conflict(
                    f"the parent {network.parent} serves network {other.id[:12]} (mode "
                    f"{other.mode}) already, and mode passthru does not share; use mode bridge, "
                    "or another parent"
                )

    def present_parent(self, network: DockerNetwork) -> str:
        """The parent's name now: it may have another one since the network was made, and after a
        reboot a VLAN sub-interface is not there any more."""
        if network.wanted == network.parent and link_exists(network.parent):
            return network.parent
        parent, made = self._find_or_make_parent(network)
        if (parent, made) != (network.parent, network.made_parent):
            self._state.keep_network(
                replace(network, parent=parent, made_parent=made or network.made_parent)
            )
        return parent

    def get(self, network_id: str) -> DockerNetwork:
        """Raises NetworkNotFound."""
        network = self._state.network(network_id)
        if network is None:
            raise NetworkNotFound(
                f"macvlan-ros knows no network {network_id[:12]} (was its store replaced?); make "
                "it again with: docker network rm, docker network create"
            )
        return network


def shim_objection(network: DockerNetwork) -> str:
    """Why there is no shim for the network; "" when there can be one."""
    if not network.shim:
        return "its option is shim=no"
    if network.internal:
        return "it is internal"
    if network.mode != "bridge":
        return f"its mode is {network.mode}, in which macvlan links do not reach one another"
    return ""


def is_placeholder(held: Reservation) -> bool:
    """Whether a gateway's address was kept only because Docker wanted one."""
    return held.kind == NETWORK and held.owner.startswith(f"{PLACEHOLDER}:")
