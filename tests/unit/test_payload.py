"""A service as the Engine API takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from netaddr import IPAddress

from macvlan_ros.docker_api.payload import api_number, container_payload, service_aliases
from macvlan_ros.models.containers import (
    Attachment,
    BridgeUse,
    Device,
    DeviceRequest,
    Healthcheck,
    Mount,
    Service,
    Ulimit,
)

ATTACHMENT = Attachment("ros_lan", IPAddress("192.168.50.195"), "02:42:0a:00:00:01")
PLAIN = Service(name="talker", image="ros:noetic", container_name="robot_talker")


def payload(service: Service = PLAIN, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "attachment": ATTACHMENT,
        "environment": {},
        "hosts": (),
        "labels": {},
        "api_version": "1.41",
    }
    return container_payload(service, **{**options, **more})


def host_config(**changes: Any) -> dict[str, Any]:
    return dict(payload(replace(PLAIN, **changes))["HostConfig"])


def mounts(*wanted: Mount) -> tuple[list[str], list[dict[str, Any]]]:
    config = host_config(mounts=wanted)
    return config["Binds"], config["Mounts"]


def test_an_old_engine_is_given_the_mac_of_the_container() -> None:
    made = payload(api_version="1.43")
    assert made["MacAddress"] == ATTACHMENT.mac
    endpoint = made["NetworkingConfig"]["EndpointsConfig"]["ros_lan"]
    assert endpoint["IPAMConfig"] == {"IPv4Address": "192.168.50.195"}
    assert "MacAddress" not in endpoint
    assert made["HostConfig"]["NetworkMode"] == "ros_lan"


@pytest.mark.parametrize("version", ["1.44", "1.52", "2.0"])
def test_a_new_engine_is_given_the_mac_of_the_endpoint(version: str) -> None:
    made = payload(api_version=version)
    assert "MacAddress" not in made
    assert made["NetworkingConfig"]["EndpointsConfig"]["ros_lan"]["MacAddress"] == ATTACHMENT.mac


def test_versions_compare_as_numbers() -> None:
    assert api_number("1.9") < api_number("1.41") < api_number("1.44")


def test_a_variable_without_a_value_is_removed_and_an_empty_one_is_kept() -> None:
    environment = {"ROS_IP": "192.168.50.195", "ROS_HOSTNAME": None, "EMPTY": "", "EQ": "a=b"}
    made = payload(environment=environment)
    assert made["Env"] == ["ROS_IP=192.168.50.195", "ROS_HOSTNAME", "EMPTY=", "EQ=a=b"]


def test_what_the_service_leaves_open_stays_as_the_image_has_it() -> None:
    made = payload()
    for key in ("Cmd", "Entrypoint", "User", "WorkingDir", "Hostname", "StopSignal", "Healthcheck"):
        assert key not in made
    for key in ("Init", "IpcMode", "PidMode", "ShmSize", "Runtime", "LogConfig", "Memory"):
        assert key not in made["HostConfig"]


def test_an_empty_command_or_entrypoint_is_said() -> None:
    made = payload(replace(PLAIN, command=(), entrypoint=()))
    assert (made["Cmd"], made["Entrypoint"]) == ([], [])


def test_our_labels_win_over_the_files_and_mark_the_container_as_ours() -> None:
    service = replace(PLAIN, labels={"a": "1", "macvlan-ros.owner": "x"})
    made = payload(service, labels={"macvlan-ros.owner": "robot_talker"})
    assert made["Labels"] == {
        "a": "1",
        "macvlan-ros.owner": "robot_talker",
        "macvlan-ros.managed": "1",
    }


def test_each_name_is_an_alias_once() -> None:
    service = replace(PLAIN, container_name="talker", aliases=("chatter", "talker"))
    assert service_aliases(service, ("more",)) == ["talker", "chatter", "more"]


def test_the_files_own_hosts_stand_first() -> None:
    service = replace(PLAIN, extra_hosts=(("master", "10.0.0.1"), ("v6", "fd00::1")))
    made = payload(service, hosts=[("listener", "192.168.50.196"), ("master", "10.0.0.1")])
    assert made["HostConfig"]["ExtraHosts"] == [
        "master:10.0.0.1",
        "v6:fd00::1",
        "listener:192.168.50.196",
    ]


def test_times_are_whole_seconds_to_stop_and_nanoseconds_to_check() -> None:
    check = Healthcheck(test=("CMD", "true"), interval=1.5, timeout=0.25, retries=3)
    made = payload(replace(PLAIN, stop_grace_period=1.5, healthcheck=check))
    assert made["StopTimeout"] == 2
    assert made["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "Interval": 1_500_000_000,
        "Timeout": 250_000_000,
        "StartPeriod": 0,
        "Retries": 3,
    }


def test_retries_go_with_on_failure_alone() -> None:
    failing = host_config(restart="on-failure", restart_retries=3)
    assert failing["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    always = host_config(restart="always", restart_retries=3)
    assert always["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}


def test_sizes_and_limits_are_in_dockers_units() -> None:
    config = host_config(
        cpus=1.5, memory=1 << 30, shm_size=1 << 26, ulimits=(Ulimit("rtprio", 99, 99),)
    )
    assert config["NanoCpus"] == 1_500_000_000
    assert (config["Memory"], config["ShmSize"]) == (1 << 30, 1 << 26)
    assert config["Ulimits"] == [{"Name": "rtprio", "Soft": 99, "Hard": 99}]


def test_what_is_said_in_dockers_own_words_is_handed_on() -> None:
    config = host_config(host_config={"CpusetCpus": "0-3", "OomScoreAdj": -500})
    assert (config["CpusetCpus"], config["OomScoreAdj"]) == ("0-3", -500)


def test_devices_and_gpus() -> None:
    config = host_config(
        devices=(Device("/dev/video0", "/dev/cam", "rw"),),
        device_requests=(DeviceRequest(count=-1), DeviceRequest(device_ids=("0",))),
    )
    assert config["Devices"] == [
        {"PathOnHost": "/dev/video0", "PathInContainer": "/dev/cam", "CgroupPermissions": "rw"}
    ]
    every, first = config["DeviceRequests"]
    assert (every["Count"], every["DeviceIDs"], every["Capabilities"]) == (-1, [], [["gpu"]])
    assert (first["Count"], first["DeviceIDs"]) == (0, ["0"])


def test_log_options_without_a_driver_are_for_the_engines_own() -> None:
    config = host_config(log_options={"max-size": "10m"})
    assert config["LogConfig"] == {"Type": "", "Config": {"max-size": "10m"}}


def test_unconfined_system_paths_are_unmasked() -> None:
    config = host_config(security_opt=("systempaths=unconfined", "seccomp=unconfined"))
    assert config["SecurityOpt"] == ["seccomp=unconfined"]
    assert (config["MaskedPaths"], config["ReadonlyPaths"]) == ([], [])
    assert "MaskedPaths" not in host_config(security_opt=("seccomp=unconfined",))


def test_a_short_bind_makes_its_folder_and_keeps_its_modes() -> None:
    binds, said = mounts(
        Mount("bind", "/data", "/data", create_source=True),
        Mount("bind", "/maps", "/maps", read_only=True, create_source=True, mode="z,rslave"),
    )
    assert binds == ["/data:/data:rw", "/maps:/maps:ro,z,rslave"]
    assert said == []


def test_a_long_bind_must_exist() -> None:
    binds, said = mounts(Mount("bind", "/data", "/data", read_only=True, mode="rslave,cached"))
    assert binds == []
    assert said == [
        {
            "Type": "bind",
            "Source": "/data",
            "Target": "/data",
            "ReadOnly": True,
            "Consistency": "cached",
            "BindOptions": {"Propagation": "rslave"},
        }
    ]


def test_a_path_with_a_colon_is_said_in_the_form_that_can_say_it() -> None:
    path = "/dev/serial/by-path/pci-0000:00:14.0"
    binds, said = mounts(Mount("bind", path, "/dev/robot", create_source=True))
    assert binds == []
    assert said[0]["Source"] == path


def test_volumes_named_anonymous_and_relabelled() -> None:
    binds, said = mounts(
        Mount("volume", "maps", "/maps", mode="nocopy"),
        Mount("volume", "", "/scratch"),
        Mount("volume", "bags", "/bags", mode="z"),
    )
    assert binds == ["bags:/bags:z"]
    named, anonymous = said
    assert (named["Source"], named["VolumeOptions"]) == ("maps", {"NoCopy": True})
    assert "Source" not in anonymous


def test_tmpfs_sizes_and_octal_modes() -> None:
    _, said = mounts(Mount("tmpfs", "", "/run/ros", size=1 << 20, mode="1770"))
    assert said[0]["TmpfsOptions"] == {"SizeBytes": 1 << 20, "Mode": 0o1770}
    assert host_config(tmpfs={"/tmp": "size=64m"})["Tmpfs"] == {"/tmp": "size=64m"}


def test_a_new_engine_is_told_which_of_several_networks_has_the_default_route() -> None:
    hybrid = replace(PLAIN, bridges=(BridgeUse("inner"),))

    def priority(service: Service, version: str) -> object:
        endpoints = payload(service, api_version=version)["NetworkingConfig"]["EndpointsConfig"]
        return endpoints["ros_lan"].get("GwPriority")

    assert priority(hybrid, "1.48") == 1
    assert priority(replace(hybrid, default_route="inner"), "1.48") == -1
    # an older one would not know the key, and there is nothing to choose with one network
    assert priority(hybrid, "1.47") is None
    assert priority(PLAIN, "1.48") is None
