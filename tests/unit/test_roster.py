"""Which addresses are to be defended, and which are to be watched."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import DYNAMIC, NETWORK, STATIC, Pool, Reservation
from macvlan_ros.reserving import roster
from macvlan_ros.reserving.roster import Roster
from macvlan_ros.state import DockerNetwork, Endpoint, State
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.uses import Use, Uses

LAN = IPNetwork("192.168.50.0/24")


def ip(last: int) -> IPAddress:
    return IPAddress(f"192.168.50.{last}")


def mac(last: int) -> str:
    return f"02:00:00:00:00:{last:02x}"


class World:
    """A host called qtpc whose eth0 stands on the pool `lab`."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.add_pool(Pool("lab", LAN))
        self.state = State(self.store, host="qtpc")
        self.uses = Uses(self.store, host="qtpc")

    def hold(self, last: int, *, kind: str = STATIC, host: str = "qtpc") -> None:
        owner = f"owner{last}"
        row = Reservation("lab", ip(last), owner, mac(last), host=host, kind=kind)
        assert self.store.reserve([row])[0] is row

    def use(self, last: int, *, host: str = "qtpc", by: str = "") -> None:
        self.uses.keep(Use("lab", ip(last), by or mac(last), host, 1000.0))

    def read(self) -> Roster:
        return roster.read(self.store, host="qtpc", stands_on={"lab": "eth0"})["eth0"]


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_reserved_by_name_for_this_host_is_defended_until_the_kernel_has_its_mac(
    world: World,
) -> None:
    world.hold(10)
    world.hold(11, host="")
    found = world.read()
    assert found.subnets == {LAN}
    assert found.down(()) == {ip(10): mac(10), ip(11): mac(11)}
    assert found.down({mac(10)}) == {ip(11): mac(11)}
    assert found.running({mac(10)}) == {ip(10): mac(10)}


def test_what_is_another_hosts_or_nobodys_for_good_is_not_defended_but_watched(
    world: World,
) -> None:
    world.hold(10, host="qtrp")
    world.hold(11, kind=DYNAMIC)
    world.hold(12, kind=NETWORK)
    found = world.read()
    assert found.down(()) == {}
    assert set(found.running({mac(10), mac(11), mac(12)})) == {ip(10), ip(11)}


def test_what_a_container_uses_is_not_defended_whatever_its_mac_and_host(world: World) -> None:
    for last in (10, 11):
        world.hold(last)
    world.use(10, by=mac(99))
    world.use(11, host="qtrp")
    found = world.read()
    assert found.down(()) == {}
    assert found.running({mac(99), mac(11)}) == {ip(10): mac(99)}


def test_what_a_container_uses_is_watched_even_when_its_owner_has_given_it_up(
    world: World,
) -> None:
    world.use(10)
    assert world.read().running({mac(10)}) == {ip(10): mac(10)}


def test_what_an_endpoint_has_is_not_defended(world: World) -> None:
    world.hold(10)
    world.state.keep_network(DockerNetwork("net", "eth0", "eth0"))
    addresses = (IPNetwork("192.168.50.10/24"), IPNetwork("192.168.50.20/24"))
    world.state.keep_endpoint(Endpoint("end", "net", addresses, mac(77), 1000.0))
    found = world.read()
    assert found.down(()) == {}
    assert found.running({mac(77)}) == {ip(10): mac(77), ip(20): mac(77)}


def test_a_pool_stands_where_this_host_has_an_address_or_a_network_its_parent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store.add_pool(Pool("other", IPNetwork("10.9.0.0/24")))
    world.store.add_pool(Pool("far", IPNetwork("10.8.0.0/24")))
    world.state.keep_network(
        DockerNetwork("net", "eth1", "eth1", subnets=((IPNetwork("10.9.0.0/24"), None),))
    )
    here = {LAN: "eth0"}
    monkeypatch.setattr("macvlan_ros.wire.scout.interface_on", lambda subnet: here.get(subnet, ""))
    found = roster.places(world.store, host="qtpc", before={})
    assert found == {"lab": "eth0", "other": "eth1"}
    here.clear()  # the interface is down
    assert roster.places(world.store, host="qtpc", before=found) == found
    world.store.remove_pool("lab")
    assert "lab" not in roster.places(world.store, host="qtpc", before=found)
