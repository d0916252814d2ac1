"""The lab itself: what the other tests build on must stand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import Host, Lab, LabError, keeper, lan
from .host import ROOT

#: A lab whose owner tells its mark and a container's id, and then waits for its death.
OWNER = """
import sys, time
from tests.lab import Lab
with Lab() as lab:
    host = lab.hosts["qtpc"]
    host.import_image("robot:lab")
    host.docker("run", "-d", "--restart=always", "--pid=host", "robot:lab")
    host.popen("sh", "-c", "(trap '' TERM HUP; sleep 600) & wait")
    print(lab.mark, flush=True)
    time.sleep(600)
"""


def has_ping(host: Host, address: str) -> bool:
    """Whether one ping is answered within a second."""
    return host.run("busybox", "ping", "-c1", "-W1", "-w1", address, check=False).returncode == 0


def reaches(host: Host, address: str) -> bool:
    """Whether a ping is answered; on a busy machine the first one may come too late."""
    return wait_until(lambda: has_ping(host, address), timeout=10)


def links(host: Host) -> dict[str, dict[str, object]]:
    found = json.loads(host.run("ip", "-json", "-details", "link").stdout)
    return {link["ifname"]: link for link in found}


def nothing_is_left(mark: str) -> bool:
    folder = Path("/tmp") / (keeper.PREFIX + mark)
    return not (keeper.processes_of(mark) or keeper.control_groups(mark) or folder.exists())


def start_owner(folder: Path | None = None) -> tuple[subprocess.Popen[str], str]:
    """A process that has a lab, in `folder` if given, and that lab's mark."""
    variables = dict(os.environ) if folder is None else {**os.environ, "TMPDIR": str(folder)}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    return owner, owner.stdout.readline().strip()


