"""What a Compose command line asks for, as far as that concerns us; and what is left to Compose."""

from __future__ import annotations

from pathlib import Path

import pytest

from macvlan_ros import stack as stacks
from macvlan_ros.compose import words
from macvlan_ros.errors import InvalidRequest, ServiceNotFound
from macvlan_ros.models.stacks import Stack
from tests.unit.stack_text import load_text

TEXT = """
services:
  talker: {image: ros}
  inside: {image: ros, network_mode: none}
"""


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("up -d", "up"),
        ("--ansi never up", "up"),
        ("--ansi=never --profile stop up talker", "up"),
        ("--verbose logs up", "logs"),
        ("exec talker run", "exec"),
        ("", ""),
        ("--version", ""),
        ("--ansi", ""),
    ],
)
def test_compose_s_own_command_is_found(line: str, verb: str) -> None:
    assert words.verb(line.split()) == verb


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("up -d talker", True),
        ("--ansi never create", True),
        ("up --build", False),
        ("up --pull=always", False),
        ("up --force-recreate -d", False),
        ("up -V", False),
        ("run talker", False),
    ],
)
def test_what_stands_may_stay(line: str, kept: bool) -> None:
    assert words.keeps_what_stands(line.split()) is kept


def test_a_flag_goes_behind_the_command() -> None:
    line = ["--ansi", "never", "up", "talker"]
    assert words.with_flag(line, "-d") == ["--ansi", "never", "up", "-d", "talker"]


@pytest.mark.parametrize(
    "line", ["up --scale talker=2", "up --scale=talker=2 -d", "scale inside=2 talker=3"]
)
def test_an_address_is_for_one_container(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidRequest, match=r"'talker' is to be [23] containers, but one on the"):
        scaled(tmp_path, line, TEXT)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("up --scale talker=0", set()),
        ("scale talker=1", set()),
        ("up", set()),
        ("", set()),
        ("up --scale inside=5", {"inside"}),
    ],
)
def test_what_may_be_scaled(tmp_path: Path, line: str, names: set[str]) -> None:
    assert scaled(tmp_path, line, TEXT) == names


@pytest.mark.parametrize("key", ["scale: 2", "deploy: {replicas: 2}"])
def test_the_file_cannot_scale_either(tmp_path: Path, key: str) -> None:
    text = f"services: {{talker: {{image: ros, {key}}}}}"
    with pytest.raises(InvalidRequest, match="'talker' is to be 2 containers"):
        scaled(tmp_path, "up", text)
    assert not scaled(tmp_path, "up --scale talker=1", text)


def test_who_is_to_be_scaled_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ServiceNotFound, match=r"no service 'talkr' .*did you mean 'talker'"):
        scaled(tmp_path, "up --scale talkr=1", TEXT)


def scaled(folder: Path, line: str, text: str) -> frozenset[str]:
    stack = forgiven(folder, text)
    return words.scaled(line.split(), stack, stacks.resolve([folder / "compose.yaml"], environ={}))


def test_a_service_that_was_probably_meant_is_named(tmp_path: Path) -> None:
    stack = load_text(tmp_path, TEXT)
    said = words.misspelt(["logs", "-f", "talkr"], stack)
    assert said == "the stack has no service 'talkr' (did you mean 'talker'?)"
    assert not words.misspelt(["logs", "talker", "whatever"], stack)


def forgiven(folder: Path, text: str) -> Stack:
    (folder / "compose.yaml").write_text(text)
    return stacks.load([folder / "compose.yaml"], environ={}, forgive=True)


def test_what_launch_reads_whole_is_read_whole_for_compose_too(tmp_path: Path) -> None:
    """Else `launch` would take what Compose made for something else, and make it anew."""
    text = """
services:
  talker: {image: ros, deploy: {resources: {limits: {memory: 1g}}}, logging: {driver: local}}
  other: {image: ros, deploy: {replicas: 3}, configs: [a], hostname: it}
"""
    stack = forgiven(tmp_path, text)
    assert (stack.services["talker"].memory, stack.services["talker"].log_driver) == (
        1 << 30,
        "local",
    )
    assert stack.services["other"].hostname == "it"
    assert stack.forgiven == {"other"}
    assert not stack.notes


@pytest.mark.parametrize("mode", ["service:vpn", "container:vpn", "none"])
def test_a_service_in_another_one_s_network_is_left_to_compose(tmp_path: Path, mode: str) -> None:
    text = f"""
services:
  vpn: {{image: vpn}}
  nav: {{image: ros, network_mode: "{mode}", x-macvlan-ros: {{ros: 2}}}}
"""
    stack = forgiven(tmp_path, text)
    assert stack.services["nav"].off_lan
    assert not stack.services["vpn"].off_lan
