"""Whatever is killed, with -9 and at any moment: Docker goes on, and nothing is lost or leaked."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.plugin_host import IMAGE, PluginHost, plugged, within
from tests.lab import Lab

MAC = "02:42:c0:ff:ee:01"
#: What the containers of `inhabited` are started with.
CONTAINERS = {
    "fixed": ("--ip", "192.168.50.70"),
    "sticky": ("--mac-address", MAC),
    "always": ("--restart", "always", "--ip", "192.168.50.71"),
    "stopped": ("--ip", "192.168.50.72"),
}


@pytest.fixture
def pc(make_lab: Callable[..., Lab]) -> Iterator[PluginHost]:
    with plugged(make_lab(hosts=("qtpc",)).hosts["qtpc"]) as host:
        yield host


def words() -> Iterator[tuple[str, ...]]:
    """The arguments of `PluginHost.run` for each container."""
    return ((name, *options) for name, options in CONTAINERS.items())


@pytest.fixture(params=["macvlan", "macvlan-ros"])
def inhabited(request: pytest.FixtureRequest, pc: PluginHost) -> PluginHost:
    """A network with containers that run, one that is stopped, and one that is always restarted."""
    pc.network(driver=request.param)
    with ThreadPoolExecutor(len(CONTAINERS)) as side_by_side:
        for begun in [side_by_side.submit(pc.run, *each) for each in words()]:
            begun.result()
    pc.docker("stop", "stopped")
    return pc


def addresses(pc: PluginHost) -> dict[str, str]:
    """Where the containers that run are, asked inside of them."""
    names = sorted(pc.docker("ps", "--format", "{{.Names}}").split())
    with ThreadPoolExecutor(4) as side_by_side:
        found = side_by_side.map(pc.interface, names)
        return {name: each.address for name, each in zip(names, found, strict=True)}


def everything_works_and_nothing_is_left(pc: PluginHost, before: dict[str, str]) -> None:
    """start, stop, rm and network rm work, addresses are what they were, nothing is leaked."""
    pc.docker("start", *CONTAINERS)
    assert addresses(pc) == before | {"stopped": "192.168.50.72/24"}
    assert pc.reaches("fixed", "192.168.50.71")
    pc.docker("stop", *CONTAINERS)
    pc.docker("start", *CONTAINERS)
    assert addresses(pc) == before | {"stopped": "192.168.50.72/24"}
    pc.docker("rm", "-f", *CONTAINERS)
    # Docker itself may still be counting endpoints
    assert within(20, lambda: pc.docker("network", "rm", "lan", check=False) == "lan")
    nothing_is_left(pc)


def nothing_is_left(pc: PluginHost) -> None:
    assert pc.reservations() == {}
    assert pc.own_links() == set()
    assert pc.remembered() == []


# -- one is killed --------------------------------------------------------------------------------


def test_the_plugin_is_killed_and_started_again(inhabited: PluginHost) -> None:
    before = addresses(inhabited)
    inhabited.kill()
    inhabited.start()
    assert addresses(inhabited) == before
    everything_works_and_nothing_is_left(inhabited, before)


@pytest.mark.alone
@pytest.mark.parametrize("live", [False, True], ids=["containers-die", "live-restore"])
def test_dockerd_is_killed_and_started_again(inhabited: PluginHost, live: bool) -> None:
    options = ("--live-restore",) if live else ()
    inhabited.host.restart_engine(*options)
    inhabited.docker("start", *CONTAINERS)
    inhabited.docker("stop", "stopped")
    before = addresses(inhabited)
    inhabited.host.kill_engine()
    began = time.monotonic()
    inhabited.host.start_engine(*options)
    assert time.monotonic() - began < 5
    assert within(15, lambda: "always" in addresses(inhabited))
    if live:
        assert addresses(inhabited) == before
    everything_works_and_nothing_is_left(inhabited, before)


def test_both_are_killed_and_started_again(inhabited: PluginHost) -> None:
    before = addresses(inhabited)
    inhabited.host.kill_engine()
    inhabited.kill()
    inhabited.start()
    inhabited.host.start_engine()
    assert within(15, lambda: "always" in addresses(inhabited))
    everything_works_and_nothing_is_left(inhabited, before)


def test_the_machine_loses_its_power(inhabited: PluginHost) -> None:
    before = addresses(inhabited)
    inhabited.host.cut_power()
    inhabited.start()
    inhabited.host.start_engine()
    assert within(15, lambda: "always" in addresses(inhabited))
    everything_works_and_nothing_is_left(inhabited, before)


@pytest.mark.parametrize("driver", ["macvlan", "macvlan-ros"])
def test_the_plugin_is_killed_at_any_moment(pc: PluginHost, driver: str) -> None:
    """Containers come and go while the plugin is killed again and again, at random moments.

    A command may fail; it may not hang, and what is left over is collected.
    """
    pc.network(driver=driver)
    chance = random.Random(driver)
    for name in ("one", "two"):
        pc.docker("create", "--name", name, "--network", "lan", "ros:lab")
    done = threading.Event()

    def come_and_go(name: str) -> None:
        while not done.is_set():
            pc.docker("start", name, check=False)
            pc.docker("stop", "-t", "1", name, check=False)

    workers = [threading.Thread(target=come_and_go, args=(name,)) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    for _ in range(6):
        time.sleep(chance.uniform(0.05, 0.6))
        pc.kill()
        pc.start()
    done.set()
    for worker in workers:
        worker.join(90)
        assert not worker.is_alive()
    for name in ("one", "two"):
        pc.docker("start", name)
    held = {address for address, each in pc.reservations().items() if each["kind"] == "dynamic"}
    assert {each.partition("/")[0] for each in addresses(pc).values()} <= held
    assert len(set(addresses(pc).values())) == 2
    pc.docker("rm", "-f", "one", "two")
    pc.host.macvlan_ros("gc", "--settled", "0", check=True)
    pc.docker("network", "rm", "lan")
    nothing_is_left(pc)


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.alone
def test_a_store_that_is_locked_is_an_error_within_five_seconds(pc: PluginHost) -> None:
    pc.network()
    with pc.store_locked():
        began = time.monotonic()
        reply = pc.client.call(
            "IpamDriver.RequestPool",
            {"AddressSpace": "x", "Pool": "10.9.0.0/24", "Options": {}, "V6": False},
        )
        assert time.monotonic() - began < 5
        assert reply.error
        began = time.monotonic()
        said = pc.refused("run", "-d", "--network", "lan", "ros:lab")
        assert time.monotonic() - began < 6
        assert "macvlan-ros" in said
    assert pc.run("one").gateway == "192.168.50.1"


@pytest.mark.alone
def test_sigterm_ends_the_service_and_takes_its_socket_with_it(pc: PluginHost) -> None:
    began = time.monotonic()
    assert pc.stop() == 0
    assert time.monotonic() - began < 3
    assert not pc.host.path("/run/docker/plugins/macvlan-ros.sock").exists()
    pc.start()


def test_a_second_service_on_the_same_socket_is_refused(pc: PluginHost) -> None:
    second = pc.host.macvlan_ros("plugin", "serve")
    assert second.returncode == 4
    assert "another service listens on" in second.stderr
    assert pc.answers()


@pytest.mark.parametrize("driver", ["macvlan", "macvlan-ros"])
def test_a_store_that_was_put_back_gives_no_address_of_a_container_that_runs(
    pc: PluginHost, driver: str
) -> None:
    """It knows nothing of those that were started since."""
    few = ("--subnet", "192.168.50.0/24", "--ip-range", "192.168.50.192/28")
    pc.network("lan", *few, driver=driver)
    backup = str(pc.host.path("/run/backup.json"))
    pc.host.macvlan_ros("store", "backup", backup, check=True)
    known = {pc.run(f"before{number}").address for number in range(4)}
    pc.stop()
    pc.host.macvlan_ros("store", "restore", "--force", backup, check=True)
    assert pc.reservations() == {}
    pc.start()
    since = [pc.run(f"after{number}").address for number in range(2)]
    assert not known & set(since)
    names = ("allocate", "--json", "talker", "listener")
    rows = json.loads(pc.host.macvlan_ros(*names, check=True).stdout)
    assert not known & {f"{each['address']}/24" for each in rows}
    taken = min(known).partition("/")[0]
    said = pc.refused("run", "-d", "--network", "lan", "--ip", taken, IMAGE)
    assert f"address {taken} is in use on the LAN by" in said
    assert within(10, lambda: not any(name.startswith("mvrask") for name in pc.links()))
