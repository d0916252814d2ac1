"""What is done side by side is told in one order."""

from __future__ import annotations

import itertools
import threading

import pytest

from macvlan_ros.docker_api.values import Container
from macvlan_ros.launching.running import each
from macvlan_ros.launching.turns import Turns

NAMES = ("one", "two", "three")


@pytest.mark.parametrize("spoken", list(itertools.permutations(NAMES)))
def test_lines_come_in_the_order_of_the_names(spoken: tuple[str, ...]) -> None:
    told: list[str] = []
    with Turns(NAMES, told.append) as turns:
        for name in spoken:
            turns.say(name, name)
    assert tuple(told) == NAMES


def test_a_line_is_told_as_soon_as_those_before_it_are() -> None:
    told: list[str] = []
    with Turns(NAMES, told.append) as turns:
        turns.say("two", "2")
        assert told == []
        turns.say("one", "1")
        assert told == ["1", "2"]


def test_what_is_held_back_is_told_at_the_end_also_after_an_error() -> None:
    told: list[str] = []
    with pytest.raises(ValueError, match="one"), Turns(NAMES, told.append) as turns:
        turns.say("three", "3")
        turns.say("two", "2")
        raise ValueError("one")
    assert told == ["2", "3"]


def test_containers_that_are_done_in_another_order_are_told_in_theirs() -> None:
    """The first is done when the last has been."""
    last_is_done = threading.Event()
    order: list[str] = []
    told: list[str] = []

    def step(container: Container) -> str:
        if container.name == "one":
            assert last_is_done.wait(30)
        order.append(container.name)
        if container.name == "three":
            last_is_done.set()
        return "removed"

    each([container(name) for name in NAMES], step, progress=told.append, at_once=3)
    assert order[-1] == "one"
    assert told == [f"{name}: removed" for name in NAMES]


def container(name: str) -> Container:
    return Container(
        id=f"id of {name}",
        name=name,
        image="robot",
        image_id="",
        state="running",
        status="Up",
        exit_code=0,
        error="",
        health="",
        labels={},
        address=None,
        address6=None,
        mac="",
        networks={},
        created="",
    )
