"""Launched containers with IPv6 beside IPv4: all that holds for IPv4 holds again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from tests.e2e.conftest import IMAGE
from tests.e2e.reaching import pings
from tests.e2e.test_launch import environment, launched
from tests.e2e.test_plugin_wire import answers_solicitations
from tests.e2e.test_watch import Neighbour, Service, answer, eventually, neighbour
from tests.lab import Host, Lab
from tests.lab.own_image import import_own_image
from tests.netns.dhcp_servers import dnsmasq
from tests.netns.lan import Capture, stranger

STACK = """
x-macvlan-ros:
  range: 192.168.50.192/27
  range6: fd00:50::1:0/112
  master: core
  ros_over: ipv6
  hosts: {qtpc: {}, qtrp: {}}
services:
  core: {image: "ros:lab", x-macvlan-ros: {host: qtpc, address6: "fd00:50::1:5"}}
  talker: {image: "ros:lab", x-macvlan-ros: {host: qtrp}}
"""
CORE, PART = "fd00:50::1:5", "fd00:50::1:0/112"


@pytest.fixture
def lan(make_lab: Callable[..., Lab]) -> Lab:
    lab = make_lab(subnet6="fd00:50::/64")
    for host in lab.hosts.values():
        host.import_image(IMAGE)
    return lab


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(STACK)
    return tmp_path


def address6(host: Host, name: str) -> str:
    networks = json.loads(host.docker("inspect", name))[0]["NetworkSettings"]["Networks"]
    return str(networks["ros_lan"]["GlobalIPv6Address"])


def held6(host: Host, owner: str) -> dict[str, str]:
    listed = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    return next(one for one in listed if one["owner"] == owner and ":" in one["address"])


def allocated(host: Host, *words: str) -> str:
    """The address out of the pool `six`."""
    return host.macvlan_ros("allocate", "-q", "--pool", "six", *words, check=True).stdout.strip()


def conflict(host: Host, folder: Path) -> str:
    """What `ps` tells of the service `core`."""
    listed = json.loads(host.macvlan_ros("ps", "--json", check=True, cwd=str(folder)).stdout)
    return next(str(one["conflict"]) for one in listed if one["service"] == "core")


def neighbour_mac(host: Host, address: str) -> str:
    shown = host.run("ip", "-6", "neigh", "show", address, "dev", "eth0").stdout
    found = re.search(r"lladdr (\S+)", shown)
    return found[1] if found else ""


def test_a_stack_has_ipv6_beside_ipv4_on_two_pcs(lan: Lab, folder: Path, tmp_path: Path) -> None:
    qtpc, qtrp = lan.hosts.values()
    third = lan.add_stranger("192.168.50.30")
    watching = Neighbour(third.name, third.mac, third.pid)
    with Capture(watching, "eth0", tmp_path) as capture:
        one = launched(qtpc, folder)["core"]
        launched(qtrp, folder)
        rows = capture.fields(
            f"icmpv6.type == 136 and icmpv6.nd.na.target_address == {CORE}",
            *("eth.src", "icmpv6.opt.linkaddr", "ipv6.dst"),
        )
    # it was announced, by its own MAC, to everybody
    assert rows
    assert {row[0] for row in rows if row[2] == "ff02::1"} == {one["mac"]}
    talker = address6(qtrp, "talker")
    assert address6(qtpc, "core") == CORE
    assert IPAddress(talker) in IPNetwork("fd00:50::1:0/112")
    assert environment(qtpc, "core")["ROS_IP"] == CORE
    assert environment(qtpc, "core")["ROS_IPV6"] == "on"
    assert environment(qtrp, "talker")["ROS_MASTER_URI"] == f"http://[{CORE}]:11311"
    # nobody named an IPv6 router, and what Docker takes for one is none
    for host, name in ((qtpc, "core"), (qtrp, "talker")):
        assert host.docker("exec", name, "ip", "-6", "route", "show", "default") == ""
    # between PCs, and between a PC and its own container, by its usual address
    assert pings(qtrp, CORE, *qtrp.into("talker"))
    qtrp.docker("exec", "talker", "busybox", "ping", "-6", "-c", "1", "-W", "3", "core")
    assert pings(qtpc, CORE)
    assert pings(qtpc, qtpc.address6, *qtpc.into("core"))
    # and verify tells so; this image has no roscore
    checks = json.loads(qtrp.macvlan_ros("verify", "--json", cwd=str(folder)).stdout)
    told = {(one["kind"], one["source"], one["target"]): one["level"] for one in checks}
    for kind in ("reach6", "tcp6", "mtu6", "name6"):
        assert told[kind, "talker", "core"] == "ok"
    assert told["master", "talker", f"http://[{CORE}]:11311"] == "bad"
    # a third machine's table shows one MAC for the PC, the parent's
    shim = held6(qtpc, "shim-qtpc")["address"]
    for address, mac in ((qtpc.address6, qtpc.mac), (CORE, one["mac"])):
        assert pings(third, address)
        assert neighbour_mac(third, address) == mac
    assert pings(third, shim)
    assert neighbour_mac(third, shim) not in ("", qtpc.mac, one["mac"])
    # a scan knows the container by the MAC that it has, which its IPv4 address came with
    words = ("scan", "ros_lan6", "--json")
    seen = {one["address"]: one for one in json.loads(qtpc.macvlan_ros(*words, check=True).stdout)}
    assert (seen[CORE]["whose"], seen[CORE]["mac"], seen[CORE]["trouble"]) == (
        "ours",
        one["mac"],
        "",
    )
    assert (seen[qtrp.address6]["whose"], seen[qtrp.address6]["mac"]) == ("elsewhere", qtrp.mac)
    # again changes nothing; a new container has the same addresses
    assert launched(qtpc, folder)["core"]["action"] == "unchanged"
    qtpc.macvlan_ros("down", check=True, cwd=str(folder))
    assert "mvr-eth0" not in qtpc.run("ip", "-br", "link").stdout
    launched(qtpc, folder)
    assert address6(qtpc, "core") == CORE
    assert pings(qtpc, CORE)
    qtpc.macvlan_ros("down", "--release", check=True, cwd=str(folder))
    assert json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout) == []


def test_one_chair_starts_it_on_both_pcs(lan: Lab, folder: Path) -> None:
    """Of the other PC's IPv6 its own service knows, or a container of our image there."""
    qtpc, qtrp = lan.hosts.values()
    engine = f"qtrp: {{parent: eth0, address: {qtrp.address}, docker: '{qtrp.docker_url}'}}"
    (folder / "compose.yaml").write_text(STACK.replace("qtrp: {}}", f"{engine}}}"))
    words = ("launch", "--all-hosts", "--json", "--master-timeout", "0.1")
    unknown = qtpc.macvlan_ros(*words, cwd=str(folder))
    assert unknown.returncode == 6
    assert "qtrp: nobody knows its IPv6" in unknown.stderr
    assert json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout) == []
    import_own_image(qtrp)
    done = qtpc.macvlan_ros(*words, cwd=str(folder))
    assert done.returncode == 0, done.stderr
    assert address6(qtpc, "core") == CORE
    assert pings(qtrp, CORE, *qtrp.into("talker"))
    assert pings(qtpc, address6(qtrp, "talker"), *qtpc.into("core"))
    assert pings(qtrp, address6(qtrp, "talker"))


