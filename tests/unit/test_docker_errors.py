"""Docker's messages as sentences. The texts were taken from engines 20.10 to 28.5."""

from __future__ import annotations

import pytest

from macvlan_ros import errors
from macvlan_ros.docker_api.context import Endpoint
from macvlan_ros.docker_api.errors import refusal, unreachable

LOCAL = Endpoint("unix:///var/run/docker.sock")
REMOTE = Endpoint("tcp://192.168.50.12:2375", "DOCKER_HOST")


@pytest.mark.parametrize(
    ("status", "said", "kind", "sentence"),
    [
        (
            409,
            'Conflict. The container name "/talker" is already in use by container "4d5c". You '
            "have to remove (or rename) that container to be able to reuse that name.",
            errors.ContainerConflict,
            "there is a container talker already",
        ),
        (403, "Address already in use", errors.AddressInUse, "another container"),
        (
            403,
            "failed to set up container networking: Address already in use",
            errors.AddressInUse,
            "another container",
        ),
        (
            400,
            "invalid config for network ros_lan: invalid endpoint settings:\nno configured subnet "
            "or ip-range contain the IP address 10.1.1.1",
            errors.BadSubnet,
            "address 10.1.1.1 is not in its network's subnet",
        ),
        (
            400,
            "Invalid address 10.1.1.1: It does not belong to any of this network's subnets",
            errors.BadSubnet,
            "address 10.1.1.1 is not in its network's subnet",
        ),
        (
            500,
            'error gathering device information while adding custom device "/dev/ttyUSB0": '
            "no such file or directory",
            errors.DeviceNotFound,
            "/dev/ttyUSB0 is not on this host",
        ),
        (
            500,
            'could not select device driver "" with capabilities: [[gpu]]',
            errors.EngineRefused,
            "NVIDIA Container Toolkit",
        ),
        (
            500,
            'could not select device driver "cdi" with capabilities: []',
            errors.EngineRefused,
            "not find devices by their vendor's names",
        ),
        (400, "Unknown runtime specified nvidia", errors.EngineRefused, "no runtime 'nvidia'"),
        (
            400,
            "unknown or invalid runtime name: nvidia",
            errors.EngineRefused,
            "no runtime 'nvidia'",
        ),
        (
            400,
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to "
            'start container process: exec: "roscor": executable file not found in $PATH: unknown',
            errors.InvalidRequest,
            "its command 'roscor' cannot be run (executable file not found in $PATH)",
        ),
        (
            400,
            'invalid mount config for type "bind": bind source path does not exist: /data/maps',
            errors.InvalidRequest,
            "/data/maps does not exist on this host",
        ),
        (
            400,
            "unable to find user robot: no matching entries in passwd file",
            errors.InvalidRequest,
            "no user 'robot'",
        ),
        (
            500,
            "invalid subinterface vlan name eth7, example formatting is eth0.10",
            errors.ParentNotFound,
            "no interface eth7",
        ),
        (404, "network ros_lan not found", errors.NetworkNotFound, "no Docker network ros_lan"),
        (
            404,
            "pull access denied for foo/bar, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            errors.ImageNotFound,
            "docker login",
        ),
        (
            404,
            "manifest for ros:nope not found: manifest unknown: manifest unknown",
            errors.ImageNotFound,
            "ros:nope",
        ),
        (
            404,
            "no matching manifest for linux/arm/v7 in the manifest list entries",
            errors.ImageNotFound,
            "not made for linux/arm/v7",
        ),
        (
            500,
            'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on '
            "10.0.0.1:53: read udp 10.0.0.2:60771->10.0.0.1:53: i/o timeout",
            errors.EngineRefused,
            "does not reach the registry (i/o timeout)",
        ),
        (
            500,
            "toomanyrequests: You have reached your pull rate limit",
            errors.EngineRefused,
            "wait",
        ),
        (404, "No such container: x", errors.NotFound, "No such container: x"),
        (409, "You cannot remove a running container 4d5c.", errors.Conflict, "running container"),
        (500, "anything\nelse.", errors.EngineRefused, "Docker cannot do it: anything else"),
        (503, "", errors.EngineRefused, "it answered with status 503"),
    ],
)
def test_dockers_messages_become_sentences(
    status: int, said: str, kind: type[Exception], sentence: str
) -> None:
    error = refusal(status, said, "do it")
    assert type(error) is kind
    assert str(error).startswith("Docker cannot do it: ")
    assert sentence in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("endpoint", "cause", "kind", "sentence"),
    [
        (LOCAL, FileNotFoundError(2, "x"), errors.DockerDown, "sudo systemctl start docker"),
        (LOCAL, ConnectionRefusedError(111, "x"), errors.DockerDown, "sudo systemctl start docker"),
        (LOCAL, PermissionError(13, "x"), errors.Forbidden, "docker group"),
        (LOCAL, TimeoutError("timed out"), errors.DockerDown, "did not answer in time"),
        (REMOTE, ConnectionRefusedError(111, "Refused"), errors.DockerDown, "(refused)"),
        (REMOTE, OSError(113, "No route to host"), errors.DockerDown, "(no route to host)"),
        (REMOTE, ValueError("odd"), errors.DockerDown, "broke off"),
    ],
)
def test_the_cause_is_found_under_what_wraps_it(
    endpoint: Endpoint, cause: Exception, kind: type[Exception], sentence: str
) -> None:
    outer = OSError("Connection aborted.", RuntimeError("pool", cause))
    error = unreachable(outer, endpoint, "list its networks")
    assert type(error) is kind
    assert sentence in str(error)
    assert str(endpoint) in str(error)
