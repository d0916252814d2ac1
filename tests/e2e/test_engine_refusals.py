"""What the engine refuses, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from netaddr import IPAddress

from macvlan_ros.engine import Engine
from macvlan_ros.errors import (
    AddressInUse,
    BadSubnet,
    ContainerConflict,
    DeviceNotFound,
    EngineRefused,
    ImageNotFound,
    InvalidRequest,
    MacvlanRosError,
    NetworkNotFound,
)
from macvlan_ros.models.containers import BridgeUse, Device, DeviceRequest, Mount
from tests.e2e.engines import IMAGE, NAME, container_names, create, inspect, run
from tests.lab import Host


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
