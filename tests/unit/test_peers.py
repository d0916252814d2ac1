"""Peers of ROS 2: who must be made anew for one that was added, and who is found by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_api import labels
from macvlan_ros.docker_api.values import Image, read_container
from macvlan_ros.launching import plan
from macvlan_ros.launching.landing import Site
from macvlan_ros.launching.starter import Starter
from macvlan_ros.models.containers import Service
from macvlan_ros.models.pools import Reservation
from macvlan_ros.models.stacks import Discovery, Stack
from macvlan_ros.undo import Undo
from tests.unit.links import ETH0

IMAGE = Image("sha256:1", {"ROS_DISTRO": "jazzy"}, None, None, {})
ADDRESSES = {
    name: IPAddress(f"192.168.50.{n}") for name, n in zip("abc", (195, 196, 197), strict=True)
}
STACK = Stack(
    name="robot", files=("compose.yaml",), network="ros_lan", discovery=Discovery("unicast")
)
SITE = Site("qtpc", ETH0, IPNetwork("192.168.50.0/24"))


def planned(names: str, *, host: str = "qtpc") -> dict[str, plan.Planned]:
    """The plans of a stack with these services; the last one belongs to that host."""
    services = {
        name: Service(
            name=name, image="ros", container_name=name, host=host if name == names[-1] else "qtpc"
        )
        for name in names
    }
    here = [one for one in services.values() if one.host == "qtpc"]
    held = {
        name: Reservation(
            pool="p", address=ADDRESSES[name], owner=name, mac=f"02:00:00:00:00:0{name}"
        )
        for name in names
    }
    found, _ = plan.build(
        replace(STACK, services=services),
        here,
        site=SITE,
        held=held,
        wanted={name: ADDRESSES[name] for name in names},
        images={"ros": IMAGE},
    )
    return {one.service.name: one for one in found}


def standing(wanted: Iterable[plan.Planned]) -> Any:
    """An engine on which these run."""
    stack = STACK
    running = {
        one.service.container_name: read_container(
            {
                "Name": one.service.container_name,
                "State": {"Status": "running"},
                "Config": {"Labels": labels.of_container(stack, one)},
            }
        )
        for one in wanted
    }
    return SimpleNamespace(named=lambda _names: running)


def left_as_they_are(before: dict[str, plan.Planned], after: dict[str, plan.Planned]) -> set[str]:
    """Who is left as it is by a launch of what is planned now, where that was launched before."""
    starter = Starter(
        standing(before.values()),
        undo=Undo(),
        progress=lambda _text: None,
        labels=lambda _planned: {},
        started=lambda _name: None,
    )
    starter.look(list(after.values()))
    return {name for name, one in after.items() if starter.is_up(one)}


def test_who_will_be_known_by_the_one_that_is_added_runs_on() -> None:
    two, three = planned("ab"), planned("abc")
    assert str(ADDRESSES["c"]) in (three["a"].environment["ROS_STATIC_PEERS"] or "")
    assert left_as_they_are({}, three) == set()
    assert left_as_they_are(two, three) == {"a", "b"}
    # and the next time, too, when the added one runs, and knows them
    assert left_as_they_are({**two, "c": three["c"]}, three) == {"a", "b", "c"}
    # one less is nothing to learn
    assert left_as_they_are(three, two) == {"a", "b"}


def test_two_that_do_not_know_each_other_are_made_anew() -> None:
    alone = {name: planned(name)[name] for name in "ab"}
    assert left_as_they_are(alone, planned("ab")) == set()


def test_one_that_is_added_on_another_pc_is_told_to_all() -> None:
    assert left_as_they_are(planned("ab"), planned("abc", host="qtrp")) == set()
