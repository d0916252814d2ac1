"""The plugin as people install it: systemd units, socket activation, a managed plugin."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import typed_by
from tests.e2e.plugin_host import IMAGE, SOCKET, PluginHost, within
from tests.lab import Host, Lab
from tests.lab.host import ROOT
from tests.privileges import unprivileged

#: What the unit leaves the service of root's rights.
CONFINED = ("setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--no-new-privs")
SERVE = (sys.executable, "-m", "macvlan_ros", "plugin", "serve")


@pytest.fixture
def host(make_lab: Callable[..., Lab]) -> Iterator[Host]:
    made = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    made.import_image(IMAGE)
    yield made


def activate(host: Host) -> subprocess.Popen[str]:
    """As systemd does it: the socket is there, the service comes with the first request."""
    host.run("mkdir", "-p", "/run/docker/plugins", "/var/lib/macvlan-ros")
    started = host.popen(
        "systemd-socket-activate",
        f"--listen={SOCKET}",
        f"--setenv=PYTHONPATH={ROOT}",
        *CONFINED,
        *SERVE,
        stdout=subprocess.DEVNULL,
        stderr=(host.folder / "plugin.log").open("a"),
    )
    assert within(10, host.path(SOCKET).exists)
    return started


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "macvlan_ros", "plugin"]
    install = [*words, "install", "--no-start", "--mdns", "--units", str(tmp_path)]
    for _ in range(2):
        subprocess.run(install, check=True, timeout=60, cwd=ROOT, capture_output=True)
    units = sorted(tmp_path.iterdir())
    kinds = ("-mdns.service", "-shim.service", ".service", ".socket")
    assert [unit.name for unit in units] == [f"macvlan-ros{kind}" for kind in kinds]
    verify = ["systemd-analyze", "verify", *map(str, units)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    service = units[2].read_text()
    for unit in units[:2]:
        assert "After=docker.service" in unit.read_text()
    assert " names --mdns\n" in units[0].read_text()
    assert "Before=docker.service" in service
    assert "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW\n" in service
    assert all("@EXECUTABLE@" not in unit.read_text() for unit in units)
    remove = [*words, "uninstall", "--no-stop", "--units", str(tmp_path)]
    for _ in range(2):
        subprocess.run(remove, check=True, timeout=60, cwd=ROOT, capture_output=True)
    assert list(tmp_path.iterdir()) == []


def install_into(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "macvlan_ros", "plugin", "install", "--no-start", "--units"]
    command = [*before, *words, str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )


def test_units_that_cannot_or_may_not_be_written_name_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = install_into(tmp_path / "file")
    assert done.returncode == 2
    assert "cannot be written (File exists); name another" in done.stderr
    folder = tmp_path / "somebody-elses"
    folder.mkdir(mode=0o755)
    os.chown(folder, 65534, 65534)
    done = install_into(folder, *unprivileged())
    assert done.returncode == 6
    assert "cannot be written (Permission denied); do it as its owner" in done.stderr


def test_status_tells_whether_the_service_answers(host: Host) -> None:
    down = host.macvlan_ros("plugin", "status")
    assert down.returncode == 6
    assert f"nobody answers on {SOCKET}" in down.stderr
    activate(host)
    assert '"answers": true' in host.macvlan_ros("plugin", "status", "--json", check=True).stdout


def test_the_first_request_starts_the_service_with_few_rights(host: Host) -> None:
    activate(host)
    pc = PluginHost(host)
    pc.network()
    one = pc.run("one")
    pc.run("two", "--ip", "192.168.50.70")
    assert pc.reaches("one", "192.168.50.70")
    pc.docker("restart", "-t", "1", "two")
    assert pc.interface("two").address == "192.168.50.70/24"
    pc.docker("rm", "-f", "one", "two")
    assert pc.own_links() == set()
    assert one.address.partition("/")[0] not in pc.reservations()
    pc.docker("network", "rm", "lan")


def boot(host: Host) -> float:
    """Seconds until a dockerd that was killed answers again."""
    host.kill_engine()
    began = time.monotonic()
    host.start_engine()
    return time.monotonic() - began


def socket_alone(service: subprocess.Popen[str], host: Host) -> subprocess.Popen[str]:
    """The service is ended; its socket is there for whoever asks first."""
    service.terminate()
    service.wait(20)
    host.path(SOCKET).unlink(missing_ok=True)
    return activate(host)


@pytest.mark.alone
def test_dockerd_is_not_delayed_also_when_the_service_has_yet_to_start(host: Host) -> None:
    pc = PluginHost(host)
    words = ["-d", "macvlan", "--subnet", "192.168.50.0/24", "-o", "parent=eth0", "theirs"]
    pc.docker("network", "create", *words)
    pc.run("one", "--restart", "always", "--ip", "192.168.50.70", network="theirs")
    without = min(boot(host) for _ in range(2))
    pc.docker("rm", "-f", "one")
    pc.docker("network", "rm", "theirs")
    service = activate(host)
    pc.network()
    pc.run("one", "--restart", "always", "--ip", "192.168.50.70")
    spent: list[float] = []
    while not spent or (spent[-1] - without >= 1 and len(spent) < 4):  # other work slows a machine
        host.kill_engine()
        service = socket_alone(service, host)
        began = time.monotonic()
        host.start_engine()
        spent.append(time.monotonic() - began)
        assert within(20, lambda: "one" in pc.docker("ps", "--format", "{{.Names}}"))
        assert pc.interface("one").address == "192.168.50.70/24"
    assert spent[-1] - without < 1, (spent, without)
    pc.docker("rm", "-f", "one")
    pc.docker("network", "rm", "lan")


@pytest.mark.timeout(600)
def test_the_managed_plugin_is_made_enabled_and_used(host: Host, tmp_path: Path) -> None:
    for name in ("macvlan_ros", "plugin"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    build, enable = typed_by("docs/plugin.md", __file__)
    subprocess.run(
        ["sh", "-euc", build],
        check=True,
        timeout=400,
        capture_output=True,
        cwd=tmp_path,
        env={**ENV, "PYTHON": sys.executable},
    )
    pc = PluginHost(host)
    host.run("sh", "-euc", enable, cwd=tmp_path, timeout=120)
    assert "true" in pc.docker("plugin", "ls", "--format", "{{.Enabled}}")
    words = ["-d", "macvlan-ros:latest", "--ipam-driver", "macvlan-ros:latest", "-o", "parent=eth0"]
    pc.docker("network", "create", *words, "--subnet", "192.168.50.0/24", "lan")
    one = pc.run("one")
    two = pc.run("two", "--ip", "192.168.50.70")
    assert pc.reaches("one", two.address)
    assert set(pc.reservations()) >= {one.address.partition("/")[0], "192.168.50.70"}
    # its own collector sees the containers' sandboxes: after a round nothing is lost
    time.sleep(2)
    host.macvlan_ros("gc", "--settled", "0", check=True)
    assert set(pc.reservations()) >= {one.address.partition("/")[0], "192.168.50.70"}
    pc.docker("restart", "-t", "1", "two")
    assert pc.interface("two").address == two.address
    boot(host)
    pc.docker("start", "two")
    assert pc.interface("two").address == two.address
    pc.docker("rm", "-f", "one", "two")
    pc.docker("network", "rm", "lan")
    assert pc.remembered() == []
    serves_two_owners_of_a_swarm_on_one_parent(pc)
    pc.docker("plugin", "disable", "macvlan-ros")
    pc.docker("plugin", "rm", "macvlan-ros")


def serves_two_owners_of_a_swarm_on_one_parent(pc: PluginHost) -> None:
    """As Docker's own macvlan does not before Docker 26."""
    pc.docker("swarm", "init", "--advertise-addr", pc.host.address)
    pool = ("--subnet", "192.168.50.0/24", "--range", "192.168.50.192/27", "--no-probe")
    pc.host.macvlan_ros("pool", "add", "lab", *pool, check=True)
    done = pc.host.macvlan_ros("allocate", "--json", "--no-probe", "core", "face", check=True)
    held = {one["owner"]: one["address"] for one in json.loads(done.stdout)}
    for owner in held:
        words = ("network", "create", owner, "--swarm", "--pool", "lab", "--owner", owner)
        pc.host.macvlan_ros(*words, check=True)
        service = ("service", "create", "-d", "--no-resolve-image", "--stop-grace-period", "1s")
        pc.docker(*service, "--name", owner, "--network", owner, IMAGE)

    def have() -> dict[str, str]:
        """The services whose containers run, with their addresses."""
        form = "{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        there = pc.docker("ps", "-q").split()
        shown = pc.docker("inspect", "-f", form, *there, check=False) if there else ""
        pairs = (line.removeprefix("/").partition(" ") for line in shown.splitlines())
        return {name.partition(".")[0]: address for name, _, address in pairs}

    tasks = ("service", "ps", "--no-trunc", *held)
    assert within(60, lambda: have() == held), (have(), held, pc.docker(*tasks))
    pc.docker("service", "rm", *held)
    assert within(60, lambda: not pc.docker("ps", "-q"))

    def gone() -> bool:
        left = pc.docker("network", "ls", "--format", "{{.Name}}", "--filter", "name=(core|face)")
        pc.docker("network", "rm", *left.split(), check=False)
        return not left

    assert within(30, gone)
    pc.docker("swarm", "leave", "--force")


ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


def test_the_build_script_refuses_a_folder_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    script = shlex.quote(str(ROOT / "plugin" / "build"))
    command = ["sh", "-c", f"{script} {shlex.quote(str(tmp_path))}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "is there already" in done.stderr
