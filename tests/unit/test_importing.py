"""A `docker run` line becomes a service of a stack file, which loads, beside what stands there."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPNetwork

from macvlan_ros import stack as stacks
from macvlan_ros.docker_cli.flags import KnownFlags
from macvlan_ros.docker_cli.importing import Imported, imported
from macvlan_ros.docker_cli.parsing import parse
from macvlan_ros.docker_cli.prefixes import after_run
from macvlan_ros.errors import Conflict, InvalidRequest, MacvlanRosError, StackFileError
from macvlan_ros.models.containers import DeviceRequest, Service
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


#: What `--gpus` and its like say, and what the engine is asked for.
GPUS = [
    ("--gpus all", DeviceRequest(count=-1)),
    ("--gpus 2", DeviceRequest(count=2)),
    ("--gpus count=2", DeviceRequest(count=2)),
    ("--gpus device=0", DeviceRequest(device_ids=("0",))),
    ("--gpus '\"device=0,2\"'", DeviceRequest(device_ids=("0", "2"))),
    ("--gpus driver=nvidia,count=-1", DeviceRequest("nvidia", -1)),
    (
        "--gpus 'all,\"capabilities=compute,utility\"'",
        DeviceRequest(count=-1, capabilities=(("compute", "utility", "gpu"),)),
    ),
    ("--gpus capabilities=video", DeviceRequest(count=1, capabilities=(("video", "gpu"),))),
    (
        "--device nvidia.com/gpu=all",
        DeviceRequest("cdi", None, ("nvidia.com/gpu=all",), ()),
    ),
]


def service(words: str, **more: Any) -> Imported:
    return imported(parse(shlex.split(words), KnownFlags(lambda: "")), **more)


def launched(done: Imported, folder: Path) -> Service:
    """The service as launch reads it from a file that has nothing else."""
    path = folder / "compose.yaml"
    path.unlink(missing_ok=True)
    assert add_to_file(path, done.name, done.service, more=done.sections)
    return stacks.load([path], environ={}).services[done.name]


def test_a_line_of_many_flags_is_a_service_that_launch_reads(tmp_path: Path) -> None:
    done = service(CORE, host="qtpc")
    loaded = launched(done, tmp_path)
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


def test_volumes_are_the_ones_that_the_line_has(tmp_path: Path) -> None:
    """Under their own names; what --mount says and a stack file cannot is told."""
    line = (
        "-v cache:/root/.ros:nocopy -v /anonymous --mount type=volume,source=ws,target=/ws,ro"
        " --mount type=tmpfs,destination=/run,tmpfs-size=64m,tmpfs-mode=1770"
        " --mount 'type=bind,\"src=/a,b\",dst=/c,bind-propagation=rslave,bind-nonrecursive'"
        " --mount type=image,source=x,target=/y noetic bash"
    )
    done = service(line)
    assert done.volumes == {"cache": {"name": "cache"}, "ws": {"name": "ws"}}
    assert done.notes == [
        f"bind-nonrecursive of --mount {shlex.split(line)[9]} is left out: a stack file has no"
        " such key here",
        "--mount type=image,source=x,target=/y is left out: a stack file has no such key here",
    ]
    found = {one.target: one for one in launched(done, tmp_path).mounts}
    assert {(one.kind, one.source) for one in found.values()} == {
        ("volume", "cache"),
        ("volume", ""),
        ("volume", "ws"),
        ("tmpfs", ""),
        ("bind", "/a,b"),
    }
    assert (found["/root/.ros"].mode, found["/ws"].read_only) == ("nocopy", True)
    assert (found["/run"].size, found["/run"].mode) == (64 << 20, "1770")
    # a folder that is not there: -v makes it, --mount does not
    assert (found["/c"].create_source, found["/c"].mode) == (False, "rslave")


def test_paths_lead_where_the_line_s_paths_led() -> None:
    line = "-v ./src:/src --mount type=bind,source=.,target=/w --env-file robot.env -v ~/x:/x"
    line += " --security-opt seccomp=deep/profile.json --security-opt seccomp=unconfined ros"
    here, elsewhere = service(line).service, service(line, folder="/home/me").service
    assert (here["volumes"][0], elsewhere["volumes"][0]) == ("./src:/src", "/home/me/src:/src")
    assert elsewhere["volumes"][1]["source"] == "/home/me"
    assert elsewhere["volumes"][2] == "~/x:/x"
    assert elsewhere["env_file"] == ["/home/me/robot.env"]
    assert elsewhere["security_opt"] == [
        "seccomp=/home/me/deep/profile.json",
        "seccomp=unconfined",
    ]


@pytest.mark.parametrize(("flag", "request_"), GPUS)
def test_the_devices_that_are_asked_for_are_the_same(
    flag: str, request_: DeviceRequest, tmp_path: Path
) -> None:
    assert launched(service(f"{flag} ros"), tmp_path).device_requests == (request_,)


@pytest.mark.parametrize(
    ("words", "entrypoint"),
    [("--entrypoint '/bin/my prog'", ("/bin/my prog",)), ("--entrypoint ''", ())],
)
def test_an_entrypoint_is_one_word(words: str, entrypoint: tuple[str], tmp_path: Path) -> None:
    done = service(f"{words} ros sh -c 'echo $HOME # x'")
    loaded = launched(done, tmp_path)
    assert (loaded.entrypoint, loaded.command) == (entrypoint, ("sh", "-c", "echo $HOME # x"))


def test_an_address_on_the_lan_is_asked_for_and_another_is_not(tmp_path: Path) -> None:
    line = "--network name=lan,ip=192.168.50.200,mac-address=02:42:ac:11:00:02 ros"
    lan = [IPNetwork("192.168.50.0/24")]
    loaded = launched(service(line, lan=lan), tmp_path)
    assert (str(loaded.address), loaded.mac) == ("192.168.50.200", "02:42:ac:11:00:02")
    off = service("--ip 172.18.3.5 ros", lan=lan, host="qtpc")
    assert "--ip 172.18.3.5 is left out: it is not on the LAN" in off.notes
    assert off.service["x-macvlan-ros"] == {"host": "qtpc"}
    assert "if it is on the LAN" in service("--ip 172.18.3.5 ros").notes[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--name my/robot ros", "no container's name such as 'my/robot'"),
        ("--name x ros", "no container's name such as 'x'"),
        ("--gpus '' ros", "--gpus has no value"),
        ("--gpus all,colour=red ros", "no field 'colour'"),
        ("--mount 'type=bind,\"src=/a' ros", "cannot be read"),
        ("--ip 300.1.1.1 ros", "--ip"),
    ],
)
def test_what_docker_would_not_take_is_not_imported(words: str, said: str) -> None:
    with pytest.raises(MacvlanRosError) as caught:
        service(words, lan=[IPNetwork("192.168.50.0/24")])
    assert said in str(caught.value)


def test_names_of_the_pc_s_hosts_file_that_the_line_speaks_of_go_along(tmp_path: Path) -> None:
    names = {"qtpc": "host-gateway", "qtrp": "192.168.50.12", "arm": "192.168.50.13"}
    line = "--net=host -e ROS_MASTER_URI=http://qtpc:11311 --add-host arm:1.2.3.4 ros ping qtrp arm"
    assert launched(service(line, names=names), tmp_path).extra_hosts == (
        ("arm", "1.2.3.4"),
        ("qtpc", "host-gateway"),
        ("qtrp", "192.168.50.12"),
    )
    other = service(line.replace("--net=host ", ""), names=names)
    assert launched(other, tmp_path).extra_hosts == (("arm", "1.2.3.4"),)


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("docker run -it ros", "-it ros"),
        ("sudo -E docker --context robot container run -it ros run", "-it ros run"),
        ("DISPLAY=:0 /usr/bin/docker -H ssh://qtrp run ros", "ros"),
        ("nvidia-docker run -it ros", "--runtime=nvidia -it ros"),
        ("podman run docker run", "docker run"),
    ],
)
def test_a_line_begins_with_docker_run_in_one_of_its_forms(line: str, flags: str) -> None:
    assert " ".join(after_run(line.split())) == flags


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "there is none"),
        ("--name talker ros run", "there is none"),
        ("docker exec -it talker run", "'docker exec' is another"),
        ("docker compose run talker", "'docker compose' is another"),
        ("docker", "'docker' is another"),
    ],
)
def test_another_line_is_refused(line: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        after_run(line.split())
    assert said in str(caught.value)


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
    assert add_to_file(path, done.name, done.service, more=done.sections)
    assert not add_to_file(path, done.name, done.service, more=done.sections)
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
