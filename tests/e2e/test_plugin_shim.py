"""A host and the containers that plain Docker started on it reach each other, in IPv4 and IPv6."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.plugin_host import PluginHost, plugged, within
from tests.e2e.reaching import announcements, macs_for, pings, shims
from tests.lab import Lab

DUAL = ("--ipv6", "--subnet", "192.168.50.0/24", "--subnet", "fd00:50::/64")


@pytest.fixture
def pc(lab: Lab) -> Iterator[PluginHost]:
    with plugged(lab.hosts["qtpc"]) as host:
        yield host


def reach_each_other(pc: PluginHost, name: str, *addresses: str) -> bool:
    """The host reaches the container's addresses, and the container the host's usual ones."""
    inside = ("docker", "exec", name)
    versions = {":" in address for address in addresses}
    usual = [own for own in (pc.host.address, pc.host.address6) if own and (":" in own) in versions]
    return all(pings(pc.host, each) for each in addresses) and all(
        pings(pc.host, each, *inside) for each in usual
    )


def routes(pc: PluginHost, *family: str) -> set[str]:
    """Where the host's routes over the shim lead to."""
    shown = pc.host.run("ip", *family, "route", "show", "dev", "mvr-eth0", check=False).stdout
    return {line.split()[0] for line in shown.splitlines() if "proto static" in line}


def addresses(pc: PluginHost, name: str) -> list[str]:
    (network,) = json.loads(pc.docker("inspect", name))[0]["NetworkSettings"]["Networks"].values()
    return [one for one in (network["IPAddress"], network["GlobalIPv6Address"]) if one]