def test_what_the_parents_down_and_up_takes_is_brought_back(lan: Lab, folder: Path) -> None:
    qtpc = lan.hosts["qtpc"]
    launched(qtpc, folder)
    assert pings(qtpc, CORE)
    qtpc.link_down()
    qtpc.link_up()
    qtpc.macvlan_ros("shim", "up", check=True)
    eventually(lambda: pings(qtpc, CORE))
    eventually(lambda: pings(qtpc, qtpc.address6, *qtpc.into("core")))


def test_a_stale_neighbour_reaches_the_container_with_a_new_mac_at_once(
    lan: Lab, folder: Path
) -> None:
    qtpc, qtrp = lan.hosts.values()
    launched(qtpc, folder)
    assert pings(qtrp, CORE)
    stack = (folder / "compose.yaml").read_text()
    other = '{host: qtpc, mac: "02:42:00:00:00:77", address6'
    (folder / "compose.yaml").write_text(stack.replace("{host: qtpc, address6", other))
    assert launched(qtpc, folder)["core"]["action"] == "recreated"
    assert pings(qtrp, CORE)
    assert pings(qtpc, CORE)
    assert neighbour_mac(qtrp, CORE) == "02:42:00:00:00:77"


def test_it_is_defended_while_down_and_not_while_up(lan: Lab, folder: Path) -> None:
    """The container has one MAC, that of its IPv4 reservation."""
    qtpc = lan.hosts["qtpc"]
    third = lan.add_stranger("192.168.50.30")
    other = Neighbour(third.name, third.mac, third.pid)
    mac = launched(qtpc, folder)["core"]["mac"]
    reserved = held6(qtpc, "core")["mac"]
    assert reserved != mac
    with Service(qtpc).runs() as service:
        time.sleep(3)
        assert answer(other, CORE) == mac
        qtpc.macvlan_ros("stop", check=True, cwd=str(folder))
        eventually(lambda: answer(other, CORE) == reserved)
        launched(qtpc, folder)
        for _ in range(4):
            assert answer(other, CORE) == mac
        assert "is used by" not in service.log
        # a stranger that takes it is seen
        thief = lan.add_stranger("192.168.50.67")
        thief.run("ip", "address", "add", f"{CORE}/64", "dev", "eth0", "nodad")
        words = ("busybox", "ping", "-6", "-I", CORE, "-c", "2", "-W", "1", qtpc.address6)
        thief.run(*words, check=False)
        eventually(lambda: conflict(qtpc, folder) == thief.mac)
        assert thief.mac in qtpc.macvlan_ros("doctor", "--no-dhcp").stdout


