"""One chair: a stack on three PCs with real engines, started, seen and ended from one of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.e2e.certificates import make_certificates, tls_options
from tests.e2e.plugin_host import within
from tests.e2e.router import router
from tests.e2e.ssh_host import SshHost
from tests.e2e.terminals import in_terminal, read_until, resize
from tests.e2e.test_leases import held
from tests.e2e.three_hosts import HOSTS, ready, rows, sharing, stack_text, started_at, write
from tests.lab import Host, Lab
from tests.lab.host import ROOT
from tests.lab.own_image import import_own_image
from tests.unit.test_docker_context import write_context


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    with started(hosts=HOSTS) as lab:
        yield ready(lab)


@pytest.fixture
def three(module_lab: Lab) -> Iterator[Lab]:
    with sharing(module_lab) as lab:
        yield lab


def foretell(host: Host, folder: str, word: str) -> list[str]:
    done = host.macvlan_ros(word, "--all-hosts", "--dry-run", "--json", check=True, cwd=folder)
    found: list[str] = json.loads(done.stdout)["changes"]
    return found


def services_addresses(host: Host) -> dict[str, str]:
    """Who has which address, but for shims."""
    held = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    return {one["owner"]: one["address"] for one in held if not one["owner"].startswith("shim-")}


def test_everything_starts_everywhere_in_order_and_ends_everywhere(
    three: Lab, tmp_path: Path
) -> None:
    folder = str(write(tmp_path, stack_text(three)))
    qtpc, qtrp, qtnx = three.hosts.values()
    foretold = foretell(qtpc, folder, "launch")
    assert all(host.docker("ps", "-aq") == "" for host in three.hosts.values())
    done = qtpc.macvlan_ros("launch", "--all-hosts", "--json", check=True, cwd=folder)
    launched = rows(done.stdout)
    for one in launched.values():
        container, address = one["container"], one["address"]
        created = f"{one['host']}: create the container '{container}' with {address}"
        assert created in foretold
    assert {name: (one["host"], one["action"]) for name, one in launched.items()} == {
        "core": ("qtpc", "created"),
        "face": ("qtpc", "created"),
        "hardware": ("qtrp", "created"),
        "speaker": ("qtrp", "created"),
        "camera": ("qtnx", "created"),
        "lidar": ("qtnx", "created"),
    }
    assert len({one["address"] for one in launched.values()}) == 6
    assert launched["face"]["address"] == "192.168.50.196"
    # the master first, then by depends_on across PCs
    at = {name: started_at(three.hosts[one["host"]], name) for name, one in launched.items()}
    assert min(at, key=lambda name: at[name]) == "hardware"
    assert at["lidar"] < at["camera"] < at["core"]
    assert "hardware: answers" in done.stderr
    for host, name, other in (
        (qtpc, "core", "hardware"),
        (qtrp, "speaker", "camera"),
        (qtnx, "lidar", "face"),
    ):
        host.docker("exec", name, "ping", "-c", "1", "-W", "2", other)
    held = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    assert {one["owner"]: one["host"] for one in held if one["owner"] in launched} == {
        name: one["host"] for name, one in launched.items()
    }

    again = rows(qtpc.macvlan_ros("launch", "--all-hosts", "--json", cwd=folder).stdout)
    assert {one["action"] for one in again.values()} == {"unchanged"}
    assert foretell(qtpc, folder, "launch") == []
    assert "qtnx: remove the container 'camera'" in foretell(qtpc, folder, "down")
    seen = rows(qtpc.macvlan_ros("ps", "--all-hosts", "--json", check=True, cwd=folder).stdout)
    assert {one["state"] for one in seen.values()} == {"running"}
    three.hosts["qtnx"].docker("exec", "camera", "sh", "-c", "echo click >/proc/1/fd/1")
    logs = qtpc.macvlan_ros("logs", "--all-hosts", "--json", check=True, cwd=folder).stdout
    wrote = [json.loads(line) for line in logs.splitlines()]
    assert ("camera", "qtnx", "click") in {(w["service"], w["host"], w["text"]) for w in wrote}
    old = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    words = ("exec", "camera", "sh", "-c", "hostname -i; exit 5")
    inside = qtpc.macvlan_ros(*words, cwd=folder, env=old)
    assert (inside.returncode, inside.stderr) == (5, "")
    assert inside.stdout.split() == [launched["camera"]["address"]]
    stopped = qtpc.macvlan_ros("stop", "--all-hosts", "camera", "--json", check=True, cwd=folder)
    assert json.loads(stopped.stdout) == {"stopped": ["camera"]}
    refused = qtpc.macvlan_ros("shell", "camera", cwd=folder, env=old)
    assert refused.returncode == 4
    assert "start it with: macvlan-ros launch --all-hosts camera" in refused.stderr
    qtpc.macvlan_ros("down", "--all-hosts", "--release", check=True, cwd=folder)
    for host in three.hosts.values():
        assert host.docker("ps", "-aq") == ""
        assert "ros_lan" not in host.docker("network", "ls")
    left = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    assert not {one["owner"] for one in left} & set(launched)


def test_the_routers_table_says_what_runs_on_all_pcs(three: Lab, tmp_path: Path) -> None:
    qtpc = three.hosts["qtpc"]
    image = "{image: 'ros:lab', command: answer 11311 master, x-macvlan-ros: {host: %s}}"
    services = f"services: {{camera: {image % 'qtpc'}, hardware: {image % 'qtrp'}}}\n"
    text = stack_text(three, services=services).replace("range: 192.168.50.192/27", "pool: leased")
    folder = str(write(tmp_path, text))
    pool = ("pool", "add", "leased", "--subnet", "192.168.50.0/24", "--dhcp", "--no-probe")
    with router(three, "192.168.50.195", "192.168.50.215", "--no-ping") as server:
        qtpc.macvlan_ros(*pool, "--range", "192.168.50.192/27", check=True)
        qtpc.macvlan_ros("launch", "--all-hosts", check=True, cwd=folder)
        assert set(services_addresses(qtpc)) == {"camera", "hardware"}
        assert server.table() == held(qtpc)
        qtpc.macvlan_ros("down", "--all-hosts", "--release", check=True, cwd=folder)
        assert not server.table().keys() & {"camera", "hardware"}


def test_a_launch_on_one_pc_changes_nothing_that_was_launched_from_the_chair(
    three: Lab, tmp_path: Path
) -> None:
    folder = str(write(tmp_path, stack_text(three)))
    qtpc = three.hosts["qtpc"]
    qtpc.macvlan_ros("launch", "--all-hosts", check=True, cwd=folder)
    again = rows(qtpc.macvlan_ros("launch", "--json", check=True, cwd=folder).stdout)
    assert {name: one["action"] for name, one in again.items()} == {
        "core": "unchanged",
        "face": "unchanged",
    }
    for verb in ("stop", "down"):
        said = qtpc.macvlan_ros(verb, "camera", check=True, cwd=folder).stderr
        assert "'camera' belongs to the host 'qtnx', and this is 'qtpc'; add --all-hosts" in said


def test_a_host_that_does_not_answer_is_named_and_the_others_are_served(
    three: Lab, tmp_path: Path
) -> None:
    folder = str(write(tmp_path, stack_text(three)))
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    qtnx.kill_engine()
    done = qtpc.macvlan_ros("launch", "--all-hosts", "--json", cwd=folder)
    assert done.returncode == 6
    launched = rows(done.stdout)
    assert {name: one["action"] for name, one in launched.items()} == {
        "core": "failed",  # depends on what runs on qtnx
        "face": "created",
        "hardware": "created",
        "speaker": "created",
        "camera": "failed",
        "lidar": "failed",
    }
    assert "error: qtnx: Docker at unix://" in done.stderr
    assert "systemctl start docker" in done.stderr
    seen = qtpc.macvlan_ros("ps", "--all-hosts", "--json", cwd=folder)
    assert seen.returncode == 6
    assert "error: qtnx: Docker at unix://" in seen.stderr
    states = {name: one["state"] for name, one in rows(seen.stdout).items()}
    assert states["camera"] == states["lidar"] == "unreachable"
    assert (states["core"], states["face"], states["speaker"]) == ("absent", "running", "running")

    qtnx.start_engine()
    done = qtpc.macvlan_ros("launch", "--all-hosts", "--json", check=True, cwd=folder)
    assert {name: one["action"] for name, one in rows(done.stdout).items()} == {
        "core": "created",
        "face": "unchanged",
        "hardware": "unchanged",
        "speaker": "unchanged",
        "camera": "created",
        "lidar": "created",
    }


def test_our_image_on_another_host_tells_its_parent_and_makes_its_shim(
    three: Lab, tmp_path: Path
) -> None:
    qtpc, qtrp = three.hosts["qtpc"], three.hosts["qtrp"]
    import_own_image(qtrp)
    text = f"""
