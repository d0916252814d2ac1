"""Containers as we create them, looked at with docker's own command line and from inside."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_plain import PlainClient
from macvlan_ros.engine import Engine
from macvlan_ros.errors import (
    AddressInUse,
    BadSubnet,
    Conflict,
    ContainerConflict,
    DeviceNotFound,
    EngineRefused,
    ImageNotFound,
    InvalidRequest,
    MacvlanRosError,
    NetworkNotFound,
)
from macvlan_ros.models.containers import (
    BridgeUse,
    Device,
    DeviceRequest,
    Healthcheck,
    Mount,
    Ulimit,
)
from tests.e2e.engines import (
    ADDRESS,
    IMAGE,
    MAC,
    NETWORK,
    TALKER,
    container_names,
    create,
    inspect,
)
from tests.lab import Host, Lab

NAME = TALKER.container_name


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.hosts["qtpc"]


@pytest.fixture
def engine(host: Host) -> Iterator[Engine]:
    """The host's engine, with the network and an image that sets ROS_HOSTNAME."""
    host.import_image(IMAGE, env={"ROS_HOSTNAME": "build-host", "ROS_DISTRO": "noetic"})
    with Engine(host.docker_url) as engine:
        engine.ensure_network(NETWORK)
        yield engine


def run(engine: Engine, **options: Any) -> str:
    identity = create(engine, **options)
    engine.start(identity)
    return identity


def await_exit(engine: Engine) -> int:
    """The exit code of the container, once it has ended."""
    deadline = time.monotonic() + 30
    while (found := engine.container(NAME)) is None or found.state != "exited":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found.exit_code


def inside(host: Host, *command: str, name: str = NAME) -> str:
    return host.docker("exec", name, *command)


def test_the_container_stands_on_the_lan_with_its_address_and_mac(
    engine: Engine, lab: Lab, host: Host
) -> None:
    run(engine)
    seen = inside(host, "ip", "addr", "show", "eth0")
    assert f"link/ether {MAC}" in seen
    assert f"inet {ADDRESS}/24" in seen
    assert "default via 192.168.50.1" in inside(host, "ip", "route")
    lab.hosts["qtrp"].run("busybox", "ping", "-c1", "-w5", str(ADDRESS))
    assert MAC in lab.hosts["qtrp"].run("ip", "neigh", "show", str(ADDRESS)).stdout


def test_a_started_container_reads_as_what_was_created(engine: Engine) -> None:
    identity = run(engine)
    found = engine.container(NAME)
    assert found is not None
    assert (found.id, found.image, found.state, found.running) == (identity, IMAGE, "running", True)
    assert (found.address, found.mac, found.networks) == (ADDRESS, MAC, {"ros_lan": ADDRESS})
    assert found.stack == "robot"
    assert found.status.startswith("Up ")
    assert found.image_id == engine.image(IMAGE).id
    assert found.created > "2020"


def test_address_and_mac_outlive_a_stop(engine: Engine, host: Host) -> None:
    identity = run(engine)
    assert engine.stop(identity, 5) is True
    found = engine.container(NAME)
    assert found is not None
    assert (found.state, found.exit_code) == ("exited", 0)
    assert (found.address, found.mac) == (ADDRESS, MAC)
    engine.start(identity)
    assert f"link/ether {MAC}" in inside(host, "ip", "link", "show", "eth0")


def test_the_images_ros_hostname_is_removed(engine: Engine, host: Host) -> None:
    run(engine, environment={"ROS_IP": str(ADDRESS), "ROS_HOSTNAME": None, "A": "b=c d"})
    variables = inside(host, "env").splitlines()
    assert f"ROS_IP={ADDRESS}" in variables
    assert "A=b=c d" in variables
    assert "ROS_DISTRO=noetic" in variables
    assert not any(line.startswith("ROS_HOSTNAME") for line in variables)


