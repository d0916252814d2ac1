"""A pool whose addresses are leases from the LAN's DHCP server, from the pool to the release."""

from __future__ import annotations

import json

from tests.e2e.conftest import WriteStack
from tests.e2e.plugin_host import plugged, within
from tests.e2e.router import router
from tests.e2e.test_launch import launched
from tests.lab import Host, Lab

POOL = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/27")
LEASED = (*POOL, "--dhcp", "--no-probe")


def held(host: Host) -> dict[str, str]:
    found = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    return {one["owner"]: one["address"] for one in found}


def test_from_the_pool_to_the_release_the_routers_table_says_what_is_reserved(
    lab: Lab, qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        x-macvlan-ros: {pool: lab}
        services:
          talker: {image: "ros:lab"}
          listener: {image: "ros:lab"}
        """
    )
    with router(lab, "192.168.50.200", "192.168.50.215") as server:
        qtpc.macvlan_ros(*LEASED, check=True)
        qtpc.macvlan_ros("allocate", "talker", check=True)
        assert server.table() == held(qtpc)
        launched(qtpc, folder)
        assert server.table() == held(qtpc)
        assert set(held(qtpc)) >= {"talker", "listener"}  # and the shim, which is a client too
        # the container answers at its lease: a third machine reaches it
        lab.switch.run("busybox", "ping", "-c", "1", "-W", "2", held(qtpc)["listener"])
        mac = qtpc.docker("exec", "listener", "cat", "/sys/class/net/eth0/address").strip()
        shown = json.loads(qtpc.macvlan_ros("leases", "--json", check=True).stdout)
        (lease,) = (one for one in shown if one["owner"] == "listener")
        assert lease["mac"] == mac
        assert lease["server"] == "192.168.50.1"
        assert (lease["state"], lease["trouble"]) == ("held", "")
        qtpc.macvlan_ros("down", "--release", cwd=folder, check=True)
        qtpc.macvlan_ros("release", "talker", "listener", "shim-qtpc", check=True)
        assert server.table() == {}
    assert qtpc.macvlan_ros("leases", "--json", check=True).stdout == "[]\n"


def test_what_docker_run_gets_from_the_plugin_is_leased_and_given_back(
    lab: Lab, qtpc: Host
) -> None:
    with router(lab, "192.168.50.200", "192.168.50.215") as server, plugged(qtpc) as pc:
        pool = (*LEASED[:6], "192.168.50.200-192.168.50.215", *LEASED[7:])
        qtpc.macvlan_ros(*pool, check=True)
        pc.network("lan", "--subnet", "192.168.50.0/24", "--ipam-opt", "pool=lab")
        one = pc.run("one")
        address = one.address.partition("/")[0]
        name = f"dynamic-{one.mac.replace(':', '-')}"

        def leased() -> dict[str, str]:  # the shim has a lease, too
            return {n: a for n, a in server.table().items() if n != "shim-qtpc"}

        assert within(15, lambda: leased() == {name: address}), pc.log.read_text()
        pc.docker("rm", "-f", "one")
        assert within(15, lambda: leased() == {})
        lines = [f"outcome={what} owner=dynamic:{one.mac}" for what in ("Taken", "Released")]
        # the log follows what was done
        assert within(15, lambda: all(line in pc.log.read_text() for line in lines))


def test_a_pool_inside_the_routers_range_is_told_with_what_to_do(lab: Lab, qtpc: Host) -> None:
    with router(lab, "192.168.50.200", "192.168.50.215") as server:
        done = qtpc.macvlan_ros(*POOL, check=True)
        assert "looking for the LAN's DHCP server on eth0" in done.stderr
        assert "the DHCP server 192.168.50.1 hands out addresses of the pool 'lab'" in done.stderr
        for remedy in ("router's DHCP range", "--exclude", "--dhcp"):
            assert remedy in done.stderr
        assert server.table() == {}
        again = qtpc.macvlan_ros(*POOL, check=True)
        assert "looking for" not in again.stderr


def test_a_pool_beside_the_routers_range_is_added_without_a_word(lab: Lab, qtpc: Host) -> None:
    with router(lab, "192.168.50.100", "192.168.50.120"):
        done = qtpc.macvlan_ros(*POOL, check=True)
    assert "note:" not in done.stderr


def test_a_user_who_may_not_send_frames_is_told_that_nobody_was_asked(qtpc: Host) -> None:
    as_user = ("setpriv", "--bounding-set=-net_raw")
    done = qtpc.run(*as_user, *qtpc.macvlan_ros_command(*POOL))
    assert "the LAN was not asked for its DHCP server" in done.stderr
    assert held(qtpc) == {}


def test_a_pool_that_takes_leases_says_so_when_there_is_no_server(qtpc: Host) -> None:
    done = qtpc.macvlan_ros(*POOL, "--dhcp", check=True)
    assert "no DHCP server answered on eth0" in done.stderr
    refused = qtpc.macvlan_ros("allocate", "--no-probe", "talker")
    assert refused.returncode == 6
    assert "no DHCP server gave a lease for 'talker' on eth0" in refused.stderr
    assert held(qtpc) == {}
    assert qtpc.macvlan_ros("pool", "rm", "lab").returncode == 0


def test_the_doctor_shows_a_lease_that_was_lost(lab: Lab, qtpc: Host) -> None:
    with router(lab, "192.168.50.200", "192.168.50.215"):
        qtpc.macvlan_ros(*LEASED, check=True)
        qtpc.macvlan_ros("allocate", "--no-probe", "talker", check=True)
        found = json.loads(qtpc.macvlan_ros("doctor", "--json", "--no-dhcp").stdout)
        assert [one["level"] for one in found if one["check"] == "leases"] == ["ok"]
    lab.switch.run("ip", "link", "set", "lan", "down")
    try:
        qtpc.macvlan_ros("release", "talker", check=True)
    finally:
        lab.switch.run("ip", "link", "set", "lan", "up")
    found = json.loads(qtpc.macvlan_ros("doctor", "--json", "--no-dhcp").stdout)
    (bad,) = (one for one in found if one["check"] == "leases")
    assert bad["level"] == "bad"
    assert "does not answer" in bad["text"]
