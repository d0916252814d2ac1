"""What is read from Docker's answers: images, containers, the engine."""

from __future__ import annotations

from netaddr import IPAddress

from macvlan_ros.docker_api.values import read_container, read_engine, read_image


def test_an_image_that_sets_nothing_reads_as_empty() -> None:
    image = read_image({"Id": "sha256:1", "Config": None, "RepoTags": None})
    assert (image.environment, image.entrypoint, image.command) == ({}, None, None)


def test_an_images_variables_may_hold_equal_signs() -> None:
    image = read_image({"Config": {"Env": ["A=b=c", "EMPTY="], "Cmd": [], "Entrypoint": ["/e"]}})
    assert image.environment == {"A": "b=c", "EMPTY": ""}
    assert (image.command, image.entrypoint) == ((), ("/e",))


def test_a_stopped_container_keeps_its_address_and_mac() -> None:
    container = read_container(
        {
            "Name": "/talker",
            "State": {"Status": "exited", "ExitCode": 137, "StartedAt": "0001-01-01T00:00:00Z"},
            "Created": "2026-11-22T18:54:35.123456789Z",
            "Config": {"MacAddress": "02:42:0A:00:00:01"},
            "HostConfig": {"NetworkMode": "ros_lan"},
            "NetworkSettings": {
                "Networks": {
                    "backend": {"IPAddress": "", "IPAMConfig": None},
                    "ros_lan": {
                        "IPAddress": "",
                        "MacAddress": "",
                        "IPAMConfig": {"IPv4Address": "192.168.50.195"},
                    },
                }
            },
        }
    )
    assert container.address == IPAddress("192.168.50.195")
    assert container.mac == "02:42:0a:00:00:01"
    assert container.networks == {"backend": None, "ros_lan": IPAddress("192.168.50.195")}
    assert container.created == "2026-11-22T18:54:35Z"


def test_a_rootless_engine_says_so() -> None:
    info = {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}
    assert read_engine({"Version": "28.5.1"}, info).rootless