def test_names_are_resolved_by_alias_and_by_hosts(engine: Engine, host: Host) -> None:
    run(
        engine,
        hosts=(("qtrp", "192.168.50.12"),),
        aliases=("chatter",),
        extra_hosts=(("x", "::1"),),
    )
    hosts = inside(host, "cat", "/etc/hosts")
    assert "192.168.50.12\tqtrp" in hosts
    assert "::1\tx" in hosts
    for alias in ("talker", NAME, "chatter"):
        assert str(ADDRESS) in inside(host, "nslookup", alias)


def test_command_user_and_place_are_as_the_service_says(engine: Engine, host: Host) -> None:
    create(
        engine,
        command=("sleep", "5"),
        entrypoint=("/bin/sh", "-c"),
        hostname="robot",
        domainname="lan",
        user="1000:1000",
        working_dir="/tmp",
        labels={"macvlan-ros.owner": NAME},
        tty=True,
        stdin_open=True,
        stop_signal="SIGINT",
        stop_grace_period=2.5,
        healthcheck=Healthcheck(test=("CMD", "true"), interval=1.5, start_period=60, retries=2),
    )
    config = inspect(host)["Config"]
    expected = {
        "Cmd": ["sleep", "5"],
        "Entrypoint": ["/bin/sh", "-c"],
        "Hostname": "robot",
        "Domainname": "lan",
        "User": "1000:1000",
        "WorkingDir": "/tmp",
        "Tty": True,
        "OpenStdin": True,
        "StopSignal": "SIGINT",
        "StopTimeout": 3,
        "Healthcheck": {
            "Test": ["CMD", "true"],
            "Interval": 1_500_000_000,
            "StartPeriod": 60_000_000_000,
            "Retries": 2,
        },
    }
    assert {key: config[key] for key in expected} == expected
    assert config["Labels"]["macvlan-ros.owner"] == NAME


def test_rights_and_limits_are_as_the_service_says(engine: Engine, host: Host) -> None:
    identity = create(
        engine,
        init=True,
        read_only=True,
        cap_add=("SYS_NICE",),
        cap_drop=("NET_RAW",),
        security_opt=("seccomp=unconfined", "systempaths=unconfined"),
        group_add=("dialout", "20"),
        ipc="host",
        pid="host",
        shm_size=128 << 20,
        memory=256 << 20,
        cpus=0.5,
        ulimits=(Ulimit("rtprio", 99, 99), Ulimit("memlock", -1, -1)),
        sysctls={"net.ipv4.ip_default_ttl": "32"},
        restart="on-failure",
        restart_retries=4,
        log_driver="json-file",
        log_options={"max-size": "1m"},
        dns=("192.168.50.1",),
        dns_search=("lan",),
        dns_options=("ndots:2",),
        device_cgroup_rules=("c 188:* rmw",),
        tmpfs={"/run": "size=1m"},
    )
    config = inspect(host)["HostConfig"]
    expected = {
        "Init": True,
        "ReadonlyRootfs": True,
        "CapAdd": ["SYS_NICE"],
        "CapDrop": ["NET_RAW"],
        # the second is what Docker makes of ipc=host
        "SecurityOpt": ["seccomp=unconfined", "label=disable"],
        "MaskedPaths": [],
        "GroupAdd": ["dialout", "20"],
        "IpcMode": "host",
        "PidMode": "host",
        "ShmSize": 128 << 20,
        "Memory": 256 << 20,
        "NanoCpus": 500_000_000,
        "Ulimits": [
            {"Name": "rtprio", "Soft": 99, "Hard": 99},
            {"Name": "memlock", "Soft": -1, "Hard": -1},
        ],
        "Sysctls": {"net.ipv4.ip_default_ttl": "32"},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 4},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "Dns": ["192.168.50.1"],
        "DnsSearch": ["lan"],
        "DnsOptions": ["ndots:2"],
        "DeviceCgroupRules": ["c 188:* rmw"],
        "Tmpfs": {"/run": "size=1m"},
        "NetworkMode": "ros_lan",
        "Runtime": "runc",
    }
    assert {key: config[key] for key in expected} == expected
    engine.remove(identity)


