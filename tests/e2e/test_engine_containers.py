"""Containers as we create them, looked at with docker's own command line and from inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.engine import Engine
from macvlan_ros.errors import ImageNotFound
from macvlan_ros.models.containers import BridgeUse, Device, Healthcheck, Mount, Ulimit, Volume
from tests.e2e.engines import ADDRESS, IMAGE, MAC, NAME, create, inside, inspect, run
from tests.lab import Host, Lab


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
    engine.ensure_volume(Volume("bags"), labels={})
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


def test_an_image_tells_what_it_brings_along(engine: Engine, host: Host) -> None:
    host.import_image("robot:full", env={"A": "b=c"}, entrypoint=["/bin/sh", "-c"], cmd=["rest"])
    image = engine.image("robot:full")
    assert image.environment["A"] == "b=c"
    assert (image.entrypoint, image.command) == (("/bin/sh", "-c"), ("rest",))
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


def test_nothing_is_written_outside_the_lab(engine: Engine) -> None:
    run(engine, mounts=(Mount("bind", "/run/home/only-here", "/x", create_source=True),))
    assert not Path("/run/home/only-here").exists()