x-macvlan-ros:
  range: 192.168.50.192/27
  hosts:
    qtpc: {{}}
    qtrp: {{parent: "{qtrp.mac}", docker: "{qtrp.docker_url}"}}
services:
  core: {{image: "ros:lab", x-macvlan-ros: {{host: qtpc}}}}
  hardware: {{image: "ros:lab", x-macvlan-ros: {{host: qtrp}}}}
"""
    folder = str(write(tmp_path, text))
    done = qtpc.macvlan_ros("launch", "--all-hosts", "--json", check=True, cwd=folder)
    assert "skipped" not in done.stderr, done.stderr
    address = rows(done.stdout)["hardware"]["address"]
    network = json.loads(qtrp.docker("network", "inspect", "ros_lan"))[0]
    assert network["Options"]["parent"] == "eth0"
    qtrp.run("busybox", "ping", "-c", "1", "-W", "2", address)
    qtrp.docker("exec", "hardware", "ping", "-c", "1", "-W", "2", qtrp.address)
    verify_looks_from_there(three, tmp_path, text)
    owners = {one["owner"] for one in json.loads(qtpc.macvlan_ros("list", "--json").stdout)}
    assert owners == {"core", "hardware", "shim-qtpc", "shim-qtrp"}
    assert qtrp.docker("ps", "-a", "--format", "{{.Names}}") == "hardware"
    # as long as somebody else is on the network, it stays, and so does the shim
    qtrp.docker("run", "-d", "--name", "guest", "--network", "ros_lan", "ros:lab")
    qtpc.macvlan_ros("down", "--all-hosts", check=True, cwd=folder)
    assert "mvr-eth0" in qtrp.run("ip", "link").stdout
    qtrp.docker("rm", "-f", "guest")
    qtpc.macvlan_ros("down", "--all-hosts", check=True, cwd=folder)
    assert "ros_lan" not in qtrp.docker("network", "ls")
    assert "mvr-eth0" not in qtrp.run("ip", "link").stdout
    owners = {one["owner"] for one in json.loads(qtpc.macvlan_ros("list", "--json").stdout)}
    assert owners == {"core", "hardware"}


def verify_looks_from_there(three: Lab, folder: Path, text: str) -> None:
    """What is wrong in the other PC's container is told here; who cannot be asked is named."""
    qtpc, qtrp = three.hosts["qtpc"], three.hosts["qtrp"]
    write(folder, text)
    code, found = verified(qtpc, folder)
    assert code == 0, found
    looked = {(one["kind"], one["source"], one["target"]) for one in found}
    both = {("name", "core", "hardware"), ("name", "hardware", "core"), ("tcp", "qtrp", "core")}
    assert both <= looked
    qtrp.docker("exec", "hardware", "sh", "-c", "grep -v core /etc/hosts >/h; cat /h >/etc/hosts")
    others = {"qtnx": three.hosts["qtnx"].docker_url, "lost": "unix:///run/nobody.sock"}
    more = "".join(f'\n    {name}: {{docker: "{url}"}}' for name, url in others.items())
    write(folder, text.replace("\nservices:", f"{more}\nservices:"))
    code, found = verified(qtpc, folder)
    write(folder, text)
    wrong = {(one["kind"], one["source"], one["target"]): one for one in found if one["remedy"]}
    assert code == 1
    assert wrong.keys() == {
        ("name", "hardware", "core"),
        ("runs", "qtpc", "qtnx"),
        ("runs", "qtpc", "lost"),
    }
    assert "does not resolve" in wrong["name", "hardware", "core"]["text"]
    assert "no image macvlan-ros" in wrong["runs", "qtpc", "qtnx"]["text"]
    assert (wrong["runs", "qtpc", "qtnx"]["level"], wrong["runs", "qtpc", "lost"]["level"]) == (
        "warning",
        "bad",
    )