def test_limits_hold_inside(engine: Engine, host: Host) -> None:
    run(
        engine,
        init=True,
        ulimits=(Ulimit("nofile", 77, 78),),
        sysctls={"net.ipv4.ip_default_ttl": "32"},
        shm_size=8 << 20,
        devices=(Device("/dev/null", "/dev/robot", "rw"),),
    )
    # not by ulimit: runc gives what docker exec starts the hard limit as its soft one at times
    limits = inside(host, "grep", "Max open files", "/proc/1/limits")
    assert limits.split()[3:5] == ["77", "78"]
    assert inside(host, "cat", "/proc/sys/net/ipv4/ip_default_ttl") == "32"
    assert "8192" in inside(host, "df", "-k", "/dev/shm")
    assert inside(host, "stat", "-c", "%t:%T", "/dev/robot") == "1:3"
    assert "init" in inside(host, "cat", "/proc/1/cmdline")


def test_mounts_of_every_kind_hold_inside(engine: Engine, host: Host) -> None:
    host.run("sh", "-c", "mkdir -p /run/home/maps && echo map > /run/home/maps/one")
    engine.ensure_volume("bags", labels={}, external=False)
    run(
        engine,
        mounts=(
            Mount("bind", "/run/home/maps", "/maps", read_only=True, mode="rslave"),
            Mount("bind", "/run/home/new/folder", "/new", create_source=True),
            Mount("volume", "bags", "/bags"),
            Mount("volume", "", "/scratch"),
            Mount("tmpfs", "", "/ram", size=1 << 20, mode="700"),
        ),
        tmpfs={"/tmp": "size=2m"},
    )
    assert inside(host, "cat", "/maps/one") == "map"
    with pytest.raises(Exception, match="Read-only"):
        inside(host, "touch", "/maps/two")
    inside(host, "touch", "/new/here", "/bags/here", "/scratch/here")
    assert host.path("/run/home/new/folder/here").exists()
    assert "1024" in inside(host, "df", "-k", "/ram")
    assert inside(host, "stat", "-c", "%a", "/ram") == "700"
    assert "2048" in inside(host, "df", "-k", "/tmp")
    kinds = {mount["Destination"]: mount["Type"] for mount in inspect(host)["Mounts"]}
    assert kinds == {
        "/maps": "bind",
        "/new": "bind",
        "/bags": "volume",
        "/scratch": "volume",
        "/ram": "tmpfs",
    }


def test_additional_networks_are_joined_before_the_start(engine: Engine, host: Host) -> None:
    bridge = BridgeUse(
        "backend",
        aliases=("database",),
        address=IPAddress("10.9.0.9"),
        subnets=(IPNetwork("10.9.0.0/24"),),
    )
    plain = BridgeUse("another")
    for one in (bridge, plain):
        engine.ensure_bridge(one, labels={})
    run(engine, bridges=(bridge, plain))
    found = engine.container(NAME)
    assert found is not None
    assert set(found.networks) == {"ros_lan", "backend", "another"}
    assert (found.networks["backend"], found.address) == (IPAddress("10.9.0.9"), ADDRESS)
    seen = inside(host, "ip", "addr")
    assert f"inet {ADDRESS}/24" in seen
    assert "inet 10.9.0.9/24" in seen
    assert seen.count(MAC) == 1
    # which of them is eth0 is up to Docker
    assert {"database", "talker", NAME} <= set(
        inspect(host)["NetworkSettings"]["Networks"]["backend"]["Aliases"]
    )


def test_a_container_that_cannot_join_a_network_is_not_left_behind(
    engine: Engine, host: Host
) -> None:
    with pytest.raises(NetworkNotFound, match="backend"):
        create(engine, bridges=(BridgeUse("backend"),))
    assert container_names(host) == []


def test_a_name_that_is_taken_is_said_and_the_holder_kept(engine: Engine, host: Host) -> None:
    host.docker("create", "--name", NAME, IMAGE)
    before = inspect(host)["Id"]
    with pytest.raises(ContainerConflict, match=f"docker rm -f {NAME}"):
        create(engine)
    assert inspect(host)["Id"] == before
    found = engine.container(NAME)
    assert found is not None


