"""The doctor, in a LAN with something wrong in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.conftest import WriteStack
from tests.lab import Host, Lab

POOL = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.200/29")


def findings(host: Host, *words: str) -> tuple[int, list[dict[str, str]]]:
    done = host.macvlan_ros("doctor", "--json", *words)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


@contextmanager
def dhcp_server(lab: Lab, first: str, last: str) -> Iterator[None]:
    """dnsmasq on the switch, as a router's."""
    server = lab.switch.popen(
        *("dnsmasq", "--keep-in-foreground", "--port=0", "--interface=lan", "--bind-interfaces"),
        *("--conf-file=/dev/null", "--no-ping", "--dhcp-leasefile=/run/leases", "--user=root"),
        f"--dhcp-range={first},{last},1h",
    )
    try:
        yield
    finally:
        server.terminate()
        server.wait(10)


def test_a_healthy_pc_has_nothing_but_good_findings(qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    code, found = findings(qtpc, "--no-dhcp")
    assert code == 0
    assert {one["level"] for one in found} == {"ok"}
    wanted = {"rights", "kernel", "store", "docker", "parent", "mtu", "arp", "firewall", "lan"}
    assert {one["check"] for one in found} >= {*wanted, "twice", "ros"}


def test_a_stranger_inside_the_pool_is_bad_and_named(lab: Lab, qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    stranger = lab.add_stranger("192.168.50.203")
    code, found = findings(qtpc, "--no-dhcp")
    (bad,) = (one for one in found if one["level"] == "bad")
    assert code == 1
    assert stranger.mac in bad["text"]
    assert "--exclude 192.168.50.203" in bad["remedy"]


def test_a_dhcp_server_that_offers_from_the_pool_is_a_warning(lab: Lab, qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    with dhcp_server(lab, "192.168.50.200", "192.168.50.207"):
        code, found = findings(qtpc)
    (warning,) = (one for one in found if one["level"] == "warning")
    assert code == 0
    assert "192.168.50.1" in warning["text"]
    assert "'lab'" in warning["text"]


STACK = """
x-macvlan-ros:
  range: 192.168.50.192/27
  hosts: {qtpc: {parent: eth0}, qtrp: {parent: eth0, address: 192.168.50.12}}
services:
  core: {image: "ros:lab", x-macvlan-ros: {host: qtpc, address: 192.168.50.195}}
"""
INGRESS = """
table netdev guard {
  chain first {
    type filter hook ingress device "eth0" priority 0; policy drop;
  }
}
"""


def levels(found: list[dict[str, str]]) -> dict[str, str]:
    """What is not ok, by check."""
    return {one["check"]: one["level"] for one in found if one["level"] != "ok"}


def test_a_missing_shim_is_told_and_made_with_fix(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(STACK)
    qtpc.macvlan_ros("launch", "--no-shim", cwd=folder, check=True)
    words = ("doctor", "--json", "-q", "--no-dhcp")
    assert levels(json.loads(qtpc.macvlan_ros(*words).stdout)) == {"shim": "warning"}
    (mended,) = json.loads(qtpc.macvlan_ros(*words, "--fix").stdout)
    assert (mended["check"], mended["level"]) == ("shim", "ok")
    assert "made the shim mvr-eth0 reach the containers" in mended["text"]
    qtpc.run("busybox", "ping", "-c1", "-W2", "192.168.50.195")


def test_lost_routes_and_strict_filters_are_bad_until_they_are_mended(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK)
    qtpc.macvlan_ros("launch", cwd=folder, check=True)
    qtpc.run("ip", "route", "flush", "dev", "mvr-eth0")
    settings = "/proc/sys/net/ipv4/conf"
    qtpc.run("sh", "-c", f"echo 1 >{settings}/mvr-eth0/rp_filter; echo 0 >{settings}/all/rp_filter")
    code, found = findings(qtpc, "--no-dhcp")
    assert (code, levels(found)) == (1, {"shim": "bad", "arp": "bad"})
    code, found = findings(qtpc, "--no-dhcp", "--fix")
    assert (code, levels(found)) == (0, {})
    assert findings(qtpc, "--no-dhcp")[0] == 0


def test_the_firewall_matters_where_macvlan_passes_it_and_nowhere_else(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    qtpc.macvlan_ros("launch", cwd=write_stack(STACK), check=True)
    ping = ("busybox", "ping", "-c1", "-W1", "192.168.50.195")
    try:
        for chain in ("FORWARD", "INPUT"):
            qtpc.run("iptables", "-P", chain, "DROP")
        _, found = findings(qtpc, "--no-dhcp")
        assert levels(found)["firewall"] == "warning"
        assert qtrp.run(*ping, check=False).returncode == 0
        qtpc.run("iptables", "-P", "INPUT", "ACCEPT")
        qtpc.run("nft", "-f", "-", input=INGRESS)
        _, found = findings(qtpc, "--no-dhcp")
        assert levels(found)["firewall"] == "bad"
        assert qtrp.run(*ping, check=False).returncode == 1
    finally:
        qtpc.run("iptables", "-P", "INPUT", "ACCEPT")
        qtpc.run("nft", "delete", "table", "netdev", "guard", check=False)


def test_another_network_over_the_parent_is_told(qtpc: Host) -> None:
    lan = ("-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.168.50.0/24", "theirs")
    qtpc.docker("network", "create", *lan)
    _, found = findings(qtpc, "--no-dhcp")
    assert levels(found) == {"network": "warning"}
    assert "'theirs'" in next(one["text"] for one in found if one["check"] == "network")


def test_a_pool_that_docker_routes_to_a_bridge_of_its_own_is_bad(qtpc: Host) -> None:
    qtpc.macvlan_ros("pool", "add", "far", "--subnet", "10.9.0.0/24", check=True)
    qtpc.docker("network", "create", "--subnet", "10.9.0.128/25", "inside")
    _, found = findings(qtpc, "--no-dhcp")
    told = {one["level"]: one["text"] for one in found if one["check"] == "pool"}
    assert "'inside'" in told["bad"]
    assert "no interface of this PC has an address in 10.9.0.0/24" in told["warning"]


def test_a_parent_that_became_a_port_of_a_bridge_is_told_with_the_bridge(qtpc: Host) -> None:
    qtpc.run("ip", "link", "add", "br0", "type", "bridge")
    qtpc.run("ip", "link", "set", "eth0", "master", "br0")
    code, found = findings(qtpc, "--no-dhcp")
    (bad,) = (one for one in found if one["check"] == "parent")
    assert (code, bad["level"]) == (1, "bad")
    assert "a port of bridge br0" in bad["text"] + bad["remedy"]


def test_an_mtu_that_the_lan_does_not_take_is_bad(lab: Lab, qtpc: Host) -> None:
    port = lab._port_of["qtpc"]
    lab.switch.run("ip", "link", "set", port, "mtu", "1400")
    try:
        _, found = findings(qtpc, "--no-dhcp")
    finally:
        lab.switch.run("ip", "link", "set", port, "mtu", "1500")
    assert levels(found)["mtu"] == "bad"


def test_the_clocks_of_the_stacks_other_pcs_are_compared(
    qtpc: Host, write_stack: WriteStack
) -> None:
    done = qtpc.macvlan_ros("doctor", "--json", "--no-dhcp", cwd=write_stack(STACK), check=True)
    (clock,) = (one for one in json.loads(done.stdout) if one["check"] == "clock")
    assert clock["level"] == "ok"
    assert "qtrp has this PC's time" in clock["text"]


def test_a_stack_file_with_an_error_is_one_finding_among_the_others(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack("services: {core: {imag: 'ros:lab'}}")
    done = qtpc.macvlan_ros("doctor", "--json", "--no-dhcp", cwd=folder)
    found = json.loads(done.stdout)
    (bad,) = (one for one in found if one["level"] == "bad")
    assert (done.returncode, bad["check"]) == (1, "stack")
    assert "imag" in bad["text"]
    assert {"docker", "parent", "firewall"} <= {one["check"] for one in found}


def test_the_users_own_variables_are_told_with_their_file(qtpc: Host) -> None:
    qtpc.run("sh", "-c", "echo 'export ROS_HOSTNAME=qtpc' >/run/home/.bashrc")
    done = qtpc.macvlan_ros("doctor", "--json", "-q", "--no-dhcp", env={"ROS_IP": "192.168.1.9"})
    told = {one["text"]: one["level"] for one in json.loads(done.stdout)}
    assert any("ROS_HOSTNAME=qtpc in /run/home/.bashrc:1" in text for text in told)
    assert any("ROS_IP=192.168.1.9 in the environment" in text for text in told)


def test_a_pc_without_docker_and_without_link_is_told_so(qtpc: Host) -> None:
    qtpc.stop_engine()
    qtpc.link_down()
    code, found = findings(qtpc, "--no-dhcp")
    bad = {one["check"]: one for one in found if one["level"] == "bad"}
    assert code == 1
    assert set(bad) == {"docker", "parent"}
    assert "systemctl start docker" in bad["docker"]["remedy"]
    assert "ip link set eth0 up" in bad["parent"]["remedy"] + bad["parent"]["text"]