def verified(host: Host, folder: Path) -> tuple[int, list[dict[str, Any]]]:
    done = host.macvlan_ros("verify", "--all-hosts", "--json", cwd=folder / "robot", timeout=90)
    assert "Traceback" not in done.stderr
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_pc_off_the_lan_launches_by_ssh(three: Lab, tmp_path: Path) -> None:
    """As from a laptop elsewhere: it has no interface on the robots' LAN, so one of them asks."""
    qtpc, qtrp = three.hosts["qtpc"], three.hosts["qtrp"]
    import_own_image(qtrp)
    stranger = "192.168.50.193"
    three.add_stranger(stranger)
    text = """
x-macvlan-ros:
  subnet: 192.168.50.0/24
  range: 192.168.50.193-192.168.50.196
  gateway: 192.168.50.1
  hosts:
    qtpc: {{parent: eth0, address: {address}, docker: "{qtpc}"}}
    qtrp: {{parent: eth0, docker: "{qtrp}"}}
services:
  core: {{image: "ros:lab", x-macvlan-ros: {{host: qtpc}}}}
  speaker: {{image: "ros:lab", x-macvlan-ros: {{host: qtrp}}}}
"""
    with SshHost(tmp_path) as ssh:
        folder = write(
            tmp_path,
            text.format(
                address=qtpc.address,
                qtpc=ssh.url(qtpc.engine.socket),
                qtrp=ssh.url(qtrp.engine.socket),
            ),
        )
        environ = {
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "MACVLAN_ROS_HOST": "laptop",
            "MACVLAN_ROS_STORE": str(tmp_path / "state.db"),
        }

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "macvlan_ros", *words, "--all-hosts", "--json"],
                cwd=folder,
                env=environ,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        done = run("launch")
        assert done.returncode == 0, done.stderr
        assert "nobody was asked" not in done.stderr
        launched = rows(done.stdout)
        assert stranger not in {one["address"] for one in launched.values()}
        qtpc.docker("exec", "core", "ping", "-c", "1", "-W", "2", "speaker")
        ssh.switch_off()
        seen = run("ps")
        assert seen.returncode == 6
        assert "ssh" in seen.stderr
        assert {one["state"] for one in rows(seen.stdout).values()} == {"unreachable"}


