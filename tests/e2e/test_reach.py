"""Host and own containers reach each other after a plain launch, until the last network goes."""

import json
import signal
import time

import pytest

from tests.e2e.conftest import WriteStack
from tests.e2e.reaching import (
    TWO,
    announcements,
    arp_settings,
    comes_true,
    forget_arp_settings,
    macs_for,
    pings,
    reach_each_other,
    reservations,
    shims,
    shown,
)
from tests.e2e.test_launch import launched, state
from tests.lab import Host, Lab
from tests.lab.own_image import import_own_image


def test_after_a_launch_host_and_containers_reach_each_other_with_one_mac_each(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    done = launched(qtpc, write_stack(TWO))
    for service in done.values():
        assert reach_each_other(qtpc, service["container"], service["address"])
    shim = reservations(qtpc)["shim-qtpc"]
    talker = done["talker"]
    assert macs_for(qtrp, qtpc.address) == {qtpc.mac}
    assert macs_for(qtrp, shim["address"]) == {shim["mac"]}
    assert macs_for(qtrp, talker["address"]) == {talker["mac"]}
    (found,) = shown(qtpc)
    assert (found["link"], found["up"], found["addresses"]) == ("mvr-eth0", True, [shim["address"]])
    assert found["mac"] == shim["mac"]


def test_the_shims_address_is_asked_for_before_it_is_used(
    lab: Lab, qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(TWO)
    launched(qtpc, folder)
    wanted = reservations(qtpc)["shim-qtpc"]["address"]
    qtpc.macvlan_ros("down", "--release", check=True, cwd=folder)
    lab.add_stranger(wanted)
    launched(qtpc, folder)
    assert reservations(qtpc)["shim-qtpc"]["address"] != wanted


def test_launching_again_changes_nothing_of_the_shim(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(TWO)
    launched(qtpc, folder)

    def standing() -> list[str]:
        words = ("ip", "-d", "addr", "show", "mvr-eth0"), ("ip", "route"), ("ip", "rule")
        inside = qtpc.docker("exec", "talker", "ip", "route")
        return [*(qtpc.run(*one).stdout for one in words), inside]

    before, held = standing(), reservations(qtpc)
    launched(qtpc, folder)
    qtpc.macvlan_ros("shim", "up", check=True)
    assert standing() == before
    assert reservations(qtpc) == held


@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_without_a_shim_no_link_and_no_reservation_is_left(
    qtpc: Host, write_stack: WriteStack, how: str
) -> None:
    folder = write_stack(TWO)
    forget_arp_settings(qtpc)
    if how == "option":
        launched(qtpc, folder, "--no-shim")
    elif how == "variable":
        done = qtpc.macvlan_ros("launch", cwd=folder, env={"MACVLAN_ROS_SHIM": "no"})
        assert done.returncode == 0
    else:
        (folder / "conf").write_text("[macvlan-ros]\nshim = no\n")
        settings = {"MACVLAN_ROS_CONFIG": str(folder / "conf")}
        qtpc.macvlan_ros("launch", check=True, cwd=folder, env=settings)
    assert shims(qtpc) == []
    assert set(reservations(qtpc)) == {"talker", "listener"}
    assert arp_settings(qtpc) == ("0", "0")


def test_a_wrong_setting_is_named(qtpc: Host) -> None:
    done = qtpc.macvlan_ros("list", env={"MACVLAN_ROS_SHIM": "maybe"})
    assert done.returncode == 2
    assert "MACVLAN_ROS_SHIM" in done.stderr
    assert "yes, no" in done.stderr


def test_a_container_that_somebody_else_started_is_reached_too(
    qtpc: Host, write_stack: WriteStack
) -> None:
    launched(qtpc, write_stack(TWO))
    address = "192.168.50.230"
    qtpc.docker("run", "-d", "--name", "other", "--net", "ros_lan", "--ip", address, "ros:lab")
    assert not pings(qtpc, address)
    found = json.loads(qtpc.macvlan_ros("shim", "show", "--json").stdout)[0]["containers"]
    assert {one["name"]: one["reached"] for one in found} == {
        "talker": True,
        "listener": True,
        "other": False,
    }
    qtpc.macvlan_ros("shim", "up", check=True)
    assert reach_each_other(qtpc, "other", address)


def test_a_launch_that_fails_leaves_no_shim_and_no_reservation(
    qtpc: Host, write_stack: WriteStack
) -> None:
    forget_arp_settings(qtpc)
    before = state(qtpc)
    broken = TWO.rstrip() + '\n      third: {image: "ros:lab", command: /no/such/program}\n'
    assert qtpc.macvlan_ros("launch", cwd=write_stack(broken)).returncode == 2
    assert shims(qtpc) == []
    assert state(qtpc) == before
    assert arp_settings(qtpc) == ("0", "0")


def test_a_failed_launch_takes_back_its_own_routes_alone(
    qtpc: Host, write_stack: WriteStack
) -> None:
    first = launched(qtpc, write_stack(TWO))
    routes = qtpc.run("ip", "route").stdout
    broken = TWO.rstrip() + '\n      third: {image: "ros:lab", command: /no/such/program}\n'
    assert qtpc.macvlan_ros("launch", cwd=write_stack(broken)).returncode == 2
    assert qtpc.run("ip", "route").stdout == routes
    assert reach_each_other(qtpc, "talker", first["talker"]["address"])


def test_with_the_last_network_link_settings_and_reservation_go(
    qtpc: Host, write_stack: WriteStack
) -> None:
    forget_arp_settings(qtpc)
    folder = write_stack(TWO)
    launched(qtpc, folder)
    assert arp_settings(qtpc) == ("1", "2")
    qtpc.macvlan_ros("down", check=True, cwd=folder)
    assert shims(qtpc) == []
    assert arp_settings(qtpc) == ("0", "0")
    assert set(reservations(qtpc)) == {"talker", "listener"}

    qtpc.macvlan_ros("network", "create", "ros_lan", check=True)
    qtpc.macvlan_ros("shim", "up", check=True)
    assert shims(qtpc) == ["mvr-eth0"]
    qtpc.macvlan_ros("network", "rm", "ros_lan", check=True)
    assert shims(qtpc) == []
    assert arp_settings(qtpc) == ("0", "0")
    assert set(reservations(qtpc)) == {"talker", "listener"}


def test_shim_down_keeps_the_address_and_up_brings_it_back(
    qtpc: Host, write_stack: WriteStack
) -> None:
    done = launched(qtpc, write_stack(TWO))
    held = reservations(qtpc)
    qtpc.macvlan_ros("shim", "down", check=True)
    assert shims(qtpc) == []
    assert qtpc.address not in qtpc.docker("exec", "talker", "ip", "route")
    assert not pings(qtpc, done["talker"]["address"])
    assert "there was no shim" in qtpc.macvlan_ros("shim", "down", check=True).stderr
    qtpc.macvlan_ros("shim", "up", "ros_lan", check=True)
    assert reservations(qtpc) == held
    assert reach_each_other(qtpc, "talker", done["talker"]["address"])


def test_a_stopped_service_has_no_route_any_more(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(TWO)
    done = launched(qtpc, folder)
    address = done["listener"]["address"]
    assert address in qtpc.run("ip", "route").stdout
    qtpc.macvlan_ros("stop", "listener", check=True, cwd=folder)
    assert address not in qtpc.run("ip", "route").stdout
    launched(qtpc, folder)
    assert reach_each_other(qtpc, "listener", address)
    qtpc.macvlan_ros("down", "listener", check=True, cwd=folder)
    assert address not in qtpc.run("ip", "route").stdout
    assert done["talker"]["address"] in qtpc.run("ip", "route").stdout


@pytest.mark.parametrize("mode", ["private", "vepa", "passthru"])
def test_in_other_modes_there_is_no_shim_and_a_sentence_says_why(qtpc: Host, mode: str) -> None:
    made = qtpc.macvlan_ros("network", "create", "lan", "--mode", mode, check=True)
    assert f"the network 'lan' has the mode {mode}, in which" in made.stderr
    if mode == "private":
        told = qtpc.macvlan_ros("doctor", "--no-dhcp").stdout
        assert f"the network 'lan' has the mode {mode}" in told
    every = qtpc.macvlan_ros("shim", "up", check=True)
    assert mode in every.stderr
    assert "no network of ours" not in every.stderr
    assert f"the mode {mode}" in qtpc.macvlan_ros("shim", "show").stderr
    named = qtpc.macvlan_ros("shim", "up", "lan")
    assert named.returncode == 2
    assert mode in named.stderr
    (found,) = shown(qtpc)
    assert mode in str(found["objection"])
    assert shims(qtpc) == []


def test_a_network_of_somebody_elses_gets_no_shim(qtpc: Host) -> None:
    create = ("network", "create", "-d", "macvlan", "--subnet", "192.168.50.0/24")
    qtpc.docker(*create, "-o", "parent=eth0", "theirs")
    done = qtpc.macvlan_ros("shim", "up", "theirs")
    assert done.returncode == 2
    assert "was not made by macvlan-ros" in done.stderr
    assert qtpc.macvlan_ros("shim", "up", "nowhere").returncode == 3


def test_a_user_without_rights_launches_with_a_note(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(TWO)
    as_user = ("setpriv", "--bounding-set=-net_admin,-net_raw")
    launch = qtpc.macvlan_ros_command("launch")
    done = qtpc.run(*as_user, *launch, cwd=folder, check=False)
    assert done.returncode == 0
    assert done.stderr.count("do not reach each other") == 1
    assert "sudo macvlan-ros plugin install" in done.stderr
    assert shims(qtpc) == []
    assert set(reservations(qtpc)) == {"talker", "listener"}
    # where root has made it, there is nothing to say
    qtpc.macvlan_ros("shim", "up", check=True)
    again = qtpc.run(*as_user, *launch, cwd=folder, check=False)
    assert "do not reach" not in again.stderr


def test_a_pool_without_an_address_to_spare_is_a_note(qtpc: Host, write_stack: WriteStack) -> None:
    full = "    x-macvlan-ros: {range: 192.168.50.196/31}\n" + TWO.lstrip("\n")
    done = qtpc.macvlan_ros("launch", cwd=write_stack(full))
    assert done.returncode == 0, done.stderr
    assert "an address of its own" in done.stderr
    assert shims(qtpc) == []
    assert len(qtpc.docker("ps", "-q").split()) == 2


def test_on_another_pc_s_engine_that_pc_makes_the_shim_if_it_can(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    sockets = ("-H", "unix:///run/docker.sock", "-H", "tcp://192.168.50.12:2375")
    # said in so many words, or the engine waits 15 s so that somebody reads its warning
    qtrp.restart_engine(*sockets, "--tls=false")
    remote = {"DOCKER_HOST": "tcp://192.168.50.12:2375"}
    done = qtpc.macvlan_ros("launch", cwd=write_stack(TWO), env=remote)
    assert done.returncode == 0, done.stderr
    assert "qtrp: skipped the shim" in done.stderr
    assert "on that PC run: macvlan-ros shim up --announce" in done.stderr
    assert shims(qtpc) == shims(qtrp) == []

    import_own_image(qtrp)
    words = ("run", "-d", "--name", "box", "ros:lab")
    env = {**remote, "MACVLAN_ROS_DOCKER_CLI": "/usr/bin/docker"}
    foretold = qtpc.macvlan_ros(*words[:1], "--dry-run", *words[1:], env=env)
    assert "qtrp: make the shim for ros_lan, and announce what has started" in foretold.stdout
    assert shims(qtrp) == []
    run = qtpc.macvlan_ros(*words, env=env)
    assert run.returncode == 0, run.stderr
    assert "skipped" not in run.stderr
    assert shims(qtpc) == []
    held = {one["owner"]: one for one in json.loads(qtpc.macvlan_ros("list", "--json").stdout)}
    assert {one["host"] for one in held.values()} == {"qtrp"}
    assert shims(qtrp) == ["mvr-eth0"]
    for name in ("box", "talker"):
        assert reach_each_other(qtrp, name, held[name]["address"])
    refused = qtpc.macvlan_ros("shim", "up", "ros_lan", env=remote)
    assert refused.returncode == 2
    assert qtpc.macvlan_ros("shim", "watch", env=remote).returncode == 2


def test_a_shim_can_be_had_again_after_a_power_cut(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(TWO.replace("}", ", restart: always}"))
    done = launched(qtpc, folder)
    held = reservations(qtpc)
    qtpc.cut_power()
    qtpc.start_engine()
    assert shims(qtpc) == []
    comes_true(lambda: len(qtpc.docker("ps", "-q").split()) == 2, within=20)
    qtpc.macvlan_ros("shim", "up", check=True)
    assert reservations(qtpc) == held
    assert reach_each_other(qtpc, "talker", done["talker"]["address"])


@pytest.mark.alone
def test_a_neighbour_with_a_stale_entry_reaches_the_restarted_container_within_a_second(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    def with_mac(mac: str) -> dict[str, dict[str, str]]:
        text = """
            services:
              talker: {image: "ros:lab", mac_address: "%s"}
              witness: {image: "ros:lab"}
            """
        return launched(qtpc, write_stack(text % mac))

    first = with_mac("02:00:00:00:00:01")["talker"]
    inside = ("docker", "exec", "witness")
    assert pings(qtrp, first["address"])
    assert pings(qtpc, first["address"], *inside)
    second = with_mac("02:00:00:00:00:02")["talker"]
    done = time.monotonic()
    assert second["address"] == first["address"]
    assert second["mac"] == "02:00:00:00:00:02"
    for viewer, before in ((qtrp, ()), (qtpc, inside)):
        found = viewer.run(*before, "ip", "neigh", "show", first["address"]).stdout
        assert second["mac"] in found
    assert pings(qtrp, first["address"])
    assert time.monotonic() - done < 1


def test_the_announcement_is_a_gratuitous_arp_of_the_containers_own(
    lab: Lab, qtpc: Host, write_stack: WriteStack
) -> None:
    with announcements(lab.switch, "lan") as seen:
        talker = launched(qtpc, write_stack(TWO), "--no-shim")["talker"]
        comes_true(lambda: (talker["mac"], talker["address"]) in seen, within=30)


def test_a_container_is_reached_and_announced_while_others_still_wait_for_it(
    lab: Lab, qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        services:
          first: {image: "ros:lab", healthcheck: {test: "false", interval: 1s, retries: 500}}
          second: {image: "ros:lab", depends_on: {first: {condition: service_healthy}}}
        """
    )
    with announcements(lab.switch, "lan") as seen:
        process = qtpc.popen(*qtpc.macvlan_ros_command("launch"), cwd=folder)
        comes_true(lambda: "first" in qtpc.docker("ps", "--format", "{{.Names}}"), within=30)
        address = reservations(qtpc)["first"]["address"]
        comes_true(lambda: reach_each_other(qtpc, "first", address), within=30)
        comes_true(lambda: address in [one for _, one in seen], within=30)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert shims(qtpc) == []
