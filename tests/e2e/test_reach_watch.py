"""`shim watch` keeps host and containers in reach of each other, whatever happens to them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import WriteStack
from tests.e2e.reaching import (
    TWO,
    announcements,
    comes_true,
    pings,
    reach_each_other,
    reservations,
    shims,
)
from tests.e2e.test_launch import launched
from tests.lab import Host, Lab
from tests.lab.host import ROOT

#: Seconds within which the watch has put right what went wrong; it looks every second here.
SOON = 30.0


class Watching:
    """A watch that runs on a host, and what it has said so far."""

    def __init__(self, host: Host, *, notify: str = "") -> None:
        self.process = host.popen(
            *host.macvlan_ros_command("shim", "watch", "--interval", "1"),
            stderr=subprocess.PIPE,
            env={"NOTIFY_SOCKET": notify} if notify else None,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def says(self, part: str, *, since: int = 0) -> bool:
        return any(part in line for line in self.lines[since:])

    def ends_at(self, number: signal.Signals) -> tuple[int, float]:
        """Its exit code, and the seconds until it has ended."""
        start = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(10), time.monotonic() - start


@pytest.fixture
def talker(qtpc: Host, write_stack: WriteStack) -> str:
    """The address of a container that runs on qtpc, with another one beside it."""
    return launched(qtpc, write_stack(TWO))["talker"]["address"]


@pytest.fixture
def watching(qtpc: Host, talker: str) -> Iterator[Watching]:
    """A watch on qtpc that has looked once."""
    watch = Watching(qtpc)
    comes_true(lambda: watch.says("ros_lan: the shim"), within=20)
    assert pings(qtpc, talker)
    yield watch
    assert not watch.says("Traceback"), watch.lines


def test_after_the_parent_was_down_reach_is_back(
    qtpc: Host, talker: str, watching: Watching
) -> None:
    qtpc.link_down()
    time.sleep(1.5)
    qtpc.link_up()
    comes_true(lambda: reach_each_other(qtpc, "talker", talker), within=SOON)
    assert watching.process.poll() is None


def test_a_shim_that_lost_its_routes_or_all_of_itself_is_restored(
    qtpc: Host, talker: str, watching: Watching
) -> None:
    qtpc.run("ip", "link", "set", "mvr-eth0", "down")
    comes_true(lambda: reach_each_other(qtpc, "talker", talker), within=SOON)
    qtpc.run("ip", "link", "delete", "mvr-eth0")
    comes_true(lambda: reach_each_other(qtpc, "talker", talker), within=SOON)
    assert watching.process.poll() is None


def test_a_restarted_container_is_led_to_the_host_again_and_announced(
    lab: Lab, qtpc: Host, talker: str, watching: Watching
) -> None:
    mac = reservations(qtpc)["talker"]["mac"]
    with announcements(lab.switch, "lan") as seen:
        qtpc.docker("restart", "talker")
        comes_true(lambda: reach_each_other(qtpc, "talker", talker), within=SOON)
        comes_true(lambda: seen.count((mac, talker)) == 2, within=SOON)  # RFC 5227 has it twice
        time.sleep(3)
        assert len(seen) == 2
    assert watching.process.poll() is None


def test_containers_that_come_and_go_get_and_lose_their_routes(
    qtpc: Host, watching: Watching
) -> None:
    address = "192.168.50.230"
    qtpc.docker("run", "-d", "--name", "other", "--net", "ros_lan", "--ip", address, "ros:lab")
    comes_true(lambda: reach_each_other(qtpc, "other", address), within=SOON)
    comes_true(lambda: watching.says("reaches listener, other, talker"), within=SOON)
    said = len(watching.lines)
    qtpc.docker("rm", "-f", "other")
    comes_true(lambda: address not in qtpc.run("ip", "route").stdout, within=SOON)
    comes_true(lambda: watching.says("reaches listener, talker", since=said), within=SOON)


def test_a_route_that_belongs_to_somebody_elses_container_is_left_alone(
    qtpc: Host, watching: Watching
) -> None:
    """Another process, our plugin's, sees to the containers on its own networks."""
    other = qtpc.docker("network", "create", "--subnet", "192.168.77.0/24", "other")
    assert other
    qtpc.docker("run", "-d", "--name", "far", "--net", "other", "--ip", "192.168.77.9", "ros:lab")
    qtpc.run("ip", "route", "add", "192.168.77.9", "dev", "mvr-eth0", "proto", "static")
    time.sleep(4)
    assert "192.168.77.9" in qtpc.run("ip", "route", "show", "dev", "mvr-eth0").stdout
    qtpc.docker("rm", "-f", "far")
    comes_true(
        lambda: "192.168.77.9" not in qtpc.run("ip", "route", "show", "dev", "mvr-eth0").stdout,
        within=SOON,
    )
    assert watching.process.poll() is None


