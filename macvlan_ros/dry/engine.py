"""An engine that is asked as ever, and told nothing: what it would be told is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netaddr import IPAddress

from macvlan_ros.docker_api.values import Image
from macvlan_ros.engine import Engine
from macvlan_ros.errors import NetworkNotFound
from macvlan_ros.models.containers import Attachment, BridgeUse, Service, Volume
from macvlan_ros.models.networks import Network

__all__ = ["DryEngine"]


class DryEngine(Engine):
    """`would` hears each change that was not made. What was "made" is known again, as far as the
    commands ask for it."""

    dry = True
    at_once = 1  # what is written down has an order

    def __init__(self, url: str, *, would: Callable[[str], None], source: str = "--docker") -> None:
        super().__init__(url, source=source)
        self._would = would
        self._networks: dict[str, Network] = {}
        self._removed: set[str] = set()
        self._gone: set[str] = set()
        self._pulled: set[str] = set()

    # -- networks and volumes -------------------------------------------------------------------

    def networks(self) -> tuple[Network, ...]:
        return tuple(one for one in super().networks() if one.name not in self._removed)

    def network(self, name: str) -> Network:
        try:
            return super().network(name)
        except NetworkNotFound:
            if name in self._networks:
                return self._networks[name]
            raise

    def ensure_network(
        self,
        wanted: Network,
        *,
        host_address: IPAddress | None = None,  # noqa: ARG002 - as inherited
        host_address6: IPAddress | None = None,  # noqa: ARG002
    ) -> tuple[Network, bool]:
        found = self._find_network(wanted.name)
        if found is not None:
            return self._accept(found, wanted), False
        self._would(f"create the network '{wanted.name}' over {wanted.parent}")
        self._networks[wanted.name] = wanted
        return wanted, True

    def _delete_network(self, identity: str, name: str) -> bool:  # noqa: ARG002 - as inherited
        self._would(f"remove the network '{name}'")
        self._removed.add(name)
        return True

    def _create(self, name: str, wanted: Mapping[str, Any]) -> None:
        what = "this node's part" if wanted.get("ConfigOnly") else "of the whole swarm"
        self._would(f"create the network '{name}' ({what})")

    def ensure_bridge(self, bridge: BridgeUse, *, labels: Mapping[str, str]) -> bool:
        if bridge.external or self._find_network(bridge.name) is not None:
            return super().ensure_bridge(bridge, labels=labels)
        self._would(f"create the network '{bridge.name}'")
        return True

    def network_users(self, identity: str, name: str) -> tuple[str, ...]:
        users = super().network_users(identity, name)
        return tuple(one for one in users if one not in self._gone)

    def remove_bridge(self, name: str) -> bool:
        found = self._find_network(name)
        if found is not None:
            self._would(f"remove the network '{name}'")
        return found is not None

    def ensure_volume(self, volume: Volume, *, labels: Mapping[str, str]) -> bool:
        if volume.external or self._find_volume(volume.name) is not None:
            return super().ensure_volume(volume, labels=labels)
        self._would(f"create the volume '{volume.name}'")
        return True

    def remove_volume(self, name: str) -> bool:
        self._would(f"remove the volume '{name}'")
        return True

    # -- containers -------------------------------------------------------------------------------

    def create(
        self,
        service: Service,
        *,
        attachment: Attachment | None,
        environment: Mapping[str, str | None],  # noqa: ARG002 - as inherited
        hosts: Sequence[tuple[str, str]],  # noqa: ARG002
        labels: Mapping[str, str],  # noqa: ARG002
        name: str | None = None,
        files: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> str:
        called = name or service.container_name
        where = f"with {attachment.address}" if attachment else "off the LAN"
        self._would(f"create the container '{called}' {where}")
        self.names[called] = called
        return called

    def start(self, identity: str) -> None:
        self._would(f"start the container '{self._name(identity)}'")

    def pause(self, identity: str) -> None:
        self._would(f"pause the container '{self._name(identity)}'")

    def unpause(self, identity: str) -> None:
        self._would(f"unpause the container '{self._name(identity)}'")

    def stop(self, identity: str, timeout: float | None = None) -> bool:  # noqa: ARG002
        self._would(f"stop the container '{self._name(identity)}'")
        return True

    def kill(self, identity: str, signal: str | None = None) -> bool:  # noqa: ARG002
        self._would(f"kill the container '{self._name(identity)}'")
        return True

    def remove(self, identity: str, *, force: bool = False, volumes: bool = False) -> bool:  # noqa: ARG002
        self._would(f"remove the container '{self._name(identity)}'")
        self._gone.add(self._name(identity))
        return True

    def rename(self, identity: str, name: str) -> None:
        self._would(f"rename the container '{self._name(identity)}' to '{name}'")
        self.names[identity] = name

    # -- images -----------------------------------------------------------------------------------

    def image(self, name: str) -> Image:
        return _nothing_known() if name in self._pulled else super().image(name)

    def pull(
        self,
        name: str,
        *,
        progress: Callable[[str], None],  # noqa: ARG002
        platform: str | None = None,  # noqa: ARG002
    ) -> Image:
        self._would(f"pull the image {name}")
        self._pulled.add(name)
        return _nothing_known()

    def build(self, name: str) -> None:
        """An image would be built."""
        self._would(f"build the image {name}")
        self._pulled.add(name)


def _nothing_known() -> Image:
    return Image("", {}, None, None, {})
