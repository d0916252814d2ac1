"""Selection: which services a launch is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from macvlan_ros import stack
from macvlan_ros.errors import ServiceNotFound
from macvlan_ros.models.stacks import Stack
from tests.unit.stack_text import error_of, load_text

TEXT = """
services:
  talker: {image: ros, depends_on: [core, init]}
  core: {image: ros, depends_on: {init: }}
  init: {image: ros}
  listener: {image: ros, depends_on: {sim: {condition: service_started, required: false}}}
  sim: {image: ros, profiles: [sim, all], depends_on: [core]}
  debug: {image: ros, profiles: [debug], depends_on: [sim]}
"""


def chosen(loaded: Stack, *names: str) -> list[str]:
    return [service.name for service in stack.select(loaded, names)]


def test_without_names_it_is_all_that_need_no_profile_dependencies_first(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, TEXT)
    order = chosen(loaded)
    assert sorted(order) == ["core", "init", "listener", "talker"]
    assert order.index("init") < order.index("core") < order.index("talker")
    assert set(loaded.services) > set(order)


def test_a_named_service_brings_what_it_depends_on(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, TEXT)
    assert chosen(loaded, "core") == ["init", "core"]
    assert chosen(loaded, "init") == ["init"]


def test_to_name_a_service_is_to_activate_its_profiles(tmp_path: Path) -> None:
    assert chosen(load_text(tmp_path, TEXT), "sim") == ["init", "core", "sim"]


def test_profiles_come_from_the_caller_and_the_environment(tmp_path: Path) -> None:
    assert "sim" in chosen(load_text(tmp_path, TEXT, profiles=["sim"]))
    loaded = load_text(tmp_path, TEXT, profiles=["x"], environ={"COMPOSE_PROFILES": "debug, sim"})
    assert loaded.profiles == ("x", "debug", "sim")
    assert {"sim", "debug"} <= set(chosen(loaded))
    assert {"sim", "debug"} <= set(chosen(load_text(tmp_path, TEXT, profiles=["*"])))


def test_a_dependency_in_an_inactive_profile_is_told_and_an_optional_one_dropped(
    tmp_path: Path,
) -> None:
    loaded = load_text(tmp_path, TEXT)
    said = error_of(lambda: stack.select(loaded, ["debug"]))
    assert "'debug' depends on 'sim', whose profile is not active; add --profile sim or all" in said
    (listener,) = stack.select(loaded, ["listener"])
    assert listener.depends_on == ()
    assert chosen(load_text(tmp_path, TEXT, profiles=["sim"]), "listener")[-1] == "listener"


def test_an_unknown_service_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ServiceNotFound, match=r"no service 'talkr' in the stack .* mean 'talker'"):
        stack.select(load_text(tmp_path, TEXT), ["talkr"])


def test_two_that_cannot_both_be_may_stand_in_profiles_of_their_own(tmp_path: Path) -> None:
    text = """
        services:
          real: {image: ros, container_name: camera, profiles: [real]}
          sim: {image: ros, container_name: camera, profiles: [sim]}
        """
    loaded = load_text(tmp_path, text, profiles=["sim"])
    assert chosen(loaded) == ["sim"]
    assert chosen(load_text(tmp_path, text), "real") == ["real"]
    assert "is camera" in error_of(lambda: stack.select(loaded, ["real", "sim"]))
    assert "is camera" in error_of(lambda: load_text(tmp_path, text, profiles=["*"]))


def test_a_circle_is_told_with_its_services(tmp_path: Path) -> None:
    text = "services: {aa: {image: x, depends_on: [bb]}, bb: {image: x, ipc: 'service:aa'}}"
    said = error_of(lambda: load_text(tmp_path, text))
    assert "goes in a circle: " in said
    assert "aa -> bb" in said
