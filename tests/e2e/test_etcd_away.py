"""A PC whose reservations are in an etcd on another PC, and a LAN cable that is pulled."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import started
from tests.e2e.plugin_host import IMAGE, Interface, PluginHost, within
from tests.lab import Host, Lab

STORE = "etcd://192.168.50.12:2379/lab"
STACK = """
services:
  talker:
    image: ros:lab
    container_name: talker
  listener:
    image: ros:lab
    container_name: listener
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    """qtpc with an engine, and qtrp, where etcd is."""
    with started(engines=("qtpc",)) as lab:
        etcd = lab.hosts["qtrp"]
        url = "http://192.168.50.12:2379"
        process = etcd.popen(
            *("etcd", "--data-dir", str(etcd.path("/var/lib/etcd"))),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert within(20, lambda: not listed(etcd).returncode)
        lab.hosts["qtpc"].import_image(IMAGE)
        settings = lab.hosts["qtpc"].path("/etc/macvlan-ros.conf")
        settings.write_text(f"[macvlan-ros]\nstore = {STORE}\n")
        yield lab
        process.kill()


def listed(host: Host) -> subprocess.CompletedProcess[str]:
    return host.macvlan_ros("list", "--json", "--store", STORE)


def owners(host: Host) -> dict[str, str]:
    """Who has which address, but for the PCs' own shims."""
    found = {each["owner"]: each["address"] for each in json.loads(listed(host).stdout)}
    return {owner: address for owner, address in found.items() if not owner.startswith("shim-")}


@pytest.fixture
def pc(pair: Lab) -> Iterator[PluginHost]:
    made = PluginHost(pair.hosts["qtpc"])
    made.start()
    yield made
    pair.plug(pair.hosts["qtrp"])
    made.clear()


def run_robot(pc: PluginHost, *options: str) -> Interface:
    """A container that has an owner's reservation."""
    pc.host.macvlan_ros("allocate", "robot", check=True)
    pc.network()
    known = json.loads(listed(pc.host).stdout)
    mac = next(each["mac"] for each in known if each["owner"] == "robot")
    return pc.run("robot", "--mac-address", mac, *options)


def test_containers_that_are_known_start_while_etcd_is_away_and_new_ones_do_not(
    pair: Lab, pc: PluginHost
) -> None:
    host, etcd = pair.hosts["qtpc"], pair.hosts["qtrp"]
    robot = run_robot(pc)
    other = pc.run("other", "--mac-address", "02:00:00:00:00:77")
    unnamed = pc.run("unnamed")
    before = owners(etcd)
    pair.unplug(etcd)
    for name, known in (("robot", robot), ("other", other)):
        pc.docker("stop", "-t", "1", name)
        began = time.monotonic()
        pc.docker("start", name)
        assert time.monotonic() - began < 10
        assert pc.interface(name) == known
    pc.docker("restart", "-t", "1", "unnamed")
    assert pc.interface("unnamed").address == unnamed.address
    began = time.monotonic()
    said = pc.refused("run", "-d", "--name", "new", "--network", "lan", IMAGE)
    assert time.monotonic() - began < 6
    assert "while etcd is away" in said
    pc.docker("rm", "-f", "new", "other")
    shown = listed(host)
    assert "robot" in shown.stdout
    assert "answered from this PC's copy, " in shown.stderr
    assert owners(etcd) == before
    pair.plug(etcd)
    own = unnamed.address.partition("/")[0]
    kept = {"robot": robot, f"dynamic:{pc.interface('unnamed').mac}@{own}": unnamed}
    addresses = {owner: each.address.partition("/")[0] for owner, each in kept.items()}
    assert within(20, lambda: owners(etcd) == addresses)
    new = pc.run("new")
    assert new.address not in (robot.address, unnamed.address)
    assert host.macvlan_ros("store", "check", "--store", STORE).returncode == 0
    pc.docker("rm", "-f", "robot", "unnamed")
    host.macvlan_ros("release", "robot", check=True)


def test_after_a_power_cut_all_comes_back_without_etcd(pair: Lab, pc: PluginHost) -> None:
    host, etcd = pair.hosts["qtpc"], pair.hosts["qtrp"]
    robot = run_robot(pc, "--restart", "always")
    unnamed = pc.run("unnamed", "--restart", "always")
    pair.unplug(etcd)
    host.cut_power()
    pc.start()
    host.start_engine()
    names = {"robot", "unnamed"}
    assert within(20, lambda: set(pc.docker("ps", "--format", "{{.Names}}").split()) == names)
    assert pc.interface("robot") == robot
    assert pc.interface("unnamed").address == unnamed.address
    pc.docker("rm", "-f", "robot", "unnamed")
    assert "robot" in host.macvlan_ros("release", "robot", check=True).stdout
    pair.plug(etcd)
    assert within(20, lambda: not owners(etcd))


def test_a_store_moves_to_etcd_while_containers_run(pair: Lab) -> None:
    host, etcd = pair.hosts["qtpc"], pair.hosts["qtrp"]
    settings = host.path("/etc/macvlan-ros.conf")
    before = settings.read_text()
    settings.unlink()
    pc = PluginHost(host)
    pc.start()
    try:
        host.macvlan_ros("allocate", "robot", check=True)
        pc.network()
        mac = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)[0]["mac"]
        robot = pc.run("robot", "--mac-address", mac)
        other = pc.run("other")
        began = pc.docker("inspect", "robot", "other", "-f", "{{.State.StartedAt}}")
        file = "/var/lib/macvlan-ros/state.db"
        host.macvlan_ros("store", "copy", file, STORE, check=True)
        settings.write_text(before)
        pc.stop()
        pc.start()
        assert pc.docker("inspect", "robot", "other", "-f", "{{.State.StartedAt}}") == began
        assert owners(etcd)["robot"] == robot.address.partition("/")[0]
        new = pc.run("new")
        assert len({robot.address, other.address, new.address}) == 3
        pc.docker("restart", "-t", "1", "robot")
        assert pc.interface("robot") == robot
        assert pc.reaches("robot", new.address)
        assert host.macvlan_ros("store", "check").returncode == 0
        pc.docker("rm", "-f", "robot", "other", "new")
        host.macvlan_ros("release", "robot", check=True)
        assert within(20, lambda: not owners(etcd))
    finally:
        settings.write_text(before)
        pc.clear()