def test_what_is_missing_is_said_at_creation(engine: Engine, host: Host) -> None:
    with pytest.raises(ImageNotFound, match="nope:1"):
        create(engine, image="nope:1")
    with pytest.raises(InvalidRequest, match="/nope/maps does not exist on this host"):
        create(engine, mounts=(Mount("bind", "/nope/maps", "/maps"),))
    with pytest.raises(EngineRefused, match="no runtime 'nvidia'"):
        create(engine, runtime="nvidia")
    assert container_names(host) == []


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        (
            {"devices": (Device("/dev/ttyNOPE", "/dev/ttyNOPE"),)},
            DeviceNotFound,
            "/dev/ttyNOPE is not on this host",
        ),
        (
            {"device_requests": (DeviceRequest(count=-1),)},
            EngineRefused,
            "NVIDIA Container Toolkit",
        ),
        ({"command": ("nope",)}, InvalidRequest, "its command 'nope' cannot be run"),
        ({"user": "nobody-here"}, InvalidRequest, "no user 'nobody-here'"),
    ],
)
def test_what_is_missing_is_said_at_the_start(
    changes: dict[str, Any], kind: type[MacvlanRosError], sentence: str, engine: Engine
) -> None:
    identity = create(engine, **changes)
    with pytest.raises(kind) as caught:
        engine.start(identity)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"Docker cannot start container '{NAME}': ")
    assert "OCI" not in str(caught.value)
    assert engine.remove(identity) is True


def test_an_address_that_another_container_of_the_engine_has_is_refused(engine: Engine) -> None:
    run(engine)
    second = create(engine, container_name="second", mac="02:42:00:00:00:c4")
    with pytest.raises(AddressInUse, match="start container"):
        engine.start(second)


def test_an_address_outside_the_subnet_is_refused(engine: Engine) -> None:
    # old engines find out at the start, new ones at the creation
    with pytest.raises(BadSubnet, match=r"10\.1\.1\.1 is not in its network's subnet"):
        engine.start(create(engine, address=IPAddress("10.1.1.1")))


def test_a_network_that_is_gone_is_said_at_the_start(engine: Engine, host: Host) -> None:
    identity = create(engine)
    host.docker("network", "rm", "ros_lan")
    with pytest.raises(NetworkNotFound, match="no Docker network ros_lan"):
        engine.start(identity)


def test_only_our_containers_are_listed_and_each_stack_by_itself(
    engine: Engine, host: Host
) -> None:
    host.docker("create", "--name", "foreign", IMAGE)
    create(engine)
    create(engine, container_name="other", labels={"macvlan-ros.stack": "robot2"})
    assert [one.name for one in engine.containers()] == ["other", NAME]
    assert [one.name for one in engine.containers(stack="robot")] == [NAME]
    assert engine.containers(stack="rob") == ()


def test_a_container_is_found_by_its_exact_name(engine: Engine, host: Host) -> None:
    identity = create(engine, container_name="robot.talker")
    host.docker("create", "--name", "robotxtalker", IMAGE)
    found = engine.container("robot.talker")
    assert found is not None
    assert found.id == identity
    assert engine.container("robot") is None
    assert engine.container("obot.talker") is None
    assert engine.container(identity[:6]) is None


def test_renaming_keeps_the_container_and_refuses_a_taken_name(engine: Engine) -> None:
    identity = create(engine)
    engine.rename(identity, "robot_old")
    create(engine)
    found = engine.container("robot_old")
    assert found is not None
    assert found.id == identity
    with pytest.raises(ContainerConflict, match=NAME):
        engine.rename(identity, NAME)


def test_stopping_killing_and_removing_twice_is_fine(engine: Engine, host: Host) -> None:
    identity = run(engine)
    with pytest.raises(Conflict):
        engine.remove(identity)
    assert engine.kill(identity) is True
    assert await_exit(engine) == 137
    assert engine.kill(identity) is False
    assert engine.stop(identity, 1) is True
    assert engine.remove(identity) is True
    assert engine.remove(identity) is False
    assert engine.stop(identity) is False
    assert engine.kill(identity) is False
    assert container_names(host) == []


