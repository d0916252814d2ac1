"""The example stacks, launched as they stand on the PCs that they are written for: what is not in
their READMEs, which tests/docs types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.lab import Host, Lab
from tests.lab.robot import HOME, LOGIN, furnish

#: What a PC's login sets today, for host networking.
TODAY = {"ROS_MASTER_URI": "http://192.168.50.12:11311", "ROS_HOSTNAME": "qtrp"}


def variables(host: Host, container: str) -> dict[str, str]:
    lines = host.docker("exec", container, "env").splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("ROS_"))


def in_its_folder(host: Host, *words: str, timeout: float = 60) -> None:
    """`macvlan-ros WORDS`, as typed on a PC of the robot in the example's folder."""
    folder = Path(HOME) / "harmoni"
    host.run("macvlan-ros", *words, env={**TODAY, **LOGIN}, cwd=folder, timeout=timeout)


def test_harmoni_on_the_hosts_network_launches_on_two_pcs(make_lab: Callable[..., Lab]) -> None:
    """With what a PC's login sets today. The other two ways are in the example's README."""
    files = ("compose.host-network.yaml", "two-pcs.yaml")
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
        host.docker("exec", name, "ping", "-c", "1", "-W", "2", other)
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
