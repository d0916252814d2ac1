"""The plugin over a store on etcd that does not answer: Docker has its answer within 5 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from macvlan_ros.ipam import Ipam
from macvlan_ros.notation import parse_pool
from macvlan_ros.opening import open_for
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.settings import Settings
from macvlan_ros.stores import open_store
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.copied import CopiedStore
from tests.plugin.client import Reply
from tests.plugin.serving import Docker, mac, serving
from tests.stores.etcd_server import Etcd, running
from tests.stores.gateway import Relay

SUBNET = "192.168.50.0/24"
NETWORK = {
    "NetworkID": "n1",
    "Options": {"com.docker.network.generic": {"parent": "lo"}},
    "IPv4Data": [{"Pool": SUBNET, "Gateway": "192.168.50.1/24"}],
    "IPv6Data": [],
}


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with running(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture
def relay(etcd: Etcd) -> Iterator[Relay]:
    made = Relay(etcd.members[0].client)
    yield made
    made.close()


def in_time(call: Callable[[], Reply]) -> Reply:
    began = time.monotonic()
    reply = call()
    assert time.monotonic() - began < 5
    return reply


def with_a_pool(url: str, folder: Path) -> CopiedStore:
    settings = Settings(store=url, host="qtpc", etcd_copy=str(folder))
    store = open_for(settings, note=lambda _: None)
    assert isinstance(store, CopiedStore)
    store.add_pool(parse_pool("lab", subnet=SUBNET, gateway="192.168.50.1"))
    return store


def two_given_up(docker: Docker, relay: Relay) -> tuple[str, str, str]:
    """The pool's id, and the addresses of the MACs 3 and 4, given up since etcd is away."""
    pool = docker.pool_id(SUBNET)
    first, second = (docker.address(pool, mac=mac(each)) for each in (3, 4))
    relay.refuse()
    docker.release(pool, first)
    docker.release(pool, second)
    return pool, first, second


def in_etcd(url: str) -> dict[str, str]:
    """Each MAC's address."""
    with closing(open_store(url)) as truth:
        return {each.mac: str(each.address) for each in truth.reservations()}


def bare(address: str) -> str:
    return address.partition("/")[0]


@pytest.mark.parametrize("how", ["refuse", "silence"])
def test_what_is_known_is_granted_and_what_is_new_is_refused_in_time(
    relay: Relay, tmp_path: Path, how: str
) -> None:
    url = f"etcd://{relay.address}/{how}"
    store = with_a_pool(url, tmp_path)
    ipam = Ipam(store, surroundings=lambda _: Surroundings(), host="qtpc")
    (robot,) = ipam.allocate("lab", ["robot"])
    held = robot.reservation
    with serving(tmp_path, store=store) as docker:
        pool = docker.pool_id(SUBNET)
        own = docker.address(pool, mac=held.mac)
        others = {mac(each): docker.address(pool, mac=mac(each)) for each in (3, 4)}
        getattr(relay, how)()
        docker.release(pool, own)
        assert in_time(lambda: docker.ask(pool, mac=held.mac)).body["Address"] == own
        for address in others.values():
            docker.release(pool, address)
        # Docker gives it another MAC at each start; what its own MAC had comes first
        assert in_time(lambda: docker.ask(pool, mac=mac(4))).body["Address"] == others[mac(4)]
        assert in_time(lambda: docker.ask(pool, mac=mac(6))).body["Address"] == others[mac(3)]
        refused = in_time(lambda: docker.ask(pool, mac=mac(7))).error
        assert "no address can be reserved" in refused
        assert f"while etcd is away: store {url}: etcd cannot be used" in refused
        assert docker.pool_id(SUBNET) == pool
        other = in_time(lambda: docker.pool("10.1.0.0/24")).error
        assert "while etcd is away" in other
        relay.forward()
        docker.release(pool, own)
        store.settle()
    assert in_etcd(url) == {
        each: bare(address)
        for each, address in ((mac(4), others[mac(4)]), (mac(6), others[mac(3)]), (held.mac, own))
    }


def test_an_address_that_a_stranger_took_meanwhile_is_not_handed_on(
    relay: Relay, tmp_path: Path
) -> None:
    url = f"etcd://{relay.address}/stranger"
    store = with_a_pool(url, tmp_path)
    with serving(tmp_path, store=store) as docker:
        pool, first, second = two_given_up(docker, relay)
        docker.around.strangers[bare(first)] = "a laptop"
        assert docker.ask(pool, mac=mac(5)).body["Address"] == second
        assert "no address can be reserved" in docker.ask(pool, mac=mac(6)).error
        # Docker asks for the very same address where its user has named it
        assert "a laptop" in docker.ask(pool, bare(first), mac=mac(6)).error
        del docker.around.strangers[bare(first)]
        assert docker.ask(pool, bare(first), mac=mac(6)).body["Address"] == first


def test_without_a_copy_every_call_ends_in_time(relay: Relay, tmp_path: Path) -> None:
    bare: Store = open_store(f"etcd://{relay.address}/bare")
    with serving(tmp_path, store=bare) as docker:
        relay.silence()
        calls: tuple[Callable[[Docker], Reply], ...] = (
            lambda docker: docker.pool(SUBNET),
            lambda docker: docker.ask(f"lab;{SUBNET}", mac=mac(7)),
            lambda docker: docker.client.call("NetworkDriver.CreateNetwork", NETWORK),
        )
        for call in calls:
            reply = in_time(lambda call=call: call(docker))  # type: ignore[misc]
            assert reply.error


def test_containers_that_exchange_their_addresses_keep_them_when_etcd_is_back(
    relay: Relay, tmp_path: Path
) -> None:
    """Each one's MAC stands in etcd with the address that the other one has by now."""
    url = f"etcd://{relay.address}/exchange"
    store = with_a_pool(url, tmp_path)
    with serving(tmp_path, store=store) as docker:
        pool, first, second = two_given_up(docker, relay)
        assert docker.address(pool, mac=mac(9)) == first
        assert docker.address(pool, mac=mac(3)) == second
        docker.release(pool, first)
        assert docker.address(pool, mac=mac(4)) == first
        relay.forward()
        store.settle()
        assert store.file.standing().waiting == 0
    assert in_etcd(url) == {mac(4): bare(first), mac(3): bare(second)}