def test_with_the_first_container_host_and_containers_reach_each_other_in_both_families(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(hosts=("qtpc",), subnet6="fd00:50::/64")
    third = lab.add_stranger("192.168.50.30")
    with plugged(lab.hosts["qtpc"]) as pc:
        pc.network("lan", *DUAL)
        assert shims(pc.host) == []
        pc.run("one")
        pc.run("two")
        one, two = addresses(pc, "one"), addresses(pc, "two")
        assert len(one) == len(two) == 2
        assert reach_each_other(pc, "one", *one)
        assert reach_each_other(pc, "two", *two)
        # nobody named an IPv6 router, and what Docker takes for one is none
        assert pc.docker("exec", "one", "ip", "-6", "route", "show", "default") == ""
        (shown,) = json.loads(pc.host.macvlan_ros("shim", "show", "--json", check=True).stdout)
        assert (shown["network"], shown["link"]) == ("lan", "mvr-eth0")
        held = [
            each for each in pc.reservations(shims=True).values() if each["owner"] == "shim-qtpc"
        ]
        assert {":" in each["address"] for each in held} == {True, False}
        assert len({each["mac"] for each in held}) == 2
        # on the LAN everybody still has one MAC
        for address in (pc.host.address, one[0], *(e["address"] for e in held)):
            if ":" not in address:
                assert pings(third, address)
                assert len(macs_for(third, address)) == 1, address
        assert macs_for(third, pc.host.address) == {pc.host.mac}
        # what ends has no route any more, and what starts again has one at once, with another MAC
        pc.docker("rm", "-f", "two")
        assert within(30, lambda: not {*two} & {*routes(pc), *routes(pc, "-6")})
        pc.docker("restart", "-t", "1", "one")
        assert reach_each_other(pc, "one", *addresses(pc, "one"))
        pc.docker("rm", "-f", "one")
        pc.docker("network", "rm", "lan")
        assert within(30, lambda: shims(pc.host) == [])
        assert pc.reservations(shims=True) == {}
        assert pc.host.macvlan_ros("pool", "list", "--json", check=True).stdout.strip() == "[]"
        assert "call=shim" not in pc.log.read_text()


def test_what_a_reboot_or_a_lost_link_takes_is_restored(pc: PluginHost) -> None:
    pc.network()
    own = pc.run("one", "--ip", "192.168.50.70").address.partition("/")[0]
    assert reach_each_other(pc, "one", own)
    pc.host.run("ip", "link", "delete", "mvr-eth0")
    assert within(30, lambda: reach_each_other(pc, "one", own))
    pc.host.link_down()
    pc.host.link_up()
    assert within(30, lambda: reach_each_other(pc, "one", own))
    pc.stop()
    assert shims(pc.host) == ["mvr-eth0"]
    pc.host.run("ip", "link", "delete", "mvr-eth0")
    pc.start()
    assert within(30, lambda: reach_each_other(pc, "one", own))
    pc.kill()
    pc.host.cut_power()
    pc.start()
    assert within(30, lambda: shims(pc.host) == ["mvr-eth0"])
    pc.host.start_engine()
    pc.docker("start", "one")
    assert within(30, lambda: reach_each_other(pc, "one", own))


def test_a_neighbour_and_the_host_itself_reach_a_container_with_a_new_mac_at_once(
    pc: PluginHost, lab: Lab
) -> None:
    pc.network()
    qtrp = lab.hosts["qtrp"]
    pc.run("one", "--ip", "192.168.50.70")
    pc.run("sibling")
    inside = ("docker", "exec", "sibling")
    before = pc.interface("one").mac
    for who, words in ((qtrp, ()), (pc.host, ()), (pc.host, inside)):
        assert pings(who, "192.168.50.70", *words)
    pc.docker("rm", "-f", "one")
    with announcements(qtrp, "eth0") as heard:
        after = pc.run("one", "--ip", "192.168.50.70", "--mac-address", "02:42:00:00:00:77").mac
        assert after != before
        for who, words in ((qtrp, ()), (pc.host, ()), (pc.host, inside)):
            assert pings(who, "192.168.50.70", *words)
        assert within(30, lambda: heard.count((after, "192.168.50.70")) >= 2)


def test_a_second_network_over_the_same_parent_gets_no_second_route(pc: PluginHost) -> None:
    pc.network("lan", "--subnet", "192.168.50.0/24")
    pc.network("control", "--subnet", "10.77.0.0/24", "-o", "no_gateway=true", "-o", "prefix=ctl")
    pc.docker("create", "--name", "one", "--network", "lan", "ros:lab")
    pc.docker("network", "connect", "control", "one")
    pc.docker("start", "one")
    control = pc.interface("one", "ctl0").address.partition("/")[0]
    lan = pc.interface("one").address.partition("/")[0]
    assert reach_each_other(pc, "one", lan, control)
    ways = re.findall(rf"^{pc.host.address} via \S+", pc.docker("exec", "one", "ip", "route"), re.M)
    assert len(ways) == 1
    # and one that is on the other network alone reaches the host by that one
    pc.docker("run", "-d", "--name", "two", "--network", "control", "ros:lab")
    assert reach_each_other(pc, "two", pc.interface("two", "ctl0").address.partition("/")[0])
    assert "is used by" not in pc.log.read_text()
    pc.docker("rm", "-f", "one", "two")
    pc.docker("network", "rm", "control")
    assert shims(pc.host) == ["mvr-eth0"]
    held = [each for each in pc.reservations(shims=True).values() if each["kind"] == "static"]
    assert [each["address"].rpartition(".")[0] for each in held] == ["192.168.50"]


@pytest.mark.parametrize("how", ["option", "setting", "network"])
def test_without_a_shim_containers_run_and_nothing_is_made(pc: PluginHost, how: str) -> None:
    pc.stop()
    if how == "setting":
        pc.host.run("sh", "-c", "printf '[macvlan-ros]\\nshim = no\\n' >/etc/macvlan-ros.conf")
    pc.start(*(("--no-shim",) if how == "option" else ()))
    pc.network("lan", *(("-o", "shim=no") if how == "network" else ()))
    pc.run("one")
    assert shims(pc.host) == []
    assert len(pc.reservations(shims=True)) == 1
    assert f"{pc.host.address} via" not in pc.docker("exec", "one", "ip", "route")
    if how == "option":
        # a container that Docker could not lead to this PC when it started is led there later
        pc.stop()
        pc.start()
        own = pc.run("two").address.partition("/")[0]
        assert reach_each_other(pc, "two", own)
        assert not pings(pc.host, pc.host.address, "docker", "exec", "one")
        own = pc.interface("one").address.partition("/")[0]
        watch = pc.host.popen(*pc.host.macvlan_ros_command("shim", "watch"))
        try:
            assert within(20, lambda: reach_each_other(pc, "one", own))
        finally:
            watch.terminate()
            watch.wait(20)
    if how == "network":
        said = "the network 'lan' has no shim: its option is shim=no"
        assert said in pc.host.macvlan_ros("doctor", "--no-dhcp").stdout
        (shown,) = json.loads(pc.host.macvlan_ros("shim", "show", "--json", check=True).stdout)
        assert shown["objection"] == said
    if how == "setting":
        pc.host.path("/etc/macvlan-ros.conf").unlink()


def test_a_pool_with_hardly_an_address_left_keeps_them_for_containers(pc: PluginHost) -> None:
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ip-range", "192.168.50.96/30")
    before = len(pc.log.read_text())
    names = ["one", "two", "three", "four"]
    for name in names:
        pc.run(name)
    assert shims(pc.host) == []
    said = pc.log.read_text()[before:]
    assert "the shim needs an address of its own" in said
    assert said.count("call=shim") == 1
    assert "'lan' has no shim" in pc.host.macvlan_ros("doctor", "--no-dhcp").stdout


def test_the_shim_is_shared_with_what_launch_started(pc: PluginHost, tmp_path: Path) -> None:
    """Whoever goes first leaves the other's ways as they are."""
    pc.network()
    own = pc.run("one").address.partition("/")[0]
    (tmp_path / "compose.yaml").write_text(
        'services: {talker: {image: "ros:lab"}}\nx-macvlan-ros: {pool: docker-192.168.50.0-24}\n'
    )
    pc.host.macvlan_ros("launch", check=True, cwd=str(tmp_path))
    (talker,) = json.loads(
        pc.host.macvlan_ros("ps", "--json", check=True, cwd=str(tmp_path)).stdout
    )
    assert reach_each_other(pc, "one", own)
    assert reach_each_other(pc, "talker", talker["address"])
    # and what launch has led to this PC may join the plugin's network, and leave it
    other = ("--subnet", "10.77.0.0/24", "-o", "no_gateway=true", "-o", "prefix=ctl")
    pc.network("control", *other)
    pc.docker("network", "connect", "control", "talker")
    assert reach_each_other(pc, "talker", talker["address"])
    assert pings(pc.host, pc.interface("talker", "ctl0").address.partition("/")[0])
    pc.docker("network", "disconnect", "control", "talker")
    pc.docker("network", "rm", "control")
    assert reach_each_other(pc, "talker", talker["address"])
    pc.docker("rm", "-f", "one")
    pc.docker("network", "rm", "lan")
    time.sleep(4)
    assert reach_each_other(pc, "talker", talker["address"])
    pc.network()
    own = pc.run("one").address.partition("/")[0]
    pc.host.macvlan_ros("down", check=True, cwd=str(tmp_path))
    time.sleep(4)
    assert reach_each_other(pc, "one", own)
    assert routes(pc) == {own}


def test_a_shims_long_name_is_no_leak_and_a_host_can_be_the_router_of_its_containers(
    make_lab: Callable[..., Lab],
) -> None:
    """A parent with a name of eleven letters or more has a shim of fifteen, as endpoints have."""
    lab = make_lab(hosts=("qtpc",))
    host = lab.hosts["qtpc"]
    host.run("ip", "link", "add", "enx001122334455", "type", "bridge")
    host.run("ip", "addr", "add", "192.168.60.1/24", "dev", "enx001122334455")
    host.run("ip", "link", "set", "enx001122334455", "up")
    with plugged(host) as pc:
        words = ["-d", "macvlan-ros", "--ipam-driver", "macvlan-ros", "--subnet", "192.168.60.0/24"]
        words += ["--gateway", "192.168.60.1", "-o", "parent=enx001122334455"]
        pc.docker("network", "create", *words, "lan")
        pc.run("one")
        assert pings(host, "192.168.60.1", "docker", "exec", "one")
        (shim,) = shims(host)
        assert len(shim) == 15
        host.macvlan_ros("gc", "--settled", "0", check=True)
        assert shims(host) == [shim]
        assert pings(host, pc.interface("one").address.partition("/")[0])