@pytest.mark.alone
def test_a_stop_waits_as_long_as_the_service_says_and_no_longer(engine: Engine) -> None:
    # the shell ignores SIGTERM as process 1
    stubborn = ("sh", "-c", "sleep 60; true")
    identity = run(engine, command=stubborn, stop_grace_period=1.0)
    began = time.monotonic()
    engine.stop(identity)
    assert 0.9 < time.monotonic() - began < 8
    assert await_exit(engine) == 137


def test_two_who_remove_one_container_both_see_it_gone(engine: Engine, host: Host) -> None:
    identity = run(engine)
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda: ended.append(engine.remove(identity, force=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 4
    assert container_names(host) == []


def test_removing_with_volumes_leaves_no_anonymous_one(engine: Engine, host: Host) -> None:
    engine.ensure_volume("bags", labels={}, external=False)
    mounts = (Mount("volume", "", "/scratch"), Mount("volume", "bags", "/bags"))
    identity = create(engine, mounts=mounts)
    assert len(host.docker("volume", "ls", "-q").split()) == 2
    engine.remove(identity, volumes=True)
    assert host.docker("volume", "ls", "-q") == "bags"


def test_the_log_is_the_last_lines_of_both_streams(engine: Engine) -> None:
    command = ("sh", "-c", "echo one; echo two; sleep 1; echo grüße >&2; exit 1")
    identity = run(engine, command=command)
    await_exit(engine)
    text = engine.logs(identity, tail=2)
    assert text.splitlines() == ["two", "grüße"]


def test_a_creation_that_is_interrupted_leaves_nothing_behind(
    engine: Engine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_for_real = PlainClient.create_container

    def interrupted(*args: Any, **options: Any) -> None:
        create_for_real(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(PlainClient, "create_container", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create(engine)
    assert container_names(host) == []


def test_an_interruption_never_removes_somebody_elses_container(
    engine: Engine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.docker("create", "--name", NAME, IMAGE)

    def interrupted(*_args: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PlainClient, "create_container", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create(engine)
    assert container_names(host) == [NAME]


def test_eight_threads_share_one_engine(engine: Engine) -> None:
    failures: list[BaseException] = []

    def launch(number: int) -> None:
        try:
            name = f"robot_{number}"
            address = IPAddress(f"192.168.50.{200 + number}")
            engine.start(create(engine, container_name=name, address=address, mac=""))
        except MacvlanRosError as error:
            failures.append(error)

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    running = {one.name: one.address for one in engine.containers() if one.running}
    assert running == {f"robot_{n}": IPAddress(f"192.168.50.{200 + n}") for n in range(8)}


def test_an_image_tells_what_it_brings_along(engine: Engine, host: Host) -> None:
    host.import_image("robot:full", env={"A": "b=c"}, entrypoint=["/bin/sh", "-c"], cmd=["rest"])
    image = engine.image("robot:full")
    assert image.environment["A"] == "b=c"
    assert (image.entrypoint, image.command) == (("/bin/sh", "-c"), ("rest",))
    assert image.tags == ("robot:full",)
    assert image.id == json.loads(host.docker("image", "inspect", "robot:full"))[0]["Id"]
    with pytest.raises(ImageNotFound, match="docker pull nope:1"):
        engine.image("nope:1")
    with pytest.raises(ImageNotFound, match="docker pull a//b"):
        engine.image("a//b")


def test_the_engine_says_who_it_is(engine: Engine) -> None:
    info = engine.info()
    assert info.name == "qtpc"
    assert info.version.startswith(tuple("23456789"))
    assert (info.os, info.rootless, info.swarm) == ("linux", False, False)
    assert "runc" in info.runtimes


def test_nothing_is_written_outside_the_lab(engine: Engine) -> None:
    run(engine, mounts=(Mount("bind", "/run/home/only-here", "/x", create_source=True),))
    assert not Path("/run/home/only-here").exists()
