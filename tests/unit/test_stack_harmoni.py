"""The stacks that people run today, in host-network and in swarm style, load as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import ros, stack
from macvlan_ros.models.containers import Mount, Service
from macvlan_ros.models.stacks import Stack

CORE = IPAddress("192.168.50.195")
HARDWARE = IPAddress("192.168.50.196")
ADDRESSES = {"harmoni_core": CORE, "harmoni_hardware": HARDWARE}

VOLUMES = """\
      - /home/qtrobot/harmoni_catkin_ws/src/HARMONI/dockerfiles/config/setup_script.sh:/root/.setup_script.sh
      - /home/qtrobot/harmoni_catkin_ws/src/HARMONI/dockerfiles/config/dev_setup_script.sh:/root/.dev_setup_script.sh
      - /home/qtrobot/harmoni_catkin_ws/src/HARMONI/dockerfiles/config/asoundrc:/root/.asoundrc
      - /tmp/.X11-unix:/tmp/.X11-unix
      - /home/qtrobot/.gitconfig:/root/.gitconfig:ro
      - /home/qtrobot/.ssh/:/root/.ssh:ro
      - /home/qtrobot/.vimrc:/root/.vimrc:ro
      - /home/qtrobot/.vim/:/root/.vim/:ro
      - /etc/timezone:/etc/timezone:ro
      - /etc/localtime:/etc/localtime:ro
"""  # noqa: E501

SERVICES = {
    "harmoni_core": ("cmbirmingham/harmoni-lightweight:latest", "/dev/video0"),
    "harmoni_hardware": ("harmoniteam/lightweight:harmoni", "/dev/snd"),
}


def service_text(name: str, network: str, environment: list[str]) -> str:
    image, device = SERVICES[name]
    variables = [*environment, "ROS_DISTRO=kinetic", "CATKIN_WS=harmoni_catkin_ws"]
    listed = "".join(f'      - "{variable}"\n' for variable in [*variables, "IS_DOCKER_ENV=true"])
    return f"""\
  {name}:
    container_name: {name}
    image: {image}
    command: bash
    stdin_open: true
    tty: true
    init: true
{network}    devices:
      - {device}:{device}
    environment:
{listed}    volumes:
{VOLUMES}    working_dir: /root/harmoni_catkin_ws/src/HARMONI
"""


def host_style() -> str:
    variables = [f"{name}=${name}" for name in ("ROS_MASTER_URI", "ROS_HOSTNAME", "ROS_IP")]
    network = "    network_mode: host\n"
    return "services:\n" + "".join(service_text(name, network, variables) for name in SERVICES)


def swarm_style() -> str:
    text = 'version: "3.8"\nservices:\n'
    for name, last in (("harmoni_core", 5), ("harmoni_hardware", 4)):
        network = (
            f"    networks:\n      ros_net:\n        ipv4_address: 172.18.3.{last}\n"
            '    ports: ["11312:11312", "33691:33691", "8081:8081"]\n'
        )
        variables = ["ROS_MASTER_URI=http://172.18.3.4:11311", f"ROS_HOSTNAME={name}"]
        text += service_text(name, network, variables)
    return text + (
        "networks:\n  ros_net:\n    driver: overlay\n    attachable: true\n"
        "    ipam:\n      config:\n        - subnet: 172.18.3.0/24\n"
    )


def load(folder: Path, text: str, environ: dict[str, str]) -> Stack:
    (folder / "compose.yaml").write_text(text)
    return stack.load(stack.find_files(folder, environ), environ=environ)


def ros_of(loaded: Stack, service: Service) -> ros.RosEnvironment:
    return ros.environment(
        service,
        address=ADDRESSES[service.name],
        master_uri=ros.master_uri(loaded, ADDRESSES, {}),
        image_environment={},
        former=ros.former_addresses(loaded, ADDRESSES),
    )


@pytest.mark.parametrize("text", [host_style(), swarm_style()], ids=["host", "swarm"])
def test_everything_of_docker_run_arrives(tmp_path: Path, text: str) -> None:
    loaded = load(tmp_path, text, {})
    core = loaded.services["harmoni_core"]
    assert core.image == "cmbirmingham/harmoni-lightweight:latest"
    assert core.container_name == core.owner == "harmoni_core"
    assert core.command == ("bash",)
    assert (core.init, core.tty, core.stdin_open) == (True, True, True)
    assert core.working_dir == "/root/harmoni_catkin_ws/src/HARMONI"
    assert [device.source for device in core.devices] == ["/dev/video0"]
    assert len(core.mounts) == 10
    assert core.mounts[7] == Mount(
        "bind", "/home/qtrobot/.vim", "/root/.vim", read_only=True, create_source=True
    )
    assert core.environment["IS_DOCKER_ENV"] == "true"
    assert core.bridges == ()
    assert loaded.volumes == {}


def test_a_host_network_stack_is_noted_as_replaced_and_follows_the_caller(tmp_path: Path) -> None:
    environ = {"ROS_MASTER_URI": "http://192.168.50.11:11311", "ROS_IP": "192.168.50.11"}
    loaded = load(tmp_path, host_style(), environ)
    core = loaded.services["harmoni_core"]
    assert any("network_mode 'host' is replaced" in note for note in loaded.notes)
    assert any("the variable ROS_HOSTNAME is not set" in note for note in loaded.notes)
    done = ros_of(loaded, core)
    assert done.variables["ROS_IP"] == "192.168.50.195"
    assert done.variables["ROS_MASTER_URI"] == "http://192.168.50.11:11311"
    assert "ROS_HOSTNAME" not in done.variables
    assert done.variables["ROS_DISTRO"] == "kinetic"


def test_a_host_network_stack_without_a_master_leaves_the_image_its_own(tmp_path: Path) -> None:
    loaded = load(tmp_path, host_style(), {})
    done = ros_of(loaded, loaded.services["harmoni_core"])
    assert "ROS_MASTER_URI" not in done.variables
    assert any("ROS_MASTER_URI is empty" in note for note in done.notes)


def test_a_swarm_stack_finds_its_master_on_the_lan(tmp_path: Path) -> None:
    loaded = load(tmp_path, swarm_style(), {})
    core = loaded.services["harmoni_core"]
    assert core.former_address == IPAddress("172.18.3.5")
    assert core.address is None
    assert "network 'ros_net' (overlay) is replaced by the macvlan network 'ros_lan'" in (
        loaded.notes
    )
    assert any("ports are not published" in note for note in loaded.notes)
    done = ros_of(loaded, core)
    assert done.variables["ROS_MASTER_URI"] == "http://192.168.50.196:11311"
    assert done.variables["ROS_IP"] == "192.168.50.195"
    assert "ROS_HOSTNAME" not in done.variables
    assert any("becomes http://192.168.50.196:11311" in note for note in done.notes)
