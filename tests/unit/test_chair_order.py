"""The order over all hosts: the master first, without a circle."""

from __future__ import annotations

from macvlan_ros.chair.order import BROUGHT_UP, depends_on
from macvlan_ros.models.containers import Dependency, Service
from macvlan_ros.models.stacks import Stack


def service(name: str, *needs: str, ros: str = "") -> Service:
    return Service(
        name=name,
        image="i",
        container_name=name,
        ros=ros,
        depends_on=tuple(Dependency(need) for need in needs),
    )


def order(*services: Service, master: str = "core") -> dict[str, list[str]]:
    stack = Stack(name="s", files=("f",), network="n", master=master)
    waits = depends_on(stack, services)
    return {name: [one.service for one in each] for name, each in waits.items()}


def test_every_ros_service_waits_for_the_master() -> None:
    found = order(service("core"), service("talker"), service("ear", "talker"))
    assert found == {"core": [], "talker": ["core"], "ear": ["talker", "core"]}


def test_what_the_master_needs_does_not_wait_for_it() -> None:
    found = order(service("core", "disk"), service("disk", "net"), service("net"), service("ear"))
    assert found == {"core": ["disk"], "disk": ["net"], "net": [], "ear": ["core"]}


def test_other_software_does_not_wait_for_the_master() -> None:
    assert order(service("core"), service("web", ros="none"), service("nav", ros="2")) == {
        "core": [],
        "web": [],
        "nav": [],
    }


def test_a_master_that_is_no_service_of_the_launch_is_not_waited_for_here() -> None:
    assert order(service("talker"), master="http://192.168.50.2:11311") == {"talker": []}


def test_the_master_itself_may_fail_and_a_dependency_of_the_file_may_not() -> None:
    stack = Stack(name="s", files=("f",), network="n", master="core")
    waits = depends_on(stack, [service("core"), service("a"), service("b", "core")])
    assert waits["a"] == (Dependency("core", BROUGHT_UP, required=False),)
    assert waits["b"] == (Dependency("core"),)