def test_a_strangers_address_is_refused_and_an_unwanted_key_is_named(
    lan: Lab, folder: Path
) -> None:
    qtpc = lan.hosts["qtpc"]
    holder = lan.add_stranger("192.168.50.66")
    holder.run("ip", "address", "add", f"{CORE}/64", "dev", "eth0", "nodad")
    done = qtpc.macvlan_ros("launch", cwd=str(folder))
    assert done.returncode == 4
    assert holder.mac in done.stderr
    assert json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout) == []
    (folder / "compose.yaml").write_text(STACK.replace("fd00:50::1", "fd00:99::1"))
    done = qtpc.macvlan_ros("launch", cwd=str(folder))
    assert done.returncode == 2
    assert "fd00:99::1:0" in done.stderr
    assert "eth0 has fd00:50::b/64" in done.stderr
    assert qtpc.docker("ps", "-aq") == ""


def test_a_network_by_hand_has_ipv6_out_of_a_pool_and_run_takes_of_both(
    lan: Lab, tmp_path: Path
) -> None:
    """Out of which `allocate` takes what no stranger has, be there a router with proxy NDP."""
    qtpc = lan.hosts["qtpc"]
    pools = {"lab": ("192.168.50.0/24", "192.168.50.192/27"), "six": ("fd00:50::/64", PART)}
    for name, (subnet, part) in pools.items():
        words = ("pool", "add", name, "--subnet", subnet, "--range", part, "--no-probe")
        qtpc.macvlan_ros(*words, check=True)
    wanted = allocated(qtpc, "talker", "--no-probe")
    qtpc.macvlan_ros("release", "--pool", "six", "talker", check=True)
    holder = lan.add_stranger("192.168.50.66")
    holder.run("ip", "address", "add", f"{wanted}/64", "dev", "eth0", "nodad")
    proxy = neighbour(lan)
    assert allocated(qtpc, "talker") not in (wanted, "")
    with stranger(proxy, answers_solicitations(proxy.mac)):
        done = qtpc.macvlan_ros("allocate", "--pool", "six", "listener", check=True)
    assert f"{proxy.mac}" in done.stderr
    assert "answers for every address on eth0, as a router with proxy NDP does" in done.stderr
    qtpc.macvlan_ros("release", "--pool", "six", "talker", "listener", check=True)
    shown = qtpc.macvlan_ros("network", "create", "--pool", "lab", "--pool6", "six", "--json")
    assert json.loads(shown.stdout)["subnet6"] == "fd00:50::/64"
    cli = {"MACVLAN_ROS_DOCKER_CLI": "/usr/bin/docker"}
    qtpc.macvlan_ros("run", "-d", "--name", "box", "ros:lab", check=True, env=cli)
    assert address6(qtpc, "box") == held6(qtpc, "box")["address"]
    assert pings(qtpc, address6(qtpc, "box"))
    wrong = qtpc.macvlan_ros("network", "create", "other", "--pool", "six")
    assert wrong.returncode == 2
    assert "--pool6" in wrong.stderr
    # IPv6 alone is refused in one sentence, and nothing is left
    qtpc.docker("rm", "-f", "box")
    qtpc.docker("network", "rm", "ros_lan")
    (tmp_path / "compose.yaml").write_text(
        'x-macvlan-ros: {pool: six}\nservices: {talker: {image: "ros:lab"}}\n'
    )
    run = ("run", "-d", "--name", "box2", "--pool", "six", "ros:lab")
    for alone in ["launch"], run:
        done = qtpc.macvlan_ros(*alone, cwd=str(tmp_path), env=cli)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: the pool 'six' is IPv6; a network has an IPv4 pool")
    assert "ros_lan" not in qtpc.docker("network", "ls")
    held = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    assert {one["owner"] for one in held} <= {"box", "shim-qtpc"}


def test_a_dhcpv6_server_that_gives_out_the_pools_addresses_is_told(
    lan: Lab, tmp_path: Path
) -> None:
    qtpc, server = lan.hosts["qtpc"], neighbour(lan)
    server.run("ip", "address", "add", "fd00:50::2/64", "dev", "eth0", "nodad")
    holder = lan.add_stranger("192.168.50.66")
    holder.run("ip", "address", "add", "fd00:50::1:166/64", "dev", "eth0", "nodad")
    overlapping = ("192.168.50.100,192.168.50.120,1h", "--dhcp-range=fd00:50::1:0,fd00:50::1:ff,1h")
    with dnsmasq(server, tmp_path, *overlapping) as router:
        done = qtpc.macvlan_ros("pool", "add", "six", "--subnet", "fd00:50::/64", "--range", PART)
        shown = qtpc.macvlan_ros("doctor", "--json")
        assert [row for row in router.leases.read_text().splitlines() if "duid" not in row] == []
    assert "looking for the LAN's DHCPv6 server on eth0" in done.stderr
    assert "hands out addresses of the pool 'six': it just offered fd00:50::1:" in done.stderr
    assert "--dhcp" not in done.stderr
    found = {one["text"]: one["level"] for one in json.loads(shown.stdout)}
    (bad,) = (text for text, level in found.items() if level == "bad")
    assert bad.startswith(f"fd00:50::1:166: {holder.mac}")
    (warning,) = (text for text, level in found.items() if level == "warning")
    assert "the DHCPv6 server" in warning
    assert server.mac in warning
    assert "which is in the pool 'six'" in warning
