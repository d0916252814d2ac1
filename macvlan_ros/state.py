"""State: what the plugin must know of Docker's networks and endpoints again after a restart, as
typed values over the store's records. A record belongs to a host, for each has its own engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import Record
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

__all__ = ["DockerNetwork", "Endpoint", "State"]


@dataclass(frozen=True, slots=True)
class DockerNetwork:
    """A network of Docker's over a parent, made by our network driver.

    `wanted` is the parent as the user said it (a name, a MAC or a subnet), `parent` the
    interface that was found. `made_parent` says that the interface was made for us. `subnets` come
    with their gateways, `routes` with their next hops (None: on the link). `shim` is whether this
    host and its containers on the network shall reach each other.
    """

    id: str
    wanted: str
    parent: str
    mode: str = "bridge"
    mtu: int = 0
    internal: bool = False
    prefix: str = "eth"
    subnets: tuple[tuple[IPNetwork, IPAddress | None], ...] = ()
    routes: tuple[tuple[IPNetwork, IPAddress | None], ...] = ()
    made_parent: bool = False
    shim: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One container's attachment to one network. `sandbox` is "" until it has joined; `link` is
    the link's name in the host's namespace. `created` is seconds since 1970. `led` are this host's
    addresses to which its container has a route by way of the shim."""

    id: str
    network: str
    addresses: tuple[IPNetwork, ...]
    mac: str
    created: float
    link: str = ""
    sandbox: str = ""
    led: tuple[IPAddress, ...] = ()


class State:
    """Reads and writes the records of one host."""

    def __init__(self, store: Store, *, host: str) -> None:
        self._store = store
        self._host = host

    # -- networks and endpoints -----------------------------------------------------------------

    def networks(self) -> tuple[DockerNetwork, ...]:
        """This host's networks, by id."""
        return tuple(_network(each) for each in self._mine("network"))

    def network(self, key: str) -> DockerNetwork | None:
        found = self._store.recall("network", f"{self._host}/{key}")
        return _network(found[0]) if found else None

    def keep_network(self, network: DockerNetwork) -> None:
        value = {
            "wanted": network.wanted,
            "parent": network.parent,
            "mode": network.mode,
            "mtu": network.mtu,
            "internal": network.internal,
            "prefix": network.prefix,
            "subnets": _pairs_out(network.subnets),
            "routes": _pairs_out(network.routes),
            "made_parent": network.made_parent,
            "shim": network.shim,
        }
        self._keep("network", network.id, value)

    def drop_network(self, key: str) -> bool:
        return self._store.forget("network", f"{self._host}/{key}")

    def endpoints(self) -> tuple[Endpoint, ...]:
        """This host's endpoints, by id."""
        return tuple(_endpoint(each) for each in self._mine("endpoint"))

    def endpoint(self, key: str) -> Endpoint | None:
        found = self._store.recall("endpoint", f"{self._host}/{key}")
        return _endpoint(found[0]) if found else None

    def endpoint_at(self, address: IPAddress) -> Endpoint | None:
        """The endpoint that has the address."""
        for each in self.endpoints():
            if any(address == own.ip for own in each.addresses):
                return each
        return None

    def keep_endpoint(self, endpoint: Endpoint) -> None:
        value = {
            "network": endpoint.network,
            "addresses": [str(each) for each in endpoint.addresses],
            "mac": endpoint.mac,
            "created": endpoint.created,
            "link": endpoint.link,
            "sandbox": endpoint.sandbox,
            "led": [str(each) for each in endpoint.led],
        }
        self._keep("endpoint", endpoint.id, value)

    def drop_endpoint(self, key: str) -> bool:
        return self._store.forget("endpoint", f"{self._host}/{key}")

    # -- pools in use by Docker's networks --------------------------------------------------------

    def pool_uses(self, pool_id: str) -> int:
        """How many of this host's Docker networks hold the pool."""
        found = self._store.recall("pool", f"{self._host}/{pool_id}")
        return int(found[0].value) if found else 0

    def set_pool_uses(self, pool_id: str, uses: int) -> None:
        """Zero forgets it."""
        if uses > 0:
            self._keep("pool", pool_id, uses)
        else:
            self._store.forget("pool", f"{self._host}/{pool_id}")

    def pools_in_use(self) -> tuple[str, ...]:
        """The ids of the pools that this host's Docker networks hold."""
        return tuple(_id(each) for each in self._mine("pool"))

    def networks_on(self, pool: str) -> int:
        """How many of this host's Docker networks hold the pool, in whichever way."""
        uses = (each for each in self._mine("pool") if _id(each).partition(";")[0] == pool)
        return sum(int(each.value) for each in uses)

    def reset_pool_uses(self) -> None:
        for record in self._mine("pool"):
            self._store.forget("pool", record.key)

    # -- in general -----------------------------------------------------------------------------

    def _mine(self, kind: str) -> list[Record]:
        return [each for each in self._store.recall(kind) if each.host == self._host]

    def _keep(self, kind: str, key: str, value: object) -> None:
        record = Record(kind, f"{self._host}/{key}", self._host, json.dumps(value))
        self._store.remember(record, replace=True)


def _pairs_out(pairs: Iterable[tuple[IPNetwork, IPAddress | None]]) -> list[list[str]]:
    return [[str(net), "" if hop is None else str(hop)] for net, hop in pairs]


def _pairs_in(pairs: Iterable[list[str]]) -> tuple[tuple[IPNetwork, IPAddress | None], ...]:
    return tuple((IPNetwork(net), IPAddress(hop) if hop else None) for net, hop in pairs)


def _id(record: Record) -> str:
    return record.key.removeprefix(record.host + "/")


# Records are read again and again, and most are the same as the last time.
@lru_cache(64)
def _network(record: Record) -> DockerNetwork:
    value = json.loads(record.value)
    return DockerNetwork(
        id=_id(record),
        wanted=value["wanted"],
        parent=value["parent"],
        mode=value["mode"],
        mtu=value["mtu"],
        internal=value["internal"],
        prefix=value["prefix"],
        subnets=_pairs_in(value["subnets"]),
        routes=_pairs_in(value["routes"]),
        made_parent=value["made_parent"],
        shim=value.get("shim", True),
    )


@lru_cache(512)
def _endpoint(record: Record) -> Endpoint:
    value = json.loads(record.value)
    return Endpoint(
        id=_id(record),
        network=value["network"],
        addresses=tuple(IPNetwork(each) for each in value["addresses"]),
        mac=value["mac"],
        created=value["created"],
        link=value["link"],
        sandbox=value["sandbox"],
        led=tuple(IPAddress(each) for each in value.get("led", ())),
    )
