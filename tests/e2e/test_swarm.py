"""Swarm services on macvlan: no address twice, and an address that follows its service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import started
from tests.docs.beside import example, program
from tests.docs.installed import install
from tests.docs.pages import ROOT, read
from tests.docs.typing_out import compare, do
from tests.e2e.clock import CLOCK, set_clock
from tests.e2e.plugin_host import PluginHost, within
from tests.e2e.three_hosts import HOSTS, ready, start_etcd
from tests.lab import Host, Lab

WAIT = 120.0
WORKERS = ("--constraint", "node.role==worker", "--restart-delay", "1s")


@pytest.fixture(scope="module")
def swarm() -> Iterator[Lab]:
    """Three PCs in a swarm that qtpc manages, with our service and a store on etcd."""
    with started(hosts=HOSTS) as lab:
        ready(lab)
        url = start_etcd(lab.hosts["qtrp"])
        manager = lab.hosts["qtpc"]
        for host in lab.hosts.values():
            host.path("/etc/macvlan-ros.conf").write_text(f"[macvlan-ros]\nstore = {url}\n")
            set_clock(host, 0)
            PluginHost(host).start(before=CLOCK)
        manager.docker("swarm", "init", "--advertise-addr", manager.address)
        manager.docker("swarm", "update", "--dispatcher-heartbeat", "2s")
        token = manager.docker("swarm", "join-token", "-q", "worker")
        for name in HOSTS[1:]:
            manager_at = f"{manager.address}:2377"
            lab.hosts[name].docker("swarm", "join", "--token", token, manager_at)
        pool = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range")
        manager.macvlan_ros(*pool, "192.168.50.192/27", "--gateway", "192.168.50.1", check=True)
        yield lab


def on_all(lab: Lab, *words: str) -> None:
    """Workers first, so that what the manager makes finds its settings everywhere."""
    for host in reversed(lab.hosts.values()):
        host.macvlan_ros("network", "create", "--swarm", *words, check=True)


def remove(lab: Lab, service: str, network: str) -> None:
    """The network, once the containers of the service, which is removed, are gone."""
    assert within(WAIT, lambda: not service or not any(by_host(lab, service).values()))
    assert within(WAIT, lambda: removed(lab.hosts["qtpc"], network))
    assert within(WAIT, lambda: all(removed(h, f"{network}.here") for h in lab.hosts.values()))


def removed(host: Host, network: str) -> bool:
    host.docker("network", "rm", network, check=False)
    return network not in host.docker("network", "ls", "--format", "{{.Name}}").split()


def serve(lab: Lab, name: str, network: str, replicas: int, *options: str) -> None:
    command = ("service", "create", "-d", "--no-resolve-image", "--name", name, *options)
    replicated = ("--replicas", str(replicas), "--network", network)
    lab.hosts["qtpc"].docker(*command, *replicated, "ros:lab")


def addresses(host: Host, service: str) -> list[str]:
    """Those of the service's running containers on the PC, on a macvlan network."""
    label = f"label=com.docker.swarm.service.name={service}"
    found = host.docker("ps", "-q", "--filter", label).split()
    containers = json.loads(host.docker("inspect", *found)) if found else []
    return [
        end["IPAddress"]
        for container in containers
        for end in container["NetworkSettings"]["Networks"].values()
    ]


def by_host(lab: Lab, service: str) -> dict[str, list[str]]:
    return {name: addresses(host, service) for name, host in lab.hosts.items()}


def placed(lab: Lab, service: str, number: int) -> Callable[[], bool]:
    def is_placed() -> bool:
        found = [a for each in by_host(lab, service).values() for a in each]
        return len(found) == number and all(found)

    return is_placed


