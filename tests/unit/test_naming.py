"""Names of containers that nobody named."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from macvlan_ros.docker_cli import naming
from macvlan_ros.docker_cli.naming import Naming
from macvlan_ros.errors import InvalidRequest


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "_LOCKS", tmp_path)


def chosen(by: Naming, image: str = "ros:noetic", *, elsewhere: Collection[str] = ()) -> str:
    return by.choose(image, elsewhere=lambda _names: elsewhere)


def test_a_name_is_made_from_the_image_the_first_that_is_free() -> None:
    def standing(names: Collection[str]) -> set[str]:
        return {"run-ros-noetic", "other"} & set(names)

    assert chosen(Naming(standing)) == "run-ros-noetic-2"
    assert chosen(Naming(lambda _names: []), "a.org:5000/my/ros@sha256:1") == "run-ros"
    taken = ["run-ros-noetic-2", "run-ros-noetic-3"]
    assert chosen(Naming(standing), elsewhere=taken) == "run-ros-noetic-4"


def test_two_that_choose_at_once_choose_differently() -> None:
    """Neither has made its container yet."""
    first, second, third = (Naming(lambda _names: []) for _ in range(3))
    assert (chosen(first), chosen(second)) == ("run-ros-noetic", "run-ros-noetic-2")
    first.close()
    assert chosen(third) == "run-ros-noetic"


def test_a_container_that_was_made_between_two_looks_is_seen() -> None:
    looks = iter([[], ["run-ros-noetic"], []])
    assert chosen(Naming(lambda _names: next(looks))) == "run-ros-noetic-2"


def test_when_all_names_are_taken_one_is_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="give it a --name"):
        chosen(Naming(lambda names: names))