def test_a_pc_that_loses_its_power_during_a_launch_launches_again(
    pair: Lab, tmp_path: Path
) -> None:
    host, etcd = pair.hosts["qtpc"], pair.hosts["qtrp"]
    stack = tmp_path / "compose.yaml"
    stack.write_text(STACK)
    seen: set[tuple[str, str]] = set()
    for after in (0.5, 1.1):
        words = host.macvlan_ros_command("launch", "-f", str(stack))
        host.popen(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        host.cut_power()
        host.start_engine()
        seen |= set(owners(etcd).items())
    host.macvlan_ros("launch", "-f", str(stack), check=True)
    held = owners(etcd)
    assert set(held) == {"talker", "listener"}
    assert seen <= set(held.items()), "what was reserved once is kept"
    for name, address in held.items():
        shown = host.docker("inspect", name, "-f", "{{json .NetworkSettings.Networks}}")
        assert f'"{address}"' in shown
    assert host.macvlan_ros("store", "check").returncode == 0
    host.macvlan_ros("down", "--release", "-f", str(stack), check=True)
    assert not owners(etcd)


def test_launch_starts_known_services_while_etcd_is_away(pair: Lab, tmp_path: Path) -> None:
    host, etcd = pair.hosts["qtpc"], pair.hosts["qtrp"]
    stack = tmp_path / "compose.yaml"
    stack.write_text(STACK)
    host.macvlan_ros("launch", "-f", str(stack), check=True)
    held = owners(etcd)
    assert set(held) == {"talker", "listener"}
    host.macvlan_ros("down", "-f", str(stack), check=True)
    pair.unplug(etcd)
    try:
        done = host.macvlan_ros("launch", "-f", str(stack), check=True)
        assert "answered from this PC's copy" in done.stderr
        for name in ("talker", "listener"):
            shown = host.docker("inspect", name, "-f", "{{json .NetworkSettings.Networks}}")
            assert held[name] in shown
        began = time.monotonic()
        refused = host.macvlan_ros("allocate", "newcomer")
        assert time.monotonic() - began < 10  # 5 are meant; a busy machine starts it late
        assert refused.returncode == 6
        assert "no address can be reserved for 'newcomer' while etcd is away" in refused.stderr
        # somebody on the LAN has it meanwhile: it was given to another PC
        host.macvlan_ros("down", "-f", str(stack), check=True)
        pair.add_stranger(held["talker"])
        refused = host.macvlan_ros("launch", "-f", str(stack))
        assert refused.returncode == 4
        assert f"{held['talker']} of 'talker' is in use on the LAN by" in refused.stderr
        assert not host.docker("ps", "-q")
    finally:
        pair.plug(etcd)
    host.macvlan_ros("release", "talker", "listener", check=True)
    assert not owners(etcd)
