"""The ways between a host and its containers, in a dry run: looked at, not made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.networks import Network
from macvlan_ros.reaching.reach import Reach, Reached, pools_of
from macvlan_ros.reaching.shim import show_shim

__all__ = ["DryReach"]


class DryReach(Reach):
    """`would` hears each change that was not made, but for those of the store."""

    def __init__(self, *, would: Callable[[str], None], **parts: Any) -> None:
        super().__init__(**parts)
        self._would = would

    def foretell(self, network: Network) -> None:
        """What making the shim would change. Raises InvalidRequest (an objection)."""
        objection = self.objection(network)
        if objection:
            raise InvalidRequest(objection)
        shim = show_shim(self._links, parent=network.parent)
        for pool in pools_of(network):
            self._reserve(pool, shim)
        if shim is None:
            self._would(f"make the shim over {network.parent}")

    def up(
        self,
        network: Network,
        *,
        announce: Collection[str] | None = (),
        fresh: bool = True,  # noqa: ARG002 - as inherited
    ) -> Reached:
        self.foretell(network)
        stands = self.show(network)
        for one in stands.containers:
            if not set(one.addresses) <= set(stands.routed):
                self._would(f"lead '{one.name}' to this PC")
            if announce is None or one.name in announce:
                self._would(f"announce '{one.name}' on the LAN")
        return stands

    def down(self, network: Network) -> bool:
        there = show_shim(self._links, parent=network.parent) is not None
        if there:
            self._remove(network.parent)
        return there

    def _remove(self, parent: str) -> None:
        self._would(f"remove the shim over {parent}")
