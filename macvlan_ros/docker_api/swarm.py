"""Docker's swarm networks over parents: what each node is told, and the network that spans them.

A swarm's macvlan network has its settings from a `config-only` network on each node, so that the
parent may be another there. Its addresses come from our IPAM driver, for Docker's own would hand
out the same ones on every node (github.com/moby/moby/issues/49921).

A swarm takes our network driver only as a managed plugin. Where that is enabled it serves the
network too, so that several may stand on one parent: Docker's own macvlan has that from Docker 26.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from macvlan_ros.docker_api.calls import Calls
from macvlan_ros.docker_api.labels import LABEL_MANAGED, LABEL_POOL, MANAGED
from macvlan_ros.errors import InvalidRequest, NetworkDiffers
from macvlan_ros.models.pools import Pool
from macvlan_ros.values import dataclass

#: What a node's own settings of a swarm network are called: the network's name and this.
HERE = ".here"
_DRIVER = "macvlan-ros"


@dataclass(frozen=True, slots=True)
class SwarmNetwork:
    """A network that spans a swarm. `config` is what holds this node's part of it; `spans` says
    whether the network itself is known here: made just now, before, or by a manager."""

    name: str
    config: str
    parent: str
    pool: str
    owner: str
    manager: bool
    spans: bool


class SwarmCalls(Calls):
    """What an engine's swarm networks can be asked for."""

    def ensure_swarm_network(
        self, name: str, pool: Pool, *, parent: str, owner: str = ""
    ) -> SwarmNetwork:
        """This node's part of a swarm's network over `parent`, and on a manager the network too.

        With `owner` the network serves that owner's reservation alone. Doing it twice is fine.
        Raises InvalidRequest when the engine is in no swarm, NetworkDiffers when something else
        has the name.
        """
        manager = self._is_manager()
        plugin = self._managed_plugin()
        config = name + HERE
        ipam = {
            "Driver": plugin or _DRIVER,
            "Options": {"pool": pool.name, **({"owner": owner} if owner else {})},
            "Config": [
                {
                    "Subnet": str(pool.subnet),
                    **({"Gateway": str(pool.gateway)} if pool.gateway else {}),
                }
            ],
        }
        self._ensure(
            config,
            {
                "ConfigOnly": True,
                "IPAM": ipam,
                "Options": {"parent": parent},
                "Labels": {LABEL_MANAGED: MANAGED, LABEL_POOL: pool.name},
            },
        )
        if manager:
            self._ensure(
                name,
                {
                    "Driver": plugin or "macvlan",
                    "Scope": "swarm",
                    "Attachable": True,
                    # with labels of its own Docker would refuse it
                    "ConfigFrom": {"Network": config},
                },
            )
        spans = manager or self._found(name) is not None
        return SwarmNetwork(name, config, parent, pool.name, owner, manager, spans)

    def _is_manager(self) -> bool:
        with self.asking("say whether it is in a swarm", quick=True) as client:
            swarm = client.info().get("Swarm") or {}
        if swarm.get("LocalNodeState") != "active":
            raise InvalidRequest(
                "this engine is in no swarm; make one with: docker swarm init, or join one with:"
                " docker swarm join"
            )
        return bool(swarm.get("ControlAvailable"))

    def _managed_plugin(self) -> str:
        """What Docker calls our managed plugin, where it is enabled; "" where it is not."""
        with self.asking("list its plugins", quick=True) as client:
            listing: list[dict[str, Any]] = client.plugins()
        enabled = (str(each.get("Name")) for each in listing if each.get("Enabled"))
        return next((name for name in enabled if _is_ours(name)), "")

    def _found(self, name: str) -> dict[str, Any] | None:
        return next(
            (each for each in self.list_networks(names=[name]) if each.get("Name") == name), None
        )

    def _ensure(self, name: str, wanted: Mapping[str, Any]) -> None:
        found = self._found(name)
        if found is None:
            self._create(name, wanted)
        elif _part(found, wanted) != _part(wanted, wanted):
            raise NetworkDiffers(
                f"Docker network {name!r} exists and differs from what is wanted; remove it with:"
                f" docker network rm {name}, on every node, or choose another name"
            )

    def _create(self, name: str, wanted: Mapping[str, Any]) -> None:
        with self.asking(f"make network {name!r}") as client:
            client.create_network({"Name": name, "CheckDuplicate": True, **wanted})


def _is_ours(plugin: str) -> bool:
    """Whether a managed plugin's name, as `example.org/macvlan-ros:latest`, is that of ours."""
    return plugin.rpartition("/")[2].partition(":")[0] == _DRIVER


def _part(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Of a network, what was wanted of it, in one form."""
    ipam = found.get("IPAM") or {}
    part: dict[str, Any] = {
        "config_only": bool(found.get("ConfigOnly")),
        "from": (found.get("ConfigFrom") or {}).get("Network") or "",
    }
    if "IPAM" in wanted:
        part |= {
            "driver": ipam.get("Driver"),
            "options": ipam.get("Options") or {},
            "subnets": [each.get("Subnet") for each in ipam.get("Config") or ()],
            "parent": (found.get("Options") or {}).get("parent"),
        }
    return part