def test_a_line_runs_on_another_pc_by_ssh_in_this_terminal(three: Lab, tmp_path: Path) -> None:
    """Wholly by ssh: our calls, and those of Docker's command line, on the PC's own user."""
    qtpc, qtrp = three.hosts["qtpc"], three.hosts["qtrp"]
    words = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.e2e.ssh_host")
    server = qtrp.popen(*words, str(tmp_path), qtrp.address, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert "listening" in server.stdout.readline()
    url = f"ssh://robot@{qtrp.address}"
    path = f"{tmp_path}/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    # the terminal has its size a little after the program has begun
    wait = "until stty size | grep '%s'; do sleep 0.1; done; read line; "
    script = wait % "31 101" + wait % "43 107" + "echo $line from $(hostname); exit 7"
    run = ("--docker", url, "run", "--rm", "--name", "talker", "--hostname", "robot")
    with in_terminal(qtpc, tmp_path, *run, "-it", "ros:lab", "sh", "-c", script, PATH=path) as (
        process,
        mine,
    ):
        read_until(mine, b"31 101")
        assert "talker" in qtrp.docker("ps", "--format", "{{.Names}}").split()
        resize(mine, 43, 107)
        os.write(mine, b"\n")
        read_until(mine, b"43 107")
        os.write(mine, b"one two\n")
        read_until(mine, b"one two from robot")
        assert process.wait(30) == 7
    held = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    (one,) = (each for each in held if each["owner"] == "talker")
    assert one["host"] == "qtrp"
    environ = {"PATH": path}
    done = qtpc.macvlan_ros(*run, "-d", "ros:lab", env=environ)
    assert done.returncode == 0, done.stderr
    qtpc.run("busybox", "ping", "-c", "1", "-W", "2", one["address"])
    taken = qtpc.macvlan_ros(*run, "ros:lab", env=environ)
    assert taken.returncode == 125
    assert "already in use" in taken.stderr
    qtrp.docker("rm", "-f", "talker")


def test_the_service_of_another_pc_asks_its_lan_and_makes_its_shim(
    three: Lab, tmp_path: Path
) -> None:
    """The robot has a LAN of its own, which the chair is not on; there is no image of ours."""
    qtpc, qtrp = three.hosts["qtpc"], three.hosts["qtrp"]
    qtrp.run("ip", "address", "add", "10.77.0.12/24", "dev", "eth0")
    laptop = three.add_stranger("192.168.50.66")
    laptop.run("ip", "address", "add", "10.77.0.193/24", "dev", "eth0")
    qtrp.popen(*qtrp.macvlan_ros_command("shim", "watch", "--interval", "0.5"))
    text = f"""
x-macvlan-ros:
  subnet: 10.77.0.0/24
  range: 10.77.0.193-10.77.0.195
  hosts:
    qtrp: {{parent: 10.77.0.0/24, docker: "{qtrp.docker_url}"}}
services:
  speaker: {{image: "ros:lab"}}
"""
    claimed = text.replace('lab"}', 'lab", x-macvlan-ros: {address: 10.77.0.193}}')
    folder = str(write(tmp_path, claimed))
    assert within(30, lambda: "qtrp" in qtpc.macvlan_ros("hosts", "--json").stdout)
    refused = qtpc.macvlan_ros("launch", "--all-hosts", cwd=folder)
    assert refused.returncode == 4, refused.stderr
    assert laptop.mac in refused.stderr
    write(tmp_path, text)
    done = qtpc.macvlan_ros("launch", "--all-hosts", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "nobody was asked" not in done.stderr
    assert "skipped" not in done.stderr
    address = rows(done.stdout)["speaker"]["address"]
    assert address in ("10.77.0.194", "10.77.0.195")
    pinging = ("busybox", "ping", "-c", "1", "-W", "1", address)
    assert within(30, lambda: qtrp.run(*pinging, check=False).returncode == 0)


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ("{qtpc: {}, qtrp: {}}", r"x-macvlan-ros\.hosts\.qtrp names no engine.*ssh://"),
        ("{qtpc: {}, qtrp: {docker: nowhere}}", "qtrp: there is no Docker context 'nowhere'"),
        ("{qtpc: {}, qtrp: {docker: /var/run/docker.sock}}", "are one engine, that of 'qtpc'"),
        ("{}", "the stack names no hosts"),
    ],
)
def test_hosts_that_make_no_sense_are_refused_before_anything_is_done(
    three: Lab, tmp_path: Path, hosts: str, sentence: str
) -> None:
    qtpc = three.hosts["qtpc"]
    text = f"x-macvlan-ros: {{hosts: {hosts}}}\nservices: {{core: {{image: 'ros:lab'}}}}\n"
    done = qtpc.macvlan_ros("launch", "--all-hosts", cwd=str(write(tmp_path, text)))
    assert done.returncode in (2, 3, 4)
    assert re.search(sentence, done.stderr), done.stderr
    assert qtpc.docker("ps", "-aq") == ""


