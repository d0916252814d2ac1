"""The example stacks, launched as they stand on the PCs that they are written for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Host, Lab
from tests.lab.host import ROOT
from tests.lab.robot import HOME, LOGIN, furnish

#: What a PC's login sets today, for host networking.
TODAY = {"ROS_MASTER_URI": "http://192.168.50.12:11311", "ROS_HOSTNAME": "qtrp"}
TALKER_LISTENER = ROOT / "examples" / "talker_listener"


def variables(host: Host, container: str) -> dict[str, str]:
    lines = host.docker("exec", container, "env").splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("ROS_"))


def in_its_folder(host: Host, *words: str, timeout: float = 60) -> None:
    """`macvlan-ros WORDS`, as typed on a PC of the robot in the example's folder."""
    folder = Path(HOME) / "harmoni"
    host.run("macvlan-ros", *words, env={**TODAY, **LOGIN}, cwd=folder, timeout=timeout)


@pytest.mark.parametrize(
    "files",
    [
        ("compose.yaml",),
        ("compose.host-network.yaml", "two-pcs.yaml"),
        ("compose.swarm.yaml", "two-pcs.yaml"),
    ],
)
def test_harmoni_launches_on_two_pcs(make_lab: Callable[..., Lab], files: tuple[str, ...]) -> None:
    lab = make_lab()
    words = [word for file in files for word in ("-f", file)]
    for host in lab.hosts.values():
        furnish(host)
        in_its_folder(host, "launch", *words)
    qtpc, qtrp = lab.hosts.values()
    for host, name, other, address in (
        (qtpc, "harmoni_core", "harmoni_hardware", "192.168.50.195"),
        (qtrp, "harmoni_hardware", "harmoni_core", "192.168.50.196"),
    ):
        assert variables(host, name) == {
            "ROS_DISTRO": "kinetic",
            "ROS_IP": address,
            "ROS_MASTER_URI": "http://192.168.50.196:11311",
        }
        assert f"inet {address}/24 " in host.docker("exec", name, "ip", "addr", "show", "eth0")
        host.docker("exec", name, "ping", "-c", "3", "-W", "2", other)
        mounted = host.docker("exec", name, "cat", "/root/.setup_script.sh")
        assert mounted == host.path(
            f"{HOME}/harmoni_catkin_ws/src/HARMONI/dockerfiles/config/setup_script.sh"
        ).read_text().rstrip("\n")
    qtpc.docker("exec", "harmoni_core", "test", "-c", "/dev/video0")
    qtrp.docker("exec", "harmoni_hardware", "test", "-c", "/dev/snd/controlC0")


def test_harmoni_stops_at_once_though_a_shell_ignores_sigterm(make_lab: Callable[..., Lab]) -> None:
    host = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    furnish(host)
    in_its_folder(host, "launch")
    in_its_folder(host, "stop", timeout=8)
    assert host.docker("inspect", "-f", "{{.State.Running}}", "harmoni_core") == "false"


def test_the_talker_and_the_listener_find_the_master(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(hosts=("pc-a", "pc-b"))
    programs = {
        "bin/roscore": "#!/bin/sh\nexec answer 11311 'the master'\n",
        "bin/rostopic": "#!/bin/sh\nexec rest\n",
    }
    for host in lab.hosts.values():
        host.import_image("ros:noetic", files=programs)
        host.macvlan_ros("launch", cwd=TALKER_LISTENER, check=True)
    pc_a, pc_b = lab.hosts.values()
    assert variables(pc_b, "listener")["ROS_MASTER_URI"] == "http://192.168.50.225:11311"
    for host, name in ((pc_a, "talker"), (pc_b, "listener")):
        assert host.docker("exec", name, "nc", "-w", "5", "roscore", "11311") == "the master"
    assert variables(pc_a, "talker")["ROS_IP"] != variables(pc_b, "listener")["ROS_IP"]


def test_a_compose_project_is_on_the_lan_with_what_speaks_ros_alone(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    qtpc, qtrp = make_lab().hosts.values()
    folder = shutil.copytree(ROOT / "examples" / "compose_project", tmp_path / "project")
    for image in ("ros:noetic", "redis:7"):
        qtpc.import_image(image)
    compose = ("docker-compose", "-f", "storage.yaml", "up", "-d")
    qtpc.run(*compose, cwd=folder, env={"DB_COMMAND": "answer 6379 stored"})
    qtpc.macvlan_ros("launch", cwd=folder, check=True, timeout=90)
    address = variables(qtpc, "logger")["ROS_IP"]
    assert f"qt logs from {address} to db" in qtpc.docker("logs", "logger")
    assert qtpc.docker("exec", "logger", "nc", "-w", "5", "db", "6379") == "stored"
    qtrp.run("busybox", "ping", "-c", "1", "-W", "2", address)
    networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    assert qtpc.docker("inspect", "-f", networks, "db").split() == ["storage"]
    assert qtpc.docker("inspect", "-f", networks, "logger").split() == ["ros_lan", "storage"]


def test_a_screen_and_a_graphics_card_go_into_a_container_of_the_lan(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    qtpc = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    qtpc.import_image("osrf/ros:noetic-desktop-full", files={"bin/rviz": "#!/bin/sh\nexec rest\n"})
    (tmp_path / "x11").mkdir()
    # /dev/null stands in for the card, which no machine of the lab has
    places = {"X11_SOCKETS": str(tmp_path / "x11"), "GRAPHICS": "/dev/null", "DISPLAY": ":7"}
    folder = ROOT / "examples" / "gui_gpu"
    qtpc.macvlan_ros("launch", cwd=folder, env=places, check=True)
    assert qtpc.docker("exec", "rviz", "sh", "-c", "echo $DISPLAY") == ":7"
    qtpc.docker("exec", "rviz", "test", "-d", "/tmp/.X11-unix", "-a", "-c", "/dev/dri")
    assert variables(qtpc, "rviz")["ROS_MASTER_URI"] == "http://192.168.50.195:11311"
    done = qtpc.macvlan_ros("launch", "--profile", "gpu", cwd=folder, env=places)
    assert done.returncode in (2, 6)
    assert "gpu" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert qtpc.docker("ps", "-a", "--format", "{{.Names}}") == "rviz"


def test_the_ros_2_talker_and_listener_know_one_another(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(hosts=("pc-a", "pc-b"))
    for host in lab.hosts.values():
        rest = {"bin/ros2": "#!/bin/sh\nexec rest\n"}
        host.import_image("ros:jazzy", env={"ROS_DISTRO": "jazzy"}, files=rest)
        host.macvlan_ros(
            "launch", cwd=TALKER_LISTENER.with_name("talker_listener_ros2"), check=True
        )
    pc_a, pc_b = lab.hosts.values()
    common = {"ROS_DISTRO": "jazzy", "ROS_DOMAIN_ID": "7"}
    common["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"
    for host, name, other, pc in (
        (pc_a, "talker", "192.168.50.226", pc_a.address),
        (pc_b, "listener", "192.168.50.225", pc_b.address),
    ):
        assert variables(host, name) == {**common, "ROS_STATIC_PEERS": f"{pc};{other}"}
        host.docker("exec", name, "ping", "-c", "1", "-W", "5", other)
