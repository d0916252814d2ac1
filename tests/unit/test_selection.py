"""Which services start here, and in which order."""

import pytest

from macvlan_ros import selection
from macvlan_ros.errors import InvalidRequest, ServiceNotFound, StackFileError
from macvlan_ros.models import Dependency, HostEntry, Service, Stack


def service(name: str, *after: str, host: str = "", profiles: tuple[str, ...] = ()) -> Service:
    return Service(
        name=name,
        image="ros",
        container_name=name,
        host=host,
        profiles=profiles,
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
    assert names(selection.select(robot, [], host="a")) == ["core", "talker"]


def test_a_named_service_brings_what_it_depends_on_and_no_more() -> None:
    robot = stack(service("core"), service("talker", "core"), service("listener", "core"))
    assert names(selection.select(robot, ["talker"], host="a")) == ["core", "talker"]


def test_only_the_services_of_this_host_start() -> None:
    robot = stack(service("x", "y", host="a"), service("y", host="b"), hosts=("a", "b"))
    assert names(selection.select(robot, [], host="a")) == ["x"]


def test_a_service_of_a_profile_starts_when_the_profile_or_its_name_is_given() -> None:
    robot = stack(service("core"), service("rviz", profiles=("debug",)))
    assert names(selection.select(robot, [], host="a")) == ["core"]
    assert names(selection.select(robot, [], host="a", profiles=["debug"])) == ["core", "rviz"]
    assert names(selection.select(robot, ["rviz"], host="a")) == ["rviz"]


def test_a_service_of_another_host_is_refused_with_both_names() -> None:
    robot = stack(service("x", host="a"), service("y", host="b"), hosts=("a", "b"))
    with pytest.raises(InvalidRequest, match="belongs to the host 'b', and this is 'a'"):
        selection.select(robot, ["y"], host="a")


def test_a_pc_that_the_stack_does_not_know_is_told_of_host() -> None:
    robot = stack(service("x", host="a"), hosts=("a",))
    with pytest.raises(InvalidRequest, match="--host"):
        selection.select(robot, [], host="laptop")


def test_a_service_without_host_in_a_stack_of_two_is_refused() -> None:
    robot = stack(service("x", host="a"), service("y"), hosts=("a", "b"))
    with pytest.raises(StackFileError, match=r"services\.y"):
        selection.select(robot, [], host="a")


def test_an_unknown_service_gets_the_nearest_name() -> None:
    with pytest.raises(ServiceNotFound, match="did you mean 'talker'"):
        selection.select(stack(service("talker")), ["taler"], host="a")


def test_a_circle_is_named() -> None:
    robot = stack(service("a", "b"), service("b", "c"), service("c", "a"))
    with pytest.raises(StackFileError, match="a -> b -> c -> a"):
        selection.select(robot, [], host="h")


def test_waves_hold_what_can_start_at_once() -> None:
    robot = stack(service("core"), service("x", "core"), service("y", "core"), service("z", "y"))
    found = selection.waves(selection.select(robot, [], host="h"))
    assert [names(wave) for wave in found] == [["core"], ["x", "y"], ["z"]]