def test_what_fails_on_one_host_undoes_the_launch_on_all(three: Lab, tmp_path: Path) -> None:
    text = stack_text(three) + "  broken:\n    image: ros:lab\n    command: /no/such/program\n"
    text += "    depends_on: [core]\n    x-macvlan-ros: {host: qtrp}\n"
    qtpc = three.hosts["qtpc"]
    done = qtpc.macvlan_ros("launch", "--all-hosts", cwd=str(write(tmp_path, text)))
    assert done.returncode == 2
    assert "error: qtrp: broken did not start" in done.stderr
    for host in three.hosts.values():
        assert host.docker("ps", "-aq") == ""
        assert "ros_lan" not in host.docker("network", "ls")
    assert json.loads(qtpc.macvlan_ros("list", "--json").stdout) == []


def launch_until_lidar_is_waited_for(qtpc: Host, folder: Path, text: str) -> subprocess.Popen[str]:
    """A launch of everything that waits for a service of qtnx, while the other PCs start theirs."""
    here = str(write(folder, text.replace('[CMD, "true"]', '[CMD, "false"]')))
    command = qtpc.macvlan_ros_command("launch", "--all-hosts", "--json")
    launch = qtpc.popen(*command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert launch.stderr is not None
    assert any("until lidar is healthy" in line for line in launch.stderr)
    return launch


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_middle_leaves_nothing_on_any_pc(
    three: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    qtpc = three.hosts["qtpc"]
    launch = launch_until_lidar_is_waited_for(qtpc, tmp_path, stack_text(three))
    launch.send_signal(number)
    _, errors = launch.communicate(timeout=60)
    assert launch.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    for host in three.hosts.values():
        assert host.docker("ps", "-aq") == ""
        assert "ros_lan" not in host.docker("network", "ls")
    assert json.loads(qtpc.macvlan_ros("list", "--json").stdout) == []
    assert json.loads(qtpc.macvlan_ros("pool", "list", "--json").stdout) == []


def test_engines_on_tls_and_in_a_context_with_a_master_that_is_a_uri(
    three: Lab, tmp_path: Path
) -> None:
    qtpc, qtrp, qtnx = three.hosts.values()
    for host in (qtrp, qtnx):
        make_certificates(tmp_path / host.name, address=host.address)
        host.restart_engine(*tls_options(tmp_path / host.name))
    at = {host.name: f"tcp://{host.address}:2376" for host in (qtrp, qtnx)}
    shutil.copytree(
        tmp_path / "qtrp" / "client", write_context(tmp_path / "docker", "robot", at["qtrp"])
    )
    uri = f"http://{qtrp.address}:11311"
    answering = ("http.server", "--bind", qtrp.address, "11311")
    qtrp.popen(sys.executable, "-m", *answering, stderr=subprocess.DEVNULL)
    text = stack_text(three, qtrp="robot", qtnx=at["qtnx"]).replace(
        "master: hardware", f"master: {uri}"
    )
    folder = str(write(tmp_path, text))
    environ = {"DOCKER_CONFIG": str(tmp_path / "docker")}

    plain = qtpc.macvlan_ros("ps", "--all-hosts", "--json", cwd=folder, env=environ)
    assert plain.returncode == 6
    assert re.search("error: qtnx: .* wants TLS; set DOCKER_TLS_VERIFY=1", plain.stderr)
    states = {name: one["state"] for name, one in rows(plain.stdout).items()}
    assert {name for name, state in states.items() if state == "unreachable"} == {"camera", "lidar"}

    environ |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "qtnx" / "client")}
    words = ("launch", "--all-hosts", "--json", "--master-timeout", "20")
    done = qtpc.macvlan_ros(*words, cwd=folder, env=environ)
    assert done.returncode == 0, done.stderr
    assert {one["action"] for one in rows(done.stdout).values()} == {"created"}
    assert f"waits until the master answers at {uri}" in done.stderr
    assert "does not answer" not in done.stderr
    assert f"ROS_MASTER_URI={uri}" in qtnx.docker("inspect", "camera")
    qtpc.docker("exec", "core", "ping", "-c", "1", "-W", "2", "camera")
    qtpc.macvlan_ros("down", "--all-hosts", check=True, cwd=folder, env=environ)
    for host in (qtrp, qtnx):
        assert host.docker("ps", "-aq") == ""
        host.restart_engine()