def wait_until(happens: Callable[[], bool], *, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_hosts_reach_each_other_and_the_gateway(lab: Lab) -> None:
    qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
    assert reaches(qtpc, qtrp.address)
    assert reaches(qtrp, qtpc.address)
    assert reaches(qtpc, lab.switch.address)
    assert not has_ping(qtpc, "192.168.50.99")


def test_every_host_has_its_own_name_and_files(lab: Lab) -> None:
    for name, host in lab.hosts.items():
        assert host.run("hostname").stdout == f"{name}\n"
        host.run("sh", "-c", "echo $(hostname) | tee /etc/marker /var/lib/macvlan-ros/marker")
    for name, host in lab.hosts.items():
        assert host.path("/etc/marker").read_text() == f"{name}\n"
        assert host.path("/var/lib/macvlan-ros/marker").read_text() == f"{name}\n"
    assert not Path("/etc/marker").exists()
    assert not Path("/var/lib/macvlan-ros/marker").exists()


def test_every_host_sees_its_own_interfaces_in_sys(lab: Lab) -> None:
    host = lab.hosts["qtpc"]
    assert set(host.run("ls", "/sys/class/net").stdout.split()) == set(links(host))
    assert host.path("/sys/class/net/eth0/address").read_text().strip() == host.mac


def test_engines_answer_and_are_separate(lab: Lab) -> None:
    qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
    qtpc.import_image("robot:lab")
    qtpc.docker("run", "-d", "--name", "only-here", "robot:lab")
    assert qtpc.docker("ps", "--format", "{{.Names}}") == "only-here"
    assert qtrp.docker("ps", "--format", "{{.Names}}") == ""
    assert qtpc.docker("info", "--format", "{{.Name}}") == "qtpc"
    # from outside too, by its own address
    outside = ["/usr/bin/docker", "-H", qtrp.docker_url, "info", "--format", "{{.Name}}"]
    assert subprocess.run(outside, capture_output=True, text=True).stdout == "qtrp\n"


def test_containers_on_two_engines_reach_each_other_over_macvlan(lab: Lab) -> None:
    addresses = {"qtpc": "192.168.50.101", "qtrp": "192.168.50.102"}
    for name, host in lab.hosts.items():
        host.import_image("robot:lab")
        options = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", str(lab.subnet)]
        host.docker("network", "create", *options, "ros_lan")
        place = ["--network", "ros_lan", "--ip", addresses[name], "--name", f"robot-{name}"]
        host.docker("run", "-d", *place, "--add-host", "other:192.168.50.102", "robot:lab")
    lab.hosts["qtpc"].docker("exec", "robot-qtpc", "ping", "-c1", "-W2", "other")
    lab.hosts["qtrp"].docker("exec", "robot-qtrp", "ping", "-c1", "-W2", addresses["qtpc"])


@pytest.mark.alone
def test_an_image_ends_at_once_when_asked(lab: Lab) -> None:
    host = lab.hosts["qtpc"]
    host.import_image("robot:lab", env={"ROS_DISTRO": "kinetic"})
    host.docker("run", "-d", "--name", "robot", "robot:lab")
    assert host.docker("exec", "robot", "sh", "-c", "echo $ROS_DISTRO") == "kinetic"
    started = time.monotonic()
    host.docker("stop", "robot")
    assert time.monotonic() - started < 9  # Docker's patience is 10 s
    assert host.docker("inspect", "-f", "{{.State.ExitCode}}", "robot") == "0"


def test_names_resolve_on_a_bridge_network(lab: Lab) -> None:
    host = lab.hosts["qtpc"]
    host.import_image("robot:lab")
    host.docker("network", "create", "inner")
    host.docker(
        "run", "-d", "--name", "one", "--network", "inner", "robot:lab", "answer", "80", "x"
    )
    fetch = ["--network", "inner", "robot:lab", "sh", "-c", "nc one 80 </dev/null"]
    assert wait_until(lambda: host.docker("run", "--rm", *fetch, check=False) == "x", timeout=10)


def test_a_reset_leaves_nothing_of_a_test_behind(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(hosts=("qtpc",))
    host = lab.hosts["qtpc"]
    host.import_image("robot:lab")
    host.docker("network", "create", "-d", "macvlan", "-o", "parent=eth0", "lan")
    host.docker("volume", "create", "data")
    host.docker("run", "-d", "--network", "lan", "-v", "data:/data", "robot:lab")
    host.run("ip", "link", "add", "shim", "link", "eth0", "type", "macvlan", "mode", "bridge")
    host.run("ip", "addr", "add", "192.168.50.77/24", "dev", "eth0")
    host.run("touch", "/var/lib/macvlan-ros/state.db")
    left_running = host.popen("sleep", "600")
    stranger = lab.add_stranger("192.168.50.66")
    assert reaches(host, stranger.address)
    host.link_down()
    host.kill_engine()

    lab.reset()

    assert set(links(host)) == {"lo", "eth0", "docker0"}
    assert host.docker("ps", "-aq") == ""
    assert host.docker("volume", "ls", "-q") == ""
    assert host.docker("network", "ls", "-q", "--filter", "type=custom") == ""
    assert "192.168.50.77" not in host.run("ip", "addr").stdout
    assert host.run("ls", "/var/lib/macvlan-ros").stdout == ""
    assert left_running.returncode == -signal.SIGKILL
    assert not has_ping(host, "192.168.50.66")
    assert reaches(host, lab.switch.address)
    assert host.docker("images", "-q") != ""


def test_power_loss_ends_everything_and_a_boot_brings_it_back(make_lab: Callable[..., Lab]) -> None:
    host = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    host.import_image("robot:lab")
    host.docker("run", "-d", "--name", "robot", "--restart", "always", "robot:lab")
    host.run("sh", "-c", "echo kept >/var/lib/macvlan-ros/file; echo lost >/run/file")
    before = host.docker("inspect", "-f", "{{.State.Pid}}", "robot")

    host.cut_power()
    assert [process.pid for process in keeper.processes_of(host.mark)] == [host.pid]
    assert int(before) not in keeper.processes()

    host.start_engine()
    assert host.docker("inspect", "-f", "{{.State.Running}}", "robot") == "true"
    assert host.path("/var/lib/macvlan-ros/file").read_text() == "kept\n"
    assert not host.path("/run/file").exists()


def test_a_killed_engine_starts_again(make_lab: Callable[..., Lab]) -> None:
    host = make_lab(hosts=("qtpc",), engine_options=("--live-restore",)).hosts["qtpc"]
    host.import_image("robot:lab")
    host.docker("run", "-d", "--name", "robot", "robot:lab")
    before = host.docker("inspect", "-f", "{{.State.Pid}}", "robot")
    host.kill_engine()
    host.start_engine("--live-restore")
    assert host.docker("inspect", "-f", "{{.State.Pid}}", "robot") == before


def test_an_unplugged_host_has_no_carrier_and_comes_back(lab: Lab) -> None:
    host = lab.hosts["qtpc"]
    lab.unplug(host)
    assert links(host)["eth0"]["operstate"] in ("DOWN", "LOWERLAYERDOWN")
    assert not has_ping(host, lab.switch.address)
    lab.plug(host)
    assert reaches(host, lab.switch.address)


def test_no_link_leads_out_of_the_lab(lab: Lab) -> None:
    lab.add_stranger("192.168.50.66")
    everyone = [*lab.hosts.values(), *lab.strangers]
    ports = {name for name in links(lab.switch) if name.startswith("port")}
    assert set(links(lab.switch)) == {"lo", "lan", *ports}
    found = set()
    for host in everyone:
        assert set(links(host)) <= {"lo", "eth0", "docker0"}
        host.link_down()
        found |= {name for name in ports if links(lab.switch)[name]["operstate"] != "UP"}
        host.link_up()
    # every port ends at the eth0 of one of the lab's own hosts, so none ends anywhere else
    assert found == ports
    assert len(ports) == len(everyone)
    # and nobody's namespace is the machine's, which no link leads to
    machine = Path("/proc/self/ns/net").stat().st_ino
    assert all(Path(f"/proc/{h.pid}/ns/net").stat().st_ino != machine for h in everyone)
    assert lab.switch.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"


def test_a_lan_with_ipv6_and_many_hosts(make_lab: Callable[..., Lab]) -> None:
    names = [f"robot{n}" for n in range(12)]
    lab = make_lab(hosts=names, subnet="10.9.0.0/24", subnet6="fd00:9::/64", engines=False)
    first, last = lab.hosts[names[0]], lab.hosts[names[-1]]
    assert (last.address, last.address6) == ("10.9.0.22", "fd00:9::16")
    assert reaches(first, last.address)
    assert reaches(first, last.address6)
    assert first.engine.pid is None


@pytest.mark.alone
def test_a_command_that_hangs_is_ended(lab: Lab) -> None:
    started = time.monotonic()
    with pytest.raises(LabError, match=r"qtpc: sh -c 'sleep 60 & wait': no end after 0.2 s"):
        lab.hosts["qtpc"].run("sh", "-c", "sleep 60 & wait", timeout=0.2)
    assert time.monotonic() - started < 5


def test_a_host_without_its_mount_point_says_what_is_wrong(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.lab.host.NAMESPACES", Path("/nonexistent.sh"))
    with pytest.raises(pytest.fail.Exception, match=r"host switch could not be set up: .*nonexist"):
        make_lab(engines=False)


def test_a_lab_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="the lab needs root"), Lab():
        pass


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lan.PROGRAMS, "no-such-program", "its-package")
    with pytest.raises(LabError, match=r"install them: apt-get install its-package$"):
        lan.check_requirements(engines=True)


def test_everything_is_gone_after_a_lab_that_ended_well() -> None:
    with Lab(hosts=("qtpc",)) as lab:
        lab.hosts["qtpc"].popen("sleep", "600")
        assert not nothing_is_left(lab.mark)
    assert nothing_is_left(lab.mark)


def test_everything_is_gone_soon_after_the_owner_was_killed() -> None:
    owner, mark = start_owner()
    assert not nothing_is_left(mark)
    assert keeper.control_groups(mark)
    owner.kill()
    owner.wait()
    assert wait_until(lambda: nothing_is_left(mark), timeout=10)


def test_two_labs_at_once_leave_each_other_alone(lab: Lab) -> None:
    owner, mark = start_owner()
    try:
        assert mark != lab.mark
        assert reaches(lab.hosts["qtpc"], lab.hosts["qtrp"].address)
    finally:
        owner.kill()
        owner.wait()
    assert wait_until(lambda: nothing_is_left(mark), timeout=10)
    assert lab.hosts["qtpc"].docker("info", "--format", "{{.Name}}") == "qtpc"
    assert reaches(lab.hosts["qtpc"], lab.hosts["qtrp"].address)


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where labs of this test are, which those of other sessions on this machine do not see.

    Its name is short, for sockets lie in it.
    """
    with tempfile.TemporaryDirectory(prefix="lab") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_a_lab_whose_keeper_was_killed_too_goes_when_the_next_one_starts(own_folder: Path) -> None:
    owner, mark = start_owner(own_folder)
    note = own_folder / (keeper.PREFIX + mark) / "keeper"
    os.kill(int(note.read_text().split()[0]), signal.SIGKILL)
    owner.kill()
    owner.wait()
    time.sleep(0.2)
    assert not nothing_is_left(mark)
    with Lab(hosts=(), engines=False):
        assert nothing_is_left(mark)
