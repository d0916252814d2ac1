"""Docker waits for Join: what is done about the shim has a limit, and its failures are no one's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import KernelRefused
from macvlan_ros.links import Links
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.plugin.shim_keeper import ShimKeeper, Way
from macvlan_ros.plugin.shims import ShimService
from macvlan_ros.state import DockerNetwork
from macvlan_ros.stores import open_store
from tests.e2e.plugin_host import within

LAN = IPNetwork("192.168.50.0/24")
NETWORK = DockerNetwork("a" * 64, "eth0", "eth0", subnets=((LAN, None),))
WAY = Way((IPAddress("192.168.50.11"), IPAddress("fd00:50::b")), (IPAddress("192.168.50.200"),))


class Keeper(ShimKeeper):
    """A keeper whose kernel does what a test wants."""

    def __init__(self) -> None:
        store = open_store("memory:")
        store.add_pool(Pool("lab", LAN))
        self.released = threading.Event()
        self.released.set()
        self.refuses = False
        self.led = 0
        super().__init__(
            store,
            links=Links(),
            host="qtpc",
            reserve=lambda subnet, owner: Reservation("lab", subnet[200], owner, ""),
            tidy=lambda _: None,
        )

    def lead(self, network: DockerNetwork) -> Way:  # noqa: ARG002
        self.released.wait(20)
        if self.refuses:
            raise KernelRefused("the kernel refused to add a link: Device or resource busy", 16)
        self.led += 1
        return WAY


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.released.set()


@pytest.fixture
def service(keeper: Keeper) -> Iterator[ShimService]:
    made = ShimService(keeper, patience=0.3, rounds=30)
    made.start()
    yield made
    keeper.released.set()
    made.stop()


def test_a_container_is_led_to_the_hosts_addresses_of_the_shims_families(
    service: ShimService, keeper: Keeper
) -> None:
    hops = {IPAddress("192.168.50.11"): IPAddress("192.168.50.200")}
    assert service.ways(NETWORK) == hops
    assert service.ways(NETWORK) == hops
    assert keeper.led == 1, "what is known need not be found out again"


def test_a_kernel_that_hangs_keeps_no_container_from_starting(
    service: ShimService, keeper: Keeper
) -> None:
    keeper.released.clear()
    start = time.monotonic()
    assert service.ways(NETWORK) == {}
    service.gone(NETWORK)
    assert time.monotonic() - start < 2
    keeper.released.set()
    assert within(10, lambda: bool(service.ways(NETWORK)))


def test_a_kernel_that_refuses_is_one_line_in_the_log(
    service: ShimService, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.refuses = True
    for _ in range(3):
        assert service.ways(NETWORK) == {}
    assert [record.message.count("busy") for record in caplog.records] == [1]


def test_without_a_started_thread_nobody_waits(keeper: Keeper) -> None:
    service = ShimService(keeper, patience=5)
    start = time.monotonic()
    assert service.ways(NETWORK) == {}
    service.gone(NETWORK)
    assert time.monotonic() - start < 4
    assert keeper.led == 0


@pytest.mark.parametrize(
    "network",
    [
        DockerNetwork("a", "eth0", "eth0", subnets=((LAN, None),), shim=False),
        DockerNetwork("a", "eth0", "eth0", subnets=((LAN, None),), internal=True),
        DockerNetwork("a", "eth0", "eth0", subnets=((LAN, None),), mode="private"),
    ],
)
def test_a_network_that_wants_no_shim_is_not_even_looked_at(
    service: ShimService, keeper: Keeper, network: DockerNetwork
) -> None:
    assert service.ways(network) == {}
    assert keeper.led == 0