def test_a_host_that_dies_in_the_middle_of_a_launch_is_given_up(three: Lab, tmp_path: Path) -> None:
    """qtnx loses its power while the others wait for what runs there."""
    qtpc, qtnx = three.hosts["qtpc"], three.hosts["qtnx"]
    launch = launch_until_lidar_is_waited_for(qtpc, tmp_path, stack_text(three))
    qtnx.cut_power()
    output, errors = launch.communicate(timeout=60)
    assert launch.returncode == 6, errors
    states = {name: one["action"] for name, one in rows(output).items()}
    assert states == {
        "core": "failed",
        "face": "created",
        "hardware": "created",
        "speaker": "created",
        "camera": "failed",
        "lidar": "failed",
    }
    assert "error: qtnx: " in errors
    held = services_addresses(qtpc)
    assert len(set(held.values())) == len(held) == 6

    qtnx.start_engine()
    folder = str(write(tmp_path, stack_text(three)))
    done = qtpc.macvlan_ros("launch", "--all-hosts", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {one["action"] for one in rows(done.stdout).values()} <= {
        "unchanged",
        "created",
        "started",
        "recreated",
    }
    qtpc.docker("exec", "core", "ping", "-c", "1", "-W", "2", "camera")
    assert services_addresses(qtpc) == held
