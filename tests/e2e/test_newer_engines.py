"""The plugin under newer engines, beside this machine's on one LAN."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from netaddr import IPNetwork

from tests.e2e.plugin_host import IMAGE, PluginHost, left_over, plugged, within
from tests.e2e.reaching import pings
from tests.e2e.test_plugin_shim import reach_each_other
from tests.lab import Host, Lab
from tests.lab.debian import NEWER

DRIVERS = ["macvlan", "macvlan-ros"]
MAC = "02:42:c0:ff:ee:01"


@pytest.fixture(params=NEWER)
def pc(lan: Lab, request: pytest.FixtureRequest) -> Iterator[PluginHost]:
    with plugged(lan.hosts[request.param]) as host:
        yield host


def version(host: Host) -> int:
    return int(host.docker("version", "--format", "{{.Server.Version}}").partition(".")[0])


def test_the_engines_are_newer_than_this_machine_s(lan: Lab) -> None:
    mine, *newer = (version(host) for host in lan.hosts.values())
    assert mine < newer[0] < newer[1]


@pytest.mark.parametrize("driver", DRIVERS)
def test_addresses_come_go_and_stay_as_docker_does_what_it_does(
    pc: PluginHost, driver: str
) -> None:
    pc.network(driver=driver)
    free, fixed = pc.run("free"), pc.run("fixed", "--ip", "192.168.50.70")
    sticky = pc.run("sticky", "--mac-address", MAC)
    assert (fixed.address, sticky.mac) == ("192.168.50.70/24", MAC)
    assert {each.gateway for each in (free, fixed, sticky)} == {"192.168.50.1"}
    given = {each.address.partition("/")[0] for each in (free, fixed, sticky)}
    assert given == set(pc.reservations())
    assert pc.reaches("free", "192.168.50.70")
    assert pc.reaches("free", "192.168.50.1")
    if driver == "macvlan-ros":
        assert reach_each_other(pc, "free", free.address.partition("/")[0])
    pc.docker("restart", "-t", "1", "fixed", "sticky")
    pc.docker("stop", "fixed")
    pc.docker("start", "fixed")
    assert pc.interface("fixed").address == fixed.address
    assert pc.interface("sticky") == sticky
    again = ("run", "-d", "--network", "lan", "--ip", "192.168.50.70", "ros:lab")
    assert "192.168.50.70 is in use by a container" in pc.refused(*again)
    pc.docker("network", "disconnect", "lan", "fixed")
    pc.docker("network", "connect", "--ip", "192.168.50.70", "lan", "fixed")
    assert pc.reaches("fixed", free.address)
    pc.docker("rm", "-f", "free", "sticky")
    assert pc.run("sticky", "--mac-address", MAC).address == sticky.address
    pc.clear_containers()
    pc.docker("network", "rm", "lan")
    assert left_over(pc) == []


def test_an_owner_s_address_is_kept_for_the_owner(pc: PluginHost) -> None:
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28")
    pc.host.macvlan_ros(*add, "--no-probe", "--gateway", "192.168.50.1", check=True)
    held = pc.host.macvlan_ros("allocate", "-q", "talker", check=True).stdout.strip()
    mac = str(pc.reservations()[held]["mac"])
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ipam-opt", "pool=lab")
    given = IPNetwork(pc.run("one").address)
    assert given.ip in IPNetwork("192.168.50.192/28")
    assert str(given) != f"{held}/24"
    said = pc.refused("run", "-d", "--network", "lan", "--ip", held, "ros:lab")
    assert f"{held} is reserved for 'talker' in pool 'lab'" in said
    by_mac = pc.run("anybody", "--mac-address", mac)
    assert (by_mac.address, by_mac.mac) == (f"{held}/24", mac)
    pc.docker("rm", "-f", "anybody")
    # Docker 29 and later say the container's name, and that is enough
    by_name = pc.run("talker").address == f"{held}/24"
    assert by_name == (version(pc.host) >= 29)
    pc.docker("rm", "-f", "talker")
    assert held in pc.reservations()


@pytest.mark.parametrize("live", [False, True], ids=["containers-die", "live-restore"])
def test_engine_and_plugin_are_killed_and_all_goes_on(pc: PluginHost, live: bool) -> None:
    options = ("--live-restore",) if live else ()
    pc.host.restart_engine(*options)
    pc.network()
    before = {
        "always": pc.run("always", "--restart", "always", "--ip", "192.168.50.71"),
        "sticky": pc.run("sticky", "--mac-address", MAC),
    }
    pc.host.kill_engine()
    pc.kill()
    pc.start()
    pc.host.start_engine(*options)
    assert within(15, lambda: "always" in pc.docker("ps", "--format", "{{.Names}}"))
    pc.docker("start", "sticky")
    for name, had in before.items():
        assert pc.interface(name).address == had.address
    assert pc.reaches("sticky", "192.168.50.71")
    pc.docker("restart", "-t", "1", "always")
    assert pc.interface("always").address == "192.168.50.71/24"
    pc.docker("rm", "-f", "always", "sticky")
    pc.docker("network", "rm", "lan")
    assert left_over(pc) == []


def test_ipv6_stands_beside_ipv4(pc: PluginHost) -> None:
    pc.network("lan", "--ipv6", "--subnet", "192.168.50.0/24", "--subnet", "fd00:50::/64")
    pc.run("one", "--ip6", "fd00:50::70")
    pc.run("two")
    assert "fd00:50::70/64" in pc.docker("exec", "one", "ip", "-6", "addr", "show", "eth0")
    words = ("exec", "two", "ping", "-6", "-c", "1", "-W", "3", "fd00:50::70")
    assert within(30, lambda: " 0% packet loss" in pc.docker(*words, check=False))
    pc.docker("rm", "-f", "one", "two")
    pc.docker("network", "rm", "lan")
    if version(pc.host) >= 27:
        alone = ("--ipv4=false", "--ipv6", "--subnet", "fd00:50::/64", "-o", "parent=eth0")
        ours = ("-d", "macvlan-ros", "--ipam-driver", "macvlan-ros")
        pc.docker("network", "create", *ours, *alone, "lan")
        for name, fixed in (("one", ("--ip6", "fd00:50::70")), ("two", ())):
            pc.docker("run", "-d", "--name", name, "--network", "lan", *fixed, IMAGE)
        assert within(30, lambda: " 0% packet loss" in pc.docker(*words, check=False))
        assert pc.docker("exec", "one", "ip", "-6", "route", "show", "default") == ""
        pc.docker("rm", "-f", "one", "two")
        pc.docker("network", "rm", "lan")
    assert left_over(pc) == []


def test_a_launched_stack_has_ipv6_beside_ipv4(pc: PluginHost, tmp_path: Path) -> None:
    pc.host.run("ip", "address", "add", "fd00:50::99/64", "dev", "eth0", "nodad")
    (tmp_path / "compose.yaml").write_text(
        'x-macvlan-ros: {range: 192.168.50.192/27, range6: "fd00:50::1:0/112"}\n'
        'services: {talker: {image: "ros:lab", x-macvlan-ros: {address6: "fd00:50::1:5"}}}\n'
    )
    try:
        pc.host.macvlan_ros("launch", check=True, cwd=str(tmp_path))
        assert pings(pc.host, "fd00:50::1:5")
        assert pc.docker("exec", "talker", "ip", "-6", "route", "show", "default") == ""
        again = pc.host.macvlan_ros("launch", "--json", check=True, cwd=str(tmp_path))
        assert [one["action"] for one in json.loads(again.stdout)] == ["unchanged"]
        pc.host.macvlan_ros("down", "--release", check=True, cwd=str(tmp_path))
        assert pc.reservations(shims=True) == {}
    finally:
        pc.host.run("ip", "address", "delete", "fd00:50::99/64", "dev", "eth0")


def test_a_network_without_a_gateway_burns_no_address_where_docker_asks_first(
    pc: PluginHost,
) -> None:
    pc.network("lan", "-o", "no_gateway=true", "--subnet", "10.77.0.0/24")
    asked = version(pc.host) >= 28
    assert within(20, lambda: ("GwAllocCheck" in pc.log.read_text()) == asked)
    assert (pc.reservations() == {}) == asked
    assert pc.run("one").gateway == ""
    pc.docker("rm", "-f", "one")
    pc.docker("network", "rm", "lan")
    assert left_over(pc) == []


def test_a_pool_by_name_alone_is_refused_in_words_where_docker_will_not_have_it(
    pc: PluginHost,
) -> None:
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28")
    pc.host.macvlan_ros(*add, "--no-probe", check=True)
    words = ["network", "create", "-d", "macvlan-ros", "--ipam-driver", "macvlan-ros"]
    words += ["-o", "parent=eth0", "--ipam-opt", "pool=lab", "lan"]
    assert "add --subnet 192.168.50.0/24 --ipam-opt pool=lab" in pc.refused(*words)


# -- side by side ---------------------------------------------------------------------------------


def test_engines_of_all_kinds_on_one_lan_give_no_address_twice(lan: Lab) -> None:
    with contextlib.ExitStack() as stack:
        pcs = [stack.enter_context(plugged(host)) for host in lan.hosts.values()]
        given = {}
        for number, pc in enumerate(pcs):
            # each takes the whole LAN, and has only its eyes to see what the others gave
            pc.network(driver=DRIVERS[number % 2])
            for name in ("one", "two"):
                given[pc.host.name, name] = pc.run(name).address.partition("/")[0]
        assert len(set(given.values())) == len(given)
        for pc in pcs:
            for (host, _), address in given.items():
                assert pc.reaches("one", address), (pc.host.name, host, address)
        (theirs, *_), last = given.values(), pcs[-1]
        said = last.refused("run", "-d", "--network", "lan", "--ip", theirs, "ros:lab")
        assert f"{theirs} is in use on the LAN by" in said
