"""State: what the plugin must know again after a restart, as typed values over the store's
records.

A record belongs to a host, for each host has its own engine; only the use of a reservation
counts everywhere, for an owner's one container may be started on any host.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import Record
from macvlan_ros.stores.base import Store

__all__ = ["DockerNetwork", "Endpoint", "Former", "State", "Use"]

# How many former addresses of a pool are remembered: more than a PC runs containers in a day.
_FORMERS = 256
# How many there may be beyond that: to look for the oldest is to read them all.
_AT_ONCE = 32


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


@dataclass(frozen=True, slots=True)
class Use:
    """An owner's container has its reservation now. `since` is seconds since 1970."""

    pool: str
    address: IPAddress
    mac: str
    host: str
    since: float


@dataclass(frozen=True, slots=True)
class Former:
    """An anonymous container had the address until then (seconds since 1970)."""

    pool: str
    address: IPAddress
    mac: str
    until: float


class State:
    """Reads and writes the records of one host."""

    def __init__(self, store: Store, *, host: str) -> None:
        self._store = store
        self._host = host
        self._kept = count()

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

    # -- reservations in use, and former addresses ------------------------------------------------

    def begin_use(self, use: Use) -> Use | None:
        """Note the use; None when that is done, else the use that stands already."""
        record = _use_record(use)
        standing = self._store.remember(record)
        return None if standing is record else _use(standing)

    def succeed_use(self, standing: Use, use: Use) -> bool:
        """Put `use` in the place of another host's that stands; False when it stands no more.

        One host at a time does it: whoever writes the record of it looks again before it acts.
        """
        key = f"{use.pool}/{use.address}"
        turn = Record("succession", key, self._host, standing.host)
        if self._store.remember(turn).host != self._host:
            return False
        try:
            found = self._store.recall("use", key)
            if not found or _use(found[0]) != standing:
                return False
            self.keep_use(use)
        finally:
            self._store.forget("succession", key)
        return True

    def keep_use(self, use: Use) -> None:
        self._store.remember(_use_record(use), replace=True)

    def drop_use(self, pool: str, address: IPAddress) -> bool:
        return self._store.forget("use", f"{pool}/{address}")

    def uses(self) -> tuple[Use, ...]:
        """The uses by this host's containers."""
        return tuple(_use(each) for each in self._store.recall("use") if each.host == self._host)

    def used(self, pool: str) -> tuple[IPAddress, ...]:
        """The addresses of the pool that owners' containers use, on whichever host."""
        return tuple(_use(each).address for each in self._store.recall("use") if _of(each, pool))

    def uses_anywhere(self) -> tuple[Use, ...]:
        """The uses by containers of any host that shares the store."""
        return tuple(_use(each) for each in self._store.recall("use"))

    def use(self, pool: str, address: IPAddress) -> Use | None:
        found = self._store.recall("use", f"{pool}/{address}")
        return _use(found[0]) if found else None

    def former(self, pool: str) -> Mapping[IPAddress, Former]:
        """The former addresses of the pool that are remembered."""
        found = (_former(each) for each in self._store.recall("former") if _of(each, pool))
        return {each.address: each for each in found}

    def former_at(self, pool: str, address: IPAddress) -> Former | None:
        found = self._store.recall("former", f"{pool}/{address}")
        return _former(found[0]) if found else None

    def last_of(self, pool: str, mac: str) -> IPAddress | None:
        """The address that a container with this MAC had last."""
        known = (each for each in self._store.recall("former") if each.value.endswith(mac))
        mine = [_former(each) for each in known if _of(each, pool)]
        last = max(mine, key=lambda each: each.until, default=None)
        return last.address if last is not None else None

    def drop_formers(self, pool: str) -> None:
        for each in self.former(pool).values():
            self._store.forget("former", f"{pool}/{each.address}")

    def keep_former(self, former: Former) -> None:
        """Remember one; the oldest are forgotten when there are too many, some at once."""
        key, value = f"{former.pool}/{former.address}", f"{former.until:.3f} {former.mac}"
        self._store.remember(Record("former", key, self._host, value), replace=True)
        if next(self._kept) % _AT_ONCE:
            return
        known = sorted(self.former(former.pool).values(), key=lambda each: each.until)
        for old in known[:-_FORMERS]:
            self._store.forget("former", f"{old.pool}/{old.address}")

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


def _of(record: Record, pool: str) -> bool:
    return record.key.partition("/")[0] == pool


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


def _use(record: Record) -> Use:
    pool, _, address = record.key.partition("/")
    since, _, mac = record.value.partition(" ")
    return Use(pool, IPAddress(address), mac, record.host, float(since))


def _use_record(use: Use) -> Record:
    return Record("use", f"{use.pool}/{use.address}", use.host, f"{use.since:.3f} {use.mac}")


@lru_cache(2 * _FORMERS)
def _former(record: Record) -> Former:
    pool, _, address = record.key.partition("/")
    until, _, mac = record.value.partition(" ")
    return Former(pool, IPAddress(address), mac, float(until))
