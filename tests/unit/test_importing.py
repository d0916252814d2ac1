"""A `docker run` line becomes a service of a stack file, which loads, beside what stands there."""

from pathlib import Path
from typing import Any

import pytest

from macvlan_ros import stack as stacks
from macvlan_ros.docker_cli.flags import KnownFlags
from macvlan_ros.docker_cli.importing import Imported, imported
from macvlan_ros.docker_cli.parsing import parse
from macvlan_ros.errors import Conflict, InvalidRequest, StackFileError
from macvlan_ros.stack.adding import add_to_file, with_service

CORE = """-it --name harmoni_core --network host --init --device=/dev/video0:/dev/video0
    -e ROS_MASTER_URI= -e ROS_HOSTNAME=qtpc -e ROS_DISTRO=kinetic -e PRICE=5$ -e HOME
    -v /home/qtrobot/.vim/:/root/.vim/:ro -w /root -p 80:80 --rm --ulimit nofile=1024:2048
    --mount type=bind,src=/a,dst=/b,readonly --stop-timeout 5 --restart unless-stopped
    --log-opt max-size=1m --shm-size 64m --cpu-shares 3 --memory-swap -1 --cpuset-cpus 0-1
    --blkio-weight 300 --oom-kill-disable --gpus all image:tag bash"""

FILE = """# the robot's stack
services:
    talker:   # speaks
        image: a
        command: ["x"]   # as it is
# the networks
networks: {}
"""


def service(words: str, **more: Any) -> Imported:
    return imported(parse(words.split(), KnownFlags(lambda: "")), **more)


def test_a_line_of_many_flags_is_a_service_that_launch_reads(tmp_path: Path) -> None:
    done = service(CORE, host="qtpc")
    path = tmp_path / "compose.yaml"
    assert add_to_file(path, done.name, done.service)
    loaded = stacks.load([path], environ={}).services["harmoni_core"]
    assert (loaded.image, loaded.command, loaded.host) == ("image:tag", ("bash",), "qtpc")
    assert (loaded.tty, loaded.stdin_open, loaded.init) == (True, True, True)
    assert dict(loaded.environment) == {"ROS_DISTRO": "kinetic", "PRICE": "5$"}
    assert [(one.kind, one.target, one.read_only) for one in loaded.mounts] == [
        ("bind", "/root/.vim", True),
        ("bind", "/b", True),
    ]
    assert (loaded.stop_grace_period, loaded.restart) == (5.0, "unless-stopped")
    assert [(one.name, one.soft, one.hard) for one in loaded.ulimits] == [("nofile", 1024, 2048)]
    assert loaded.device_requests[0].count == -1
    assert loaded.host_config == {
        "CpuShares": 3, "MemorySwap": -1, "CpusetCpus": "0-1", "OomKillDisable": True,
    }  # fmt: skip
    assert dict(loaded.log_options) == {"max-size": "1m"}
    said = "\n".join(done.notes)
    for word in ("-p 80:80", "--rm", "ROS_HOSTNAME=qtpc", "ROS_MASTER_URI=", "--blkio-weight 300"):
        assert f"{word} is left out" in said


def test_networks_beside_the_lan_are_the_stack_s_too(tmp_path: Path) -> None:
    """Of those whose driver nobody knows, the first is taken for the LAN's."""
    line = (
        "--network ros_net --network name=side,alias=s,ip=10.9.0.5 --network none --name tool ros"
    )
    done = service(line)
    assert done.service["networks"] == {
        "default": {},
        "side": {"aliases": ["s"], "ipv4_address": "10.9.0.5"},
    }
    said = "; ".join(done.notes)
    assert "--network ros_net is left out: the stack's own" in said
    assert "--network none is left out" in said
    path = tmp_path / "compose.yaml"
    path.write_text("services:\n  talker: {image: a}\nnetworks:\n  other: {}\n")
    assert add_to_file(path, done.name, done.service, networks=done.networks)
    assert not add_to_file(path, done.name, done.service, networks=done.networks)
    (bridge,) = stacks.load([path], environ={}).services["tool"].bridges
    assert (bridge.name, bridge.external, str(bridge.address)) == ("side", True, "10.9.0.5")
    known = service(line, drivers={"ros_net": "bridge", "side": "macvlan"})
    assert known.networks == {"ros_net": {"external": True}}
    assert known.service["networks"]["default"] == {"aliases": ["s"]}


def test_a_service_is_added_and_everything_else_stays_to_the_letter() -> None:
    new = with_service(FILE, "f", "core", {"image": "b"})
    before, after = FILE.split("# the networks")
    assert new == f"{before}\n    core:\n      image: b\n# the networks{after}"
    assert with_service(new, "f", "core", {"image": "b"}) == new
    with pytest.raises(Conflict, match="f:8: the service 'core' is there already"):
        with_service(new, "f", "core", {"image": "c"})
    assert "services:" in with_service("name: robot\n", "f", "core", {"image": "b"})


@pytest.mark.parametrize("text", ["services: {a: {image: b}}\n", "services:\n  a: &x\n   {b: c"])
def test_a_file_to_which_nothing_can_be_added_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(StackFileError, match=r"compose\.yaml:"):
        add_to_file(path, "core", {"image": "b"})
    assert path.read_text() == text


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written"):
        add_to_file(tmp_path / "none" / "compose.yaml", "core", {"image": "b"})