def test_an_engine_that_is_away_is_one_line_and_another_when_it_is_back(
    qtpc: Host, talker: str, watching: Watching
) -> None:
    said = len(watching.lines)
    qtpc.kill_engine()
    comes_true(lambda: watching.says("trying again", since=said), within=SOON)
    time.sleep(3)
    assert len(watching.lines) == said + 1, watching.lines[said:]
    assert pings(qtpc, talker)
    qtpc.start_engine()
    comes_true(lambda: watching.says("Docker answers", since=said), within=20)
    # without live-restore the engine has ended the containers
    qtpc.docker("start", "talker")
    comes_true(lambda: reach_each_other(qtpc, "talker", talker), within=SOON)


def test_a_network_that_somebody_removes_by_hand_takes_its_shim_along(
    qtpc: Host, watching: Watching
) -> None:
    qtpc.docker("rm", "-f", "talker", "listener")
    qtpc.docker("network", "rm", "ros_lan")
    comes_true(lambda: shims(qtpc) == [], within=SOON)
    comes_true(lambda: watching.says("ros_lan: there is no such network any more"), within=SOON)


def test_after_a_power_cut_it_waits_for_docker_and_restores_all(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(TWO.replace("}", ", restart: always}"))
    address = launched(qtpc, folder)["talker"]["address"]
    held = reservations(qtpc)
    qtpc.cut_power()
    watch = Watching(qtpc)
    comes_true(lambda: watch.says("trying again"), within=20)
    qtpc.start_engine()
    comes_true(lambda: reach_each_other(qtpc, "talker", address), within=20)
    assert reservations(qtpc) == held


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(watching: Watching, number: signal.Signals) -> None:
    code, seconds = watching.ends_at(number)
    assert code == 0
    assert seconds < 5


@pytest.mark.alone
def test_it_ends_at_once_while_docker_hangs(qtpc: Host, watching: Watching) -> None:
    qtpc.engine.pause()
    time.sleep(1.5)
    code, seconds = watching.ends_at(signal.SIGTERM)
    assert code == 0
    assert seconds < 5


def test_systemd_is_told_when_the_first_look_is_done(
    qtpc: Host, talker: str, tmp_path: Path
) -> None:
    qtpc.macvlan_ros("shim", "down", check=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        Watching(qtpc, notify=str(tmp_path / "notify"))
        assert listener.recv(100) == b"READY=1"
    assert reach_each_other(qtpc, "talker", talker)


def test_a_launch_beside_a_watch_is_in_nobodys_way(
    qtpc: Host, watching: Watching, write_stack: WriteStack
) -> None:
    folder = write_stack(TWO)
    for _ in range(3):
        qtpc.macvlan_ros("down", check=True, cwd=folder)
        done = launched(qtpc, folder)
        for service in done.values():
            assert reach_each_other(qtpc, service["container"], service["address"])
    (shown,) = json.loads(qtpc.macvlan_ros("shim", "show", "--json", check=True).stdout)
    assert shown["addresses"] == [reservations(qtpc)["shim-qtpc"]["address"]]
    assert watching.process.poll() is None


UNIT = ROOT / "plugin" / "macvlan-ros-shim.service"


def test_the_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    text = UNIT.read_text()
    assert "ExecStart=@EXECUTABLE@ shim watch\n" in text
    assert "After=docker.service" in text
    # systemd looks for the program, which is not installed here
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("@EXECUTABLE@", sys.executable))
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_with_the_rights_that_the_unit_leaves_it_does_all_its_work(
    lab: Lab, qtpc: Host, write_stack: WriteStack
) -> None:
    """In containers that have rights which the service lacks, as Docker gives them, too."""
    address = launched(qtpc, write_stack(TWO), "--no-shim")["talker"]["address"]
    (kept,) = (line for line in UNIT.read_text().splitlines() if line.startswith("CapabilityB"))
    rights = [f"+{word.removeprefix('CAP_').lower()}" for word in kept.partition("=")[2].split()]
    confined = ("setpriv", f"--bounding-set={','.join(['-all', *rights])}", "--no-new-privs")
    with announcements(lab.switch, "lan") as seen:
        watch = qtpc.popen(
            *confined,
            *qtpc.macvlan_ros_command("shim", "watch"),
            env={"DOCKER_HOST": "unix:///run/docker.sock"},
        )
        comes_true(lambda: reach_each_other(qtpc, "talker", address), within=20)
        comes_true(lambda: address in [one for _, one in seen], within=SOON)
    assert watch.poll() is None
