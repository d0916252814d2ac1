"""Which services start here, and in which order."""

from dataclasses import replace

import pytest

from macvlan_ros.errors import InvalidRequest, StackFileError
from macvlan_ros.launching import placement
from macvlan_ros.models.containers import Dependency, Service
from macvlan_ros.models.stacks import HostEntry, Stack


def service(name: str, *after: str, host: str = "") -> Service:
    return Service(
        name=name,
        image="ros",
        container_name=name,
        host=host,
        depends_on=tuple(Dependency(other) for other in after),
    )


def stack(*services: Service, hosts: tuple[str, ...] = ()) -> Stack:
    return Stack(
        name="robot",
        files=("compose.yaml",),
        network="ros_lan",
        hosts={name: HostEntry(name) for name in hosts},
        services={service.name: service for service in services},
    )


def names(services: tuple[Service, ...]) -> list[str]:
    return [service.name for service in services]


def test_all_services_start_after_what_they_depend_on() -> None:
    robot = stack(service("talker", "core"), service("core"))
    assert names(placement.select(robot, [], host="a")) == ["core", "talker"]


def test_a_named_service_brings_what_it_depends_on_and_no_more() -> None:
    robot = stack(service("core"), service("talker", "core"), service("listener", "core"))
    assert names(placement.select(robot, ["talker"], host="a")) == ["core", "talker"]


def test_only_the_services_of_this_host_start() -> None:
    robot = stack(service("x", "y", host="a"), service("y", host="b"), hosts=("a", "b"))
    assert names(placement.select(robot, [], host="a")) == ["x"]


def test_what_is_missing_matters_where_the_service_starts() -> None:
    robot = stack(service("x", host="a"), service("y", host="b"), hosts=("a", "b"))
    broken = replace(robot.services["x"], missing="there is no a.env")
    robot = replace(robot, services={**robot.services, "x": broken})
    assert names(placement.select(robot, [], host="b")) == ["y"]
    with pytest.raises(StackFileError, match=r"there is no a\.env"):
        placement.select(robot, [], host="a")


def test_a_service_of_another_host_is_refused_with_both_names() -> None:
    robot = stack(service("x", host="a"), service("y", host="b"), hosts=("a", "b"))
    with pytest.raises(InvalidRequest, match="belongs to the host 'b', and this is 'a'"):
        placement.select(robot, ["y"], host="a")


def test_a_pc_that_the_stack_does_not_know_is_told_of_host() -> None:
    robot = stack(service("x", host="a"), hosts=("a",))
    with pytest.raises(InvalidRequest, match="--host"):
        placement.select(robot, [], host="laptop")


def test_a_service_without_host_in_a_stack_of_two_is_refused() -> None:
    robot = stack(service("x", host="a"), service("y"), hosts=("a", "b"))
    with pytest.raises(StackFileError, match=r"services\.y"):
        placement.select(robot, [], host="a")


def test_waves_hold_what_can_start_at_once() -> None:
    robot = stack(service("core"), service("x", "core"), service("y", "core"), service("z", "y"))
    found = placement.waves(placement.select(robot, [], host="h"))
    assert [names(wave) for wave in found] == [["core"], ["x", "y"], ["z"]]
