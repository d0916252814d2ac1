"""Addresses by hand: pools, allocate, release, list, network; on a real PC of the lab."""

import json
import subprocess

from tests.e2e.conftest import WriteStack
from tests.lab import Host, Lab


def address(host: Host, *words: str) -> str:
    return host.macvlan_ros("allocate", "-q", *words, check=True).stdout.strip()


def test_the_first_allocate_makes_the_default_pool_and_says_so(qtpc: Host) -> None:
    done = qtpc.macvlan_ros("allocate", "talker", check=True)
    assert "192.168.50." in done.stdout
    assert "made the pool 'default' from eth0" in done.stderr
    pools = json.loads(qtpc.macvlan_ros("pool", "list", "--json", check=True).stdout)
    assert [(p["name"], p["subnet"]) for p in pools] == [("default", "192.168.50.0/24")]
    assert pools[0]["gateway"] == "192.168.50.1"


def test_a_name_keeps_its_address_and_two_names_differ(qtpc: Host) -> None:
    first = address(qtpc, "talker")
    assert address(qtpc, "talker") == first
    assert address(qtpc, "listener") != first


def test_many_names_are_reserved_at_once_and_listed(qtpc: Host) -> None:
    got = address(qtpc, "a", "b", "c").split()
    held = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    assert {r["owner"]: r["address"] for r in held} == dict(zip("abc", got, strict=True))
    assert {r["host"] for r in held} == {"qtpc"}


def test_a_released_name_is_gone_and_releasing_twice_is_fine(qtpc: Host) -> None:
    address(qtpc, "talker")
    assert "talker" in qtpc.macvlan_ros("release", "talker", check=True).stdout
    assert "held nothing" in qtpc.macvlan_ros("release", "talker", check=True).stderr
    assert qtpc.macvlan_ros("list", "-q", check=True).stdout == ""


def test_what_is_in_use_around_the_host_is_never_handed_out(lab: Lab, qtpc: Host) -> None:
    lab.add_stranger("192.168.50.201")
    qtpc.run("busybox", "ping", "-c", "1", "-W", "2", "192.168.50.201")
    qtpc.docker("network", "create", "--subnet", "192.168.50.204/30", "other")
    qtpc.macvlan_ros(
        *("pool", "add", "lab", "--subnet", "192.168.50.0/24"),
        *("--range", "192.168.50.200-192.168.50.209", "--range", "192.168.50.8/29"),
        *("--exclude", "192.168.50.203", "--gateway", "192.168.50.200"),
        check=True,
    )
    names = [f"n{i}" for i in range(9)]
    got = set(address(qtpc, *names).split())
    # of .200-.209 and .8-.15: not the gateway, a neighbour, an exclusion, Docker's /30, the two PCs
    free = {f"192.168.50.{n}" for n in (202, 208, 209, 8, 9, 10, 13, 14, 15)}
    assert got == free
    full = qtpc.macvlan_ros("allocate", "one-more")
    assert full.returncode == 5
    assert "lab" in full.stderr


def test_processes_at_once_get_different_addresses(qtpc: Host) -> None:
    qtpc.macvlan_ros(
        *("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.192/28"),
        check=True,
    )
    names = [f"n{i}" for i in range(16)]
    running = [
        qtpc.popen(
            *qtpc.macvlan_ros_command("allocate", "-q", name),
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    got = [process.communicate(timeout=60)[0].strip() for process in running]
    assert len(set(got)) == 16
    assert all(got)


def test_the_network_is_made_once_and_a_different_one_is_refused(qtpc: Host) -> None:
    create = ("network", "create", "ros_lan", "--parent", "eth0")
    made = json.loads(qtpc.macvlan_ros(*create, "--json", check=True).stdout)
    assert (made["parent"], made["subnet"], made["mode"]) == ("eth0", "192.168.50.0/24", "bridge")
    assert "there already" in qtpc.macvlan_ros(*create, check=True).stderr
    other = qtpc.macvlan_ros(*create, "--mode", "private")
    assert other.returncode == 4
    assert "mode" in other.stderr
    inspected = json.loads(qtpc.docker("network", "inspect", "ros_lan"))[0]
    assert inspected["Driver"] == "macvlan"
    assert inspected["Options"]["parent"] == "eth0"
    assert inspected["Labels"]["macvlan-ros.managed"] == "1"
    qtpc.macvlan_ros("network", "rm", "ros_lan", check=True)
    assert "ros_lan" not in qtpc.docker("network", "ls")


def test_interfaces_marks_the_parent_and_says_why_others_are_none(qtpc: Host) -> None:
    found = {
        link["name"]: link
        for link in json.loads(qtpc.macvlan_ros("interfaces", "--json", check=True).stdout)
    }
    assert found["eth0"]["chosen"] is True
    assert found["eth0"]["gateway"] == "192.168.50.1"
    assert found["lo"]["objection"]
    assert found["docker0"]["objection"]
    table = qtpc.macvlan_ros("interfaces", check=True).stdout
    assert any(line.startswith("*") and "eth0" in line for line in table.splitlines())


def test_an_address_is_not_released_while_its_container_runs(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack('services:\n  talker: {image: "ros:lab"}\n')
    qtpc.macvlan_ros("launch", "--no-shim", check=True, cwd=folder)
    address(qtpc, "idle")
    refused = qtpc.macvlan_ros("release", "idle", "talker")
    assert refused.returncode == 4, refused
    assert "the container 'talker' runs with 192.168.50." in refused.stderr
    assert "docker stop talker" in refused.stderr
    held = qtpc.macvlan_ros("list", "-q", check=True).stdout.split()
    assert {"idle", "talker"} <= set(held), "all or none"
    # without Docker the kernel knows
    blind = qtpc.macvlan_ros("--docker", "unix:///nowhere.sock", "release", "talker")
    assert blind.returncode == 4, blind
    assert "'talker' runs on this PC with 192.168.50." in blind.stderr
    qtpc.docker("stop", "-t", "1", "talker")
    assert "talker" in qtpc.macvlan_ros("release", "talker", check=True).stdout
    assert "idle" in qtpc.macvlan_ros("release", "idle", check=True).stdout


def test_by_force_it_is_released_all_the_same(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack('services:\n  talker: {image: "ros:lab"}\n')
    qtpc.macvlan_ros("launch", "--no-shim", check=True, cwd=folder)
    assert "talker" in qtpc.macvlan_ros("release", "--force", "talker", check=True).stdout
    assert "talker" not in qtpc.macvlan_ros("list", "-q", check=True).stdout.split()


def test_a_stack_takes_its_part_of_the_pool_that_allocate_made(
    qtpc: Host, write_stack: WriteStack
) -> None:
    first = address(qtpc, "laptop")
    folder = write_stack(
        "x-macvlan-ros: {range: 192.168.50.192/28}\n"
        'services:\n  talker: {image: "ros:lab"}\n  listener: {image: "ros:lab"}\n'
    )
    for _ in range(2):
        qtpc.macvlan_ros("launch", "--no-shim", check=True, cwd=folder)
    held = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    by_owner = {each["owner"]: each for each in held}
    assert by_owner["laptop"]["address"] == first
    for name in ("talker", "listener"):
        assert by_owner[name]["pool"] == "default"
        assert 192 <= int(by_owner[name]["address"].rpartition(".")[2]) < 208
    qtpc.macvlan_ros("down", "--release", check=True, cwd=folder)
    assert qtpc.macvlan_ros("list", "-q", check=True).stdout.split() == ["laptop"]
