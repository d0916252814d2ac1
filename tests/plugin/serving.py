"""The real server on a real socket, over a store, with what is around the host made up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netaddr import IPAddress, IPNetwork

from macvlan_ros.endpoints import Endpoints
from macvlan_ros.errors import AddressInUse
from macvlan_ros.ipam import Ipam
from macvlan_ros.links import Links
from macvlan_ros.models.pools import Pool
from macvlan_ros.plugin.ipam_driver import IpamDriver
from macvlan_ros.plugin.network_driver import NetworkDriver
from macvlan_ros.plugin.routes import routes
from macvlan_ros.plugin.server import Server
from macvlan_ros.plugin.sockets import bind
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.reserving.grants import Grants
from macvlan_ros.reserving.lookahead import Lookahead
from macvlan_ros.stores import open_store
from macvlan_ros.stores.base import Store
from tests.plugin.client import Client, Reply

MAC = "com.docker.network.endpoint.macaddress"
NAME = "com.docker.network.endpoint.name"


@dataclass
class Around:
    """What this host and its LAN are like: who runs, who is gone, who else is there."""

    running: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    strangers: dict[str, str] = field(default_factory=dict)
    neighbours: dict[str, str] = field(default_factory=dict)
    router: str = ""

    def surroundings(self, _: Pool) -> Surroundings:
        return Surroundings({IPAddress(a): mac for a, mac in self.neighbours.items()})

    def is_gone(self, _: Pool, address: IPAddress) -> bool:
        return str(address) in self.gone

    def check(self, _: Pool, address: IPAddress) -> None:
        if str(address) in self.strangers:
            raise AddressInUse(f"{address} is in use by {self.strangers[str(address)]}")

    def silent(self, _: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        return tuple(each for each in addresses if str(each) not in self.strangers)

    def router_in(self, subnet: IPNetwork) -> IPAddress | None:
        found = IPAddress(self.router) if self.router else None
        return found if found is not None and found in subnet else None


@dataclass
class Docker:
    """Calls the plugin as dockerd does, and remembers nothing."""

    client: Client
    store: Store
    around: Around

    def pool(self, subnet: str = "", *, part: str = "", v6: bool = False, **options: str) -> Reply:
        body: dict[str, Any] = {"AddressSpace": "macvlan-ros-local", "Pool": subnet}
        body |= {"SubPool": part, "Options": options, "V6": v6}
        return self.client.call("IpamDriver.RequestPool", body)

    def pool_id(self, subnet: str = "", *, part: str = "", **options: str) -> str:
        reply = self.pool(subnet, part=part, v6=False, **options)
        assert not reply.error, reply
        return str(reply.body["PoolID"])

    def release_pool(self, pool_id: str) -> None:
        assert not self.client.call("IpamDriver.ReleasePool", {"PoolID": pool_id}).error

    def ask(self, pool_id: str, address: str = "", *, mac: str = "", name: str = "") -> Reply:
        options = {MAC: mac} | ({NAME: name} if name else {})
        body = {"PoolID": pool_id, "Address": address, "Options": options if mac else None}
        return self.client.call("IpamDriver.RequestAddress", body)

    def address(self, pool_id: str, address: str = "", *, mac: str = "", name: str = "") -> str:
        reply = self.ask(pool_id, address, mac=mac, name=name)
        assert not reply.error, reply
        return str(reply.body["Address"])

    def gateway(self, pool_id: str, address: str = "") -> Reply:
        options = {"RequestAddressType": "com.docker.network.gateway"}
        body = {"PoolID": pool_id, "Address": address, "Options": options}
        return self.client.call("IpamDriver.RequestAddress", body)

    def release(self, pool_id: str, address: str) -> None:
        body = {"PoolID": pool_id, "Address": address.partition("/")[0]}
        assert not self.client.call("IpamDriver.ReleaseAddress", body).error


@contextmanager
def serving(
    folder: Path,
    store_url: str = "memory:",
    *,
    store: Store | None = None,
    links: Links | None = None,
) -> Iterator[Docker]:
    store, around = store or open_store(store_url), Around()
    links = links or Links()
    ipam = Ipam(store, surroundings=around.surroundings, host="qtpc")
    grants = Grants(
        store,
        ipam=ipam,
        host="qtpc",
        surroundings=around.surroundings,
        gone=around.is_gone,
        runs_here=lambda mac: mac in around.running,
        checked=around.check,
        lookahead=Lookahead(around.silent),
        reclaim=lambda _: (),
    )
    driver = IpamDriver(store, ipam=ipam, grants=grants, host="qtpc", router=around.router_in)
    network = NetworkDriver(Endpoints(store, links=links, host="qtpc"))
    try:
        with closing(bind(folder / "plugin.sock")) as listener:
            server = Server(listener, routes(network, driver))
            server.start()
            try:
                yield Docker(Client(folder / "plugin.sock"), store, around)
            finally:
                server.stop(10)
    finally:
        links.close()
        store.close()


def mac(number: int) -> str:
    return f"02:42:00:00:00:{number:02x}"