def test_the_example_s_replicas_have_addresses_of_their_own_on_all_nodes(swarm: Lab) -> None:
    """moby/moby issue 49921: Docker's own IPAM gives the same ones on every node."""
    make = ("network", "create", "--swarm", "fleet", "--dry-run", "--json")
    foretold = swarm.hosts["qtpc"].macvlan_ros(*make, check=True)
    assert json.loads(foretold.stdout)["changes"] == [
        "create the network 'fleet.here' (this node's part)",
        "create the network 'fleet' (of the whole swarm)",
    ]
    for host in swarm.hosts.values():
        install(host)
        example(host, "swarm")
        host.import_image("ros:noetic-ros-core", files=program("roscore"))
    page = read(ROOT / "examples" / "swarm" / "README.md")
    for step, said in do(page, swarm.hosts):
        compare(page, [(step, said)])
        if said == "robots_robot 6/6\n":
            assert within(WAIT, placed(swarm, "robots_robot", 6)), by_host(swarm, "robots_robot")
            have_addresses_of_their_own(swarm, "robots_robot")
    held = json.loads(swarm.hosts["qtpc"].macvlan_ros("list", "--json", check=True).stdout)
    (reserved,) = [one["address"] for one in held if one["owner"] == "harmoni_core"]
    assert [a for each in by_host(swarm, "harmoni_core").values() for a in each] == [reserved]
    swarm.hosts["qtpc"].docker("stack", "rm", "harmoni")
    for service, network in (
        ("robots_robot", "fleet"),
        ("harmoni_core", "core_lan"),
        ("", "face_lan"),
    ):
        remove(swarm, service, network)


def have_addresses_of_their_own(lab: Lab, service: str) -> None:
    found = by_host(lab, service)
    assert all(found.values()), found
    every = [address for each in found.values() for address in each]
    assert len(set(every)) == len(every), found
    qtpc = lab.hosts["qtpc"]
    for address in every:
        if address not in found["qtpc"]:
            qtpc.run("busybox", "ping", "-c", "1", "-W", "2", address)


def troubles(lab: Lab, service: str) -> str:
    """Why the service's tasks did not start."""
    shown = ("--no-trunc", "--format", "{{.Node}} {{.Error}}")
    return lab.hosts["qtpc"].docker("service", "ps", *shown, service)


def test_a_service_keeps_its_address_wherever_it_lands(swarm: Lab) -> None:
    """moby/moby issue 24170: a fixed address for a service. First its node is drained, then the
    next one dies: its engine alone to begin with, so that the old container still answers."""
    manager, qtrp, qtnx = swarm.hosts.values()
    on_all(swarm, "core_lan", "--owner", "harmoni_core")
    manager.docker("node", "update", "--availability", "drain", "qtnx")
    serve(swarm, "core", "core_lan", 1, *WORKERS)
    assert within(WAIT, placed(swarm, "core", 1)), by_host(swarm, "core")
    held = json.loads(manager.macvlan_ros("list", "--json", check=True).stdout)
    (reserved,) = [one["address"] for one in held if one["owner"] == "harmoni_core"]
    assert addresses(qtrp, "core") == [reserved]

    manager.docker("node", "update", "--availability", "active", "qtnx")
    manager.docker("node", "update", "--availability", "drain", "qtrp")
    assert within(WAIT, lambda: addresses(qtnx, "core") == [reserved]), troubles(swarm, "core")
    assert within(WAIT, lambda: addresses(qtrp, "core") == [])
    manager.run("busybox", "ping", "-c", "1", "-W", "2", reserved)

    manager.docker("node", "update", "--availability", "active", "qtrp")
    qtnx.kill_engine()
    qtnx.end_processes()
    for host in (manager, qtrp):
        set_clock(host, 120)  # nobody has heard of qtnx for two minutes
    in_use = f"{reserved}, reserved for 'harmoni_core', is in use"
    assert within(WAIT, lambda: in_use in troubles(swarm, "core")), troubles(swarm, "core")
    assert addresses(qtrp, "core") == []
    manager.run("busybox", "ping", "-c", "1", "-W", "2", reserved)

    qtnx.cut_power()
    assert within(WAIT, lambda: addresses(qtrp, "core") == [reserved]), troubles(swarm, "core")
    manager.run("busybox", "ping", "-c", "1", "-W", "2", reserved)
    manager.docker("service", "rm", "core")
