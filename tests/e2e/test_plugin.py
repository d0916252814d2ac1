"""Plain Docker, with addresses from our reservations: the real CLI against real engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from netaddr import IPAddress, IPNetwork

from tests.e2e.plugin_host import PluginHost, plugged
from tests.lab import Lab

DRIVERS = ["macvlan", "macvlan-ros"]


@pytest.fixture
def pc(lab: Lab) -> Iterator[PluginHost]:
    with plugged(lab.hosts["qtpc"]) as host:
        yield host


@pytest.fixture
def other(lab: Lab) -> Iterator[PluginHost]:
    with plugged(lab.hosts["qtrp"]) as host:
        yield host


@pytest.mark.parametrize("driver", DRIVERS)
def test_containers_get_lan_addresses_of_their_own_and_give_them_back(
    pc: PluginHost, driver: str
) -> None:
    pc.network(driver=driver)
    one, two = pc.run("one"), pc.run("two")
    assert one.address != two.address
    assert one.gateway == "192.168.50.1"
    assert {one.address.partition("/")[0], two.address.partition("/")[0]} == set(pc.reservations())
    assert pc.reaches("one", two.address)
    assert pc.reaches("one", "192.168.50.1")
    pc.docker("rm", "-f", "one", "two")
    assert pc.reservations() == {}
    pc.docker("network", "rm", "lan")
    assert pc.host.macvlan_ros("pool", "list", "--json", check=True).stdout.strip() == "[]"
    assert pc.own_links() == set()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_fixed_address_stays_over_everything_that_docker_does(
    pc: PluginHost, driver: str
) -> None:
    pc.network(driver=driver)
    wanted = "192.168.50.70/24"
    assert pc.run("talker", "--ip", "192.168.50.70").address == wanted
    for words in (
        ("restart", "-t", "1", "talker"),
        ("stop", "talker"),
        ("start", "talker"),
        ("kill", "talker"),
        ("start", "talker"),
        ("rename", "talker", "singer"),
        ("restart", "-t", "1", "singer"),
        ("pause", "singer"),
        ("unpause", "singer"),
        ("network", "disconnect", "lan", "singer"),
        ("network", "connect", "--ip", "192.168.50.70", "lan", "singer"),
    ):
        pc.docker(*words)
    # Docker numbers the interfaces of a running container on
    assert pc.interface("singer", "eth1").address == wanted
    assert pc.reaches("singer", "192.168.50.1")
    assert wanted.partition("/")[0] in pc.docker("network", "inspect", "lan")
    pc.docker("rm", "-f", "singer")
    pc.docker("create", "--name", "made", "--network", "lan", "--ip", "192.168.50.70", "ros:lab")
    assert pc.reservations() == {}
    pc.docker("start", "made")
    assert pc.interface("made").address == wanted


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_fixed_address_is_given_once(pc: PluginHost, driver: str) -> None:
    pc.network(driver=driver)
    one = pc.run("one", "--ip", "192.168.50.70")
    words = ("run", "-d", "--name", "two", "--network", "lan", "--ip", "192.168.50.70", "ros:lab")
    said = pc.refused(*words)
    assert f"192.168.50.70 is in use by a container with the MAC {one.mac} on qtpc" in said
    assert pc.reaches("one", "192.168.50.1")


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_owner_s_address_is_kept_for_the_owner(pc: PluginHost, driver: str) -> None:
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28")
    pc.host.macvlan_ros(*add, "--gateway", "192.168.50.1", check=True)
    held = pc.host.macvlan_ros("allocate", "-q", "talker", check=True).stdout.strip()
    mac = str(pc.reservations()[held]["mac"])
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ipam-opt", "pool=lab", driver=driver)
    given = [pc.run(f"c{number}").address for number in range(3)]
    assert f"{held}/24" not in given
    assert all(IPNetwork(each).ip in IPNetwork("192.168.50.192/28") for each in given)
    said = pc.refused("run", "-d", "--network", "lan", "--ip", held, "ros:lab")
    assert f"{held} is reserved for 'talker' in pool 'lab'" in said
    assert pc.run("talker", "--mac-address", mac).address == f"{held}/24"
    pc.docker("rm", "-f", "talker")
    assert pc.run("talker", "--mac-address", mac, "--ip", held).address == f"{held}/24"
    pc.docker("rm", "-f", "talker")
    assert held in pc.reservations()


def test_a_network_serves_one_owner_s_reservation(pc: PluginHost) -> None:
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28")
    pc.host.macvlan_ros(*add, check=True)
    held = pc.host.macvlan_ros("allocate", "-q", "talker", check=True).stdout.strip()
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ipam-opt", "owner=talker")
    assert pc.run("any").address == f"{held}/24"
    assert "is in use by its container" in pc.refused("run", "-d", "--network", "lan", "ros:lab")
    released = pc.host.macvlan_ros("release", "talker")
    assert released.returncode == 4
    assert f"the container 'any' runs with {held}; stop it first" in released.stderr
    pc.docker("rm", "-f", "any")
    assert pc.run("next").address == f"{held}/24"


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_same_mac_gets_the_same_address_again(pc: PluginHost, driver: str) -> None:
    pc.network(driver=driver)
    mac = "02:42:c0:ff:ee:01"
    first = pc.run("one", "--mac-address", mac)
    assert first.mac == mac
    pc.docker("rm", "-f", "one")
    others = {pc.run(f"c{number}").address for number in range(3)}
    assert first.address not in others
    assert pc.run("one", "--mac-address", mac).address == first.address
    words = ("run", "-d", "--network", "lan", "--mac-address", mac, "ros:lab")
    assert f"{first.address.partition('/')[0]} is in use" in pc.refused(*words)


def test_an_address_that_a_stranger_has_is_refused_with_its_mac(pc: PluginHost, lab: Lab) -> None:
    stranger = lab.add_stranger("192.168.50.70")
    pc.network()
    said = pc.refused("run", "-d", "--network", "lan", "--ip", "192.168.50.70", "ros:lab")
    assert "192.168.50.70 is in use on the LAN by" in said
    assert stranger.mac in said
    assert pc.reservations() == {}


def test_anonymous_containers_go_round_strangers(pc: PluginHost, lab: Lab) -> None:
    for last in (193, 194):
        lab.add_stranger(f"192.168.50.{last}")
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ip-range", "192.168.50.192/30")
    given = {pc.run(f"c{number}").address for number in range(2)}
    assert given == {"192.168.50.192/24", "192.168.50.195/24"}
    assert "no free address left" in pc.refused("run", "-d", "--network", "lan", "ros:lab")


def test_many_containers_at_once_get_different_addresses(pc: PluginHost) -> None:
    pc.network()
    with ThreadPoolExecutor(4) as threads:
        given = list(threads.map(lambda n: pc.run(f"c{n}").address, range(8)))
    assert len(set(given)) == 8
    assert len(pc.reservations()) == 8


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_auxiliary_address_outside_the_range_does_not_abort_the_network(
    pc: PluginHost, driver: str
) -> None:
    options = ["--subnet", "192.168.50.0/24", "--ip-range", "192.168.50.192/28"]
    options += ["--gateway", "192.168.50.1", "--aux-address", "printer=192.168.50.20"]
    pc.network("lan", *options, driver=driver)
    said = pc.refused("run", "-d", "--network", "lan", "--ip", "192.168.50.20", "ros:lab")
    assert "kept as a Docker network's auxiliary" in said


def test_two_engines_reach_each_other_s_containers(pc: PluginHost, other: PluginHost) -> None:
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ip-range", "192.168.50.192/28")
    other.network("lan", "--subnet", "192.168.50.0/24", "--ip-range", "192.168.50.208/28")
    one, two = pc.run("one"), other.run("two")
    assert pc.reaches("one", two.address)
    assert other.reaches("two", one.address)


# -- the network driver's own ---------------------------------------------------------------------


def test_one_container_on_several_networks_over_one_parent(pc: PluginHost) -> None:
    pc.network("lan", "--subnet", "192.168.50.0/24")
    pc.network("control", "--subnet", "10.77.0.0/24", "-o", "no_gateway=true", "-o", "prefix=ctl")
    pc.run("one")
    pc.docker("network", "connect", "control", "one")
    control = pc.interface("one", "ctl0")
    assert IPNetwork(control.address).cidr == IPNetwork("10.77.0.0/24")
    assert pc.interface("one").gateway == "192.168.50.1"
    pc.docker("run", "-d", "--name", "two", "--network", "control", "ros:lab")
    assert pc.reaches("two", control.address)
    assert pc.interface("two", "ctl0").gateway == ""
    pc.docker("network", "disconnect", "control", "one")
    assert "ctl0" not in pc.docker("exec", "one", "ip", "link")
    shown = pc.docker("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", "lan")
    assert shown.split() == ["one"]
    pc.docker("rm", "-f", "two")
    pruned = pc.docker("network", "prune", "-f").split()
    assert ("control" in pruned, "lan" in pruned) == (True, False)
    assert pc.interface("one").gateway == "192.168.50.1"


def test_options_of_a_network_reach_the_container(pc: PluginHost) -> None:
    routes = "routes=10.8.0.0/16 via 192.168.50.9, 10.9.0.0/16"
    pc.network("lan", "-o", "mtu=1400", "-o", "mode=private", "-o", routes, "-o", "prefix=lan")
    pc.docker("run", "-d", "--name", "one", "--network", "lan", "ros:lab")
    shown = pc.docker("exec", "one", "ip", "link", "show", "lan0")
    assert "mtu 1400" in shown
    routes = pc.docker("exec", "one", "ip", "route")
    assert "10.8.0.0/16 via 192.168.50.9 dev lan0" in routes
    assert "10.9.0.0/16 dev lan0" in routes
    two = pc.docker("run", "-d", "--name", "two", "--network", "lan", "ros:lab")
    assert two
    address = pc.interface("two", "lan0").address
    assert not pc.reaches("one", address), "private: containers of one host do not meet"


def test_an_internal_network_has_no_way_out_and_no_second_interface(pc: PluginHost) -> None:
    pc.network("lan", "--internal")
    one = pc.run("one")
    assert one.gateway == ""
    assert "eth1" not in pc.docker("exec", "one", "ip", "link")


@pytest.mark.parametrize("parent", ["eth0", "52:54:c0:a8:32:0b", "192.168.50.0/24"])
def test_the_parent_is_found_by_name_mac_or_subnet(pc: PluginHost, parent: str) -> None:
    words = ["-d", "macvlan-ros", "--ipam-driver", "macvlan-ros", "--subnet", "192.168.50.0/24"]
    pc.docker("network", "create", *words, "-o", f"parent={parent}", "lan")
    assert pc.reaches("one", "192.168.50.1") if pc.run("one") else False


def test_ipv6_stands_beside_ipv4(pc: PluginHost) -> None:
    pc.network("lan", "--ipv6", "--subnet", "192.168.50.0/24", "--subnet", "fd00:50::/64")
    pc.run("one", "--ip6", "fd00:50::70")
    pc.run("two")
    assert "fd00:50::70/64" in pc.docker("exec", "one", "ip", "-6", "addr", "show", "eth0")
    words = ("exec", "two", "ping", "-6", "-c", "1", "-W", "3", "fd00:50::70")
    assert " 0% packet loss" in pc.docker(*words, check=False)
    versions = {IPAddress(address).version for address in pc.reservations()}
    assert versions == {4, 6}
    pc.docker("rm", "-f", "one", "two")
    assert {held["kind"] for held in pc.reservations().values()} <= {"network"}
    pc.docker("network", "rm", "lan")
    assert pc.reservations() == {}


def test_a_pool_without_its_subnet_is_refused_by_name_instead_of_a_hang(pc: PluginHost) -> None:
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28")
    pc.host.macvlan_ros(*add, check=True)
    said = pc.refused(*OURS, "-o", "parent=eth0", "--ipam-opt", "pool=lab", "lan")
    assert "add --subnet 192.168.50.0/24 --ipam-opt pool=lab" in said
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ipam-opt", "pool=lab")
    assert IPNetwork(pc.run("one").address).ip in IPNetwork("192.168.50.192/28")


def test_docker_s_own_ipam_does_not_get_past_a_reservation(pc: PluginHost) -> None:
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28")
    pc.host.macvlan_ros(*add, check=True)
    held = pc.host.macvlan_ros("allocate", "-q", "talker", check=True).stdout.strip()
    words = ["-d", "macvlan-ros", "--subnet", "192.168.50.0/24", "-o", "parent=eth0", "lan"]
    pc.docker("network", "create", *words)
    said = pc.refused("run", "-d", "--network", "lan", "--ip", held, "ros:lab")
    assert f"{held} is held by 'talker'" in said
    assert pc.run("one", "--ip", "192.168.50.60").address == "192.168.50.60/24"
    assert pc.own_links() == set()


# -- bad input ------------------------------------------------------------------------------------

OURS = ("network", "create", "-d", "macvlan-ros", "--ipam-driver", "macvlan-ros")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "foo=bar"], "unknown option -o foo; there are: parent, mode"),
        (["-o", "mod=bridge"], "unknown option -o mod; did you mean mode?"),
        (["-o", "parent=eth7"], "eth7"),
        (["-o", "parent=lo"], "lo"),
        (["-o", "mode=fast"], "-o mode=fast: there are: bridge, private, vepa, passthru"),
        (["-o", "mtu=9"], "-o mtu=9: take a number from 68 to 65535"),
        (["-o", "mtu=9000"], "mtu 9000 is more than the 1500 of the parent eth0"),
        (["-o", "routes=10.0.0.0/8 via 10.0.0.1"], "lies in none of the network's subnets"),
        (["-o", "prefix=12345678901234"], "-o prefix=12345678901234"),
        (["--ipam-opt", "foo=bar"], "unknown --ipam-opt 'foo'"),
        (["--ipam-opt", "pool=lap"], "no pool 'lap'"),
        (["-o", "parent=eth0.4095"], "there is no VLAN 4095; take one from 1 to 4094"),
        (["-o", "parent=eth0.0"], "no interface 'eth0.0' on this host"),
        (["-o", "parent=eth7.100"], "no interface 'eth7' on this host"),
    ],
)
def test_a_network_that_cannot_be_is_refused_word_for_word(
    pc: PluginHost, options: list[str], message: str
) -> None:
    said = pc.refused(*OURS, "--subnet", "192.168.50.0/24", *options, "lan")
    assert message in said
    assert "Traceback" not in said
    assert "lan" not in pc.docker("network", "ls", "--format", "{{.Name}}").split()
    assert pc.host.macvlan_ros("pool", "list", "--json", check=True).stdout.strip() == "[]"


def test_a_parent_that_vanished_is_an_error_and_leaves_nothing(pc: PluginHost) -> None:
    pc.network()
    pc.host.run("ip", "link", "set", "eth0", "down")
    pc.host.run("ip", "link", "set", "eth0", "name", "gone0")
    try:
        said = pc.refused("run", "-d", "--network", "lan", "ros:lab")
    finally:
        pc.host.run("ip", "link", "set", "gone0", "name", "eth0")
        pc.host.link_up()
    assert "eth0" in said
    assert pc.own_links() == set()
    assert pc.reservations() == {}
    assert pc.run("one").gateway == "192.168.50.1"


@pytest.mark.parametrize("driver", DRIVERS)
def test_verify_looks_from_containers_that_docker_started(pc: PluginHost, driver: str) -> None:
    pc.network(driver=driver)
    for name in ("one", "two"):
        pc.run(name)
    done = pc.host.macvlan_ros("verify", "--json")
    found = json.loads(done.stdout)
    pairs = {(one["kind"], one["source"], one["target"]): one["level"] for one in found}
    for kind in ("reach", "name", "tcp", "mtu", "multicast"):
        assert pairs[kind, "one", "two"] == pairs[kind, "two", "one"] == "ok"
    assert done.returncode == 0
