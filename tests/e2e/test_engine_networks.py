"""Docker's networks and volumes as we make, accept, refuse and remove them, on a real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_api.network_payload import bridge_payload
from macvlan_ros.engine import Engine
from macvlan_ros.errors import (
    Conflict,
    InvalidRequest,
    NetworkDiffers,
    NetworkNotFound,
    NotFound,
    ParentNotFound,
)
from macvlan_ros.models.containers import BridgeUse, Volume
from macvlan_ros.models.networks import Network
from tests.e2e.engines import IMAGE, NETWORK, create, network_names
from tests.lab import Host, Lab

STACK = {"macvlan-ros.stack": "robot"}


@pytest.fixture
def engine(host: Host) -> Iterator[Engine]:
    host.import_image(IMAGE)
    with Engine(host.docker_url) as engine:
        yield engine


def test_a_network_is_made_as_docker_itself_sees_it(engine: Engine, host: Host) -> None:
    network, made = engine.ensure_network(NETWORK)
    assert made
    assert network == replace(NETWORK, id=network.id, labels=network.labels)
    found = json.loads(host.docker("network", "inspect", "ros_lan"))[0]
    assert (found["Id"], found["Driver"]) == (network.id, "macvlan")
    assert found["Options"] == {"parent": "eth0", "macvlan_mode": "bridge"}
    assert found["IPAM"]["Config"] == [
        {"Subnet": "192.168.50.0/24", "Gateway": "192.168.50.1", "IPRange": "192.168.50.192/27"}
    ]
    assert found["Labels"] == {"macvlan-ros.managed": "1", "macvlan-ros.pool": "default"}


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru"])
def test_every_mode_is_made_and_read_back(mode: str, engine: Engine) -> None:
    assert engine.ensure_network(replace(NETWORK, mode=mode))[0].mode == mode
    assert engine.network("ros_lan").mode == mode


def test_making_it_again_changes_nothing(engine: Engine) -> None:
    first, _ = engine.ensure_network(NETWORK)
    assert engine.ensure_network(NETWORK) == (first, False)
    assert engine.networks() == (first,)
    assert engine.network("ros_lan") == first


def test_a_network_that_differs_is_refused_with_each_difference(engine: Engine, host: Host) -> None:
    first, _ = engine.ensure_network(NETWORK)
    other = replace(
        NETWORK, subnet=IPNetwork("10.0.0.0/8"), gateway=IPAddress("10.0.0.1"), ip_range=None
    )
    with pytest.raises(NetworkDiffers) as caught:
        engine.ensure_network(other)
    message = str(caught.value)
    assert "subnet is 192.168.50.0/24, wanted 10.0.0.0/8" in message
    assert "gateway is 192.168.50.1, wanted 10.0.0.1" in message
    assert "range is 192.168.50.192/27, wanted none" in message
    assert "macvlan-ros network rm ros_lan" in message
    assert engine.network("ros_lan") == first
    assert network_names(host) == ["ros_lan"]


def test_a_network_of_somebody_else_that_is_the_same_is_used(engine: Engine, host: Host) -> None:
    options = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.168.50.0/24"]
    host.docker("network", "create", *options, "--gateway", "192.168.50.1", "ros_lan")
    network, made = engine.ensure_network(NETWORK)
    assert (made, network.ours, network.parent) == (False, False, "eth0")
    assert engine.networks() == ()
    with pytest.raises(Conflict, match="not made by macvlan-ros"):
        engine.remove_network("ros_lan")
    assert network_names(host) == ["ros_lan"]


def test_a_bridge_by_that_name_is_refused(engine: Engine, host: Host) -> None:
    host.docker("network", "create", "ros_lan")
    with pytest.raises(
        NetworkDiffers, match=r"driver is bridge, wanted macvlan.*docker network rm"
    ):
        engine.ensure_network(NETWORK)
    with pytest.raises(NetworkDiffers, match="is a bridge network"):
        engine.network("ros_lan")


def test_names_that_hold_the_name_are_other_networks(engine: Engine, host: Host) -> None:
    host.docker("network", "create", "ros_lan_2")
    host.docker("network", "create", "my_ros_lan")
    assert engine.ensure_network(NETWORK)[1]
    assert engine.remove_network("ros") is False


def test_a_parent_that_another_network_has_is_named_with_it(engine: Engine, host: Host) -> None:
    options = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", "10.1.0.0/24"]
    host.docker("network", "create", *options, "old_lan")
    options = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", "10.2.0.0/24"]
    host.docker("network", "create", *options, "second", check=False)
    if "second" in network_names(host):  # Docker 28 lets networks share a parent
        assert engine.ensure_network(NETWORK)[1]
        return
    with pytest.raises(Conflict, match=r"'old_lan' has eth0.*docker network rm old_lan"):
        engine.ensure_network(NETWORK)
    assert network_names(host) == ["old_lan"]


def test_a_subnet_that_another_network_has_is_named_with_it(engine: Engine, host: Host) -> None:
    host.docker("network", "create", "--subnet", "192.168.50.0/24", "inner")
    with pytest.raises(Conflict, match=r"overlaps 192\.168\.50\.0/24 of Docker network 'inner'"):
        engine.ensure_network(NETWORK)


def test_a_parent_that_does_not_exist_is_said(engine: Engine, host: Host) -> None:
    with pytest.raises(ParentNotFound, match=r"no interface eth7.*macvlan-ros interfaces"):
        engine.ensure_network(replace(NETWORK, parent="eth7"))
    assert network_names(host) == []


def test_without_a_gateway_every_address_can_be_used_and_there_is_no_default_route(
    engine: Engine, host: Host, lab: Lab
) -> None:
    wanted = replace(NETWORK, gateway=None)
    host_address = IPAddress(host.address)
    network, _ = engine.ensure_network(wanted, host_address=host_address)
    assert network.gateway is None
    assert engine.ensure_network(wanted, host_address=host_address) == (network, False)
    for number, address in enumerate(("192.168.50.1", "192.168.50.192", "192.168.50.193")):
        name = f"robot_{number}"
        identity = create(engine, address=IPAddress(address), mac="", container_name=name)
        engine.start(identity)
        routes = host.docker("exec", name, "ip", "route")
        assert "default" not in routes
        assert f"src {address}" in routes
    # .1 is the switch's own
    lab.hosts["qtrp"].run("busybox", "ping", "-c1", "-w5", "192.168.50.193")


def test_without_a_gateway_docker_must_be_told_what_to_take_for_one(
    engine: Engine, host: Host
) -> None:
    with pytest.raises(InvalidRequest, match="no address that Docker may take"):
        engine.ensure_network(replace(NETWORK, gateway=None))
    assert network_names(host) == []


def test_many_who_make_one_network_at_once_end_up_with_one(host: Host) -> None:
    def ensure(_number: int) -> tuple[Network, bool]:
        with Engine(host.docker_url) as another:
            return another.ensure_network(NETWORK)

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(ensure, range(8)))
    assert len({network.id for network, _ in ended}) == 1
    assert sum(made for _, made in ended) == 1
    assert network_names(host) == ["ros_lan"]


def test_many_who_make_one_bridge_at_once_end_up_with_one(host: Host) -> None:
    def ensure(_number: int) -> bool:
        with Engine(host.docker_url) as another:
            return another.ensure_bridge(BridgeUse("backend"), labels=STACK)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(ensure, range(8)))
    assert sum(made) == 1
    assert network_names(host) == ["backend"]


def test_of_two_networks_of_one_name_the_younger_is_withdrawn(engine: Engine, host: Host) -> None:
    host.docker("network", "create", "backend")
    older = host.docker("network", "inspect", "-f", "{{.Id}}", "backend")
    # without the check Docker makes a second one, as it does for two that come at once
    payload = {**bridge_payload(BridgeUse("backend"), STACK), "CheckDuplicate": False}
    stands, made = engine._make_network(payload)
    assert (stands["Id"], made) == (older, False)
    assert network_names(host) == ["backend"]


def test_removing_is_done_once_and_by_exact_name(engine: Engine, host: Host) -> None:
    engine.ensure_network(NETWORK)
    assert engine.remove_network("ros_la") is False
    assert engine.remove_network("ros_lan") is True
    assert engine.remove_network("ros_lan") is False
    assert network_names(host) == []
    with pytest.raises(NetworkNotFound, match="macvlan-ros network create ros_lan"):
        engine.network("ros_lan")


@pytest.mark.parametrize("running", [True, False])
def test_a_network_in_use_is_kept_and_its_containers_are_named(
    running: bool, engine: Engine, host: Host
) -> None:
    engine.ensure_network(NETWORK)
    identity = create(engine)
    if running:
        engine.start(identity)
    with pytest.raises(Conflict, match="in use by robot_talker; remove them first"):
        engine.remove_network("ros_lan")
    assert network_names(host) == ["ros_lan"]
    engine.remove(identity, force=True)
    assert engine.remove_network("ros_lan") is True


def test_subnets_are_those_of_dockers_own_networks(engine: Engine, host: Host) -> None:
    engine.ensure_network(NETWORK)
    host.docker("network", "create", "--subnet", "10.99.0.0/24", "backend")
    subnets = engine.subnets()
    assert subnets[IPNetwork("10.99.0.0/24")] == "backend"
    assert "bridge" in subnets.values()
    assert NETWORK.subnet not in subnets


def test_an_additional_network_is_made_once_and_removed_when_free(
    engine: Engine, host: Host
) -> None:
    bridge = BridgeUse("backend", subnets=(IPNetwork("10.99.0.0/24"),), internal=True)
    assert engine.ensure_bridge(bridge, labels=STACK) is True
    assert engine.ensure_bridge(bridge, labels=STACK) is False
    found = json.loads(host.docker("network", "inspect", "backend"))[0]
    assert found["Internal"] is True
    assert found["Labels"] == {"macvlan-ros.managed": "1", "macvlan-ros.stack": "robot"}
    host.docker("create", "--name", "user", "--network", "backend", IMAGE)
    assert engine.remove_bridge("backend") is False
    host.docker("rm", "user")
    assert engine.remove_bridge("backend") is True
    assert engine.remove_bridge("backend") is False


def test_what_is_external_must_be_there_and_is_never_removed(engine: Engine, host: Host) -> None:
    bridge = BridgeUse("backend", external=True)
    with pytest.raises(NetworkNotFound, match="docker network create backend"):
        engine.ensure_bridge(bridge, labels=STACK)
    with pytest.raises(NotFound, match="docker volume create maps"):
        engine.ensure_volume(Volume("maps", external=True), labels=STACK)
    host.docker("network", "create", "backend")
    host.docker("volume", "create", "maps")
    assert engine.ensure_bridge(bridge, labels=STACK) is False
    assert engine.ensure_volume(Volume("maps", external=True), labels=STACK) is False
    assert engine.remove_bridge("backend") is False
    assert engine.remove_volume("maps") is False
    assert host.docker("volume", "ls", "-q") == "maps"


def test_a_volume_is_made_once_and_removed_once(engine: Engine, host: Host) -> None:
    assert engine.ensure_volume(Volume("maps"), labels=STACK) is True
    assert engine.ensure_volume(Volume("maps"), labels=STACK) is False
    bags = Volume("bags", options={"type": "none", "o": "bind", "device": "/etc"})
    assert engine.ensure_volume(bags, labels=STACK) is True
    assert engine.ensure_volume(bags, labels=STACK) is False
    made = json.loads(host.docker("volume", "inspect", "bags"))[0]
    assert (made["Driver"], made["Options"]) == ("local", bags.options)
    with pytest.raises(Conflict, match="docker volume rm bags"):
        engine.ensure_volume(replace(bags, options={"type": "tmpfs"}), labels=STACK)
    assert engine.remove_volume("bags") is True
    labels = json.loads(host.docker("volume", "inspect", "maps"))[0]["Labels"]
    assert labels == {"macvlan-ros.managed": "1", "macvlan-ros.stack": "robot"}
    assert engine.remove_volume("map") is False
    assert engine.remove_volume("maps") is True
    assert engine.remove_volume("maps") is False
