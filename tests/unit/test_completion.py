"""Tab: commands, options and the names that there are, in the shells that people have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2]
STACK = """
x-macvlan-ros: {hosts: {qtpc: {}, qtrp: {}}}
services:
  harmoni_core: {image: ros}
  harmoni_hardware: {image: ros}
"""


@pytest.fixture
def robot(tmp_path: Path) -> dict[str, str]:
    """An environment with two owners in a pool; the folder has a stack file."""
    (tmp_path / "compose.yaml").write_text(STACK)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(PACKAGE),
        "MACVLAN_ROS_STORE": str(tmp_path / "state.db"),
    }
    for words in (
        ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--no-probe"),
        ("allocate", "--no-probe", "talker", "listener"),
    ):
        ours(environ, *words)
    return environ


def ours(environ: dict[str, str], *words: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "macvlan_ros", *words],
        env={**environ, **more},
        cwd=environ["HOME"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def tab(environ: dict[str, str], line: str) -> list[str]:
    """What bash is told for a line that Tab is pressed at the end of."""
    words = line.split() + ([""] if line.endswith(" ") else [])
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    said = ours(environ, _MACVLAN_ROS_COMPLETE="bash_complete", **asked)
    return [each.partition(",")[2] for each in said.splitlines() if each]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("macvlan-ros allo", ["allocate"]),
        ("macvlan-ros release ", ["listener", "talker"]),
        ("macvlan-ros release t", ["talker"]),
        ("macvlan-ros release talker ", ["listener"]),
        ("macvlan-ros list --pool ", ["lab"]),
        ("macvlan-ros pool rm ", ["lab"]),
        ("macvlan-ros launch ", ["harmoni_core", "harmoni_hardware"]),
        ("macvlan-ros launch --host ", ["qtpc", "qtrp"]),
        ("macvlan-ros logs harmoni_c", ["harmoni_core"]),
        ("macvlan-ros export d", ["dnsmasq"]),
        ("macvlan-ros pool ", ["add", "list", "rm", "show"]),
    ],
)
def test_tab_proposes_what_there_is(robot: dict[str, str], line: str, wanted: list[str]) -> None:
    assert tab(robot, line) == wanted


def test_where_names_cannot_be_had_nothing_is_proposed_and_nothing_said(
    robot: dict[str, str],
) -> None:
    Path(robot["HOME"], "compose.yaml").write_text("services: [")
    assert tab(robot, "macvlan-ros launch ") == []
    assert tab({**robot, "DOCKER_HOST": "unix:///no/such"}, "macvlan-ros network rm ") == []


def test_the_script_works_in_bash(robot: dict[str, str]) -> None:
    script = ours(robot, "completion", "bash")
    folder = Path(robot["HOME"], "bin")
    folder.mkdir()
    program = folder / "macvlan-ros"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m macvlan_ros "$@"\n')
    program.chmod(0o755)
    press = (
        f"{script}\nCOMP_WORDS=(macvlan-ros release t); COMP_CWORD=2\n"
        '_macvlan_ros_completion macvlan-ros t release; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", press],
        env={**robot, "PATH": f"{folder}:{robot['PATH']}"},
        cwd=robot["HOME"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["talker"], done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_there_is_a_script_for_other_shells(robot: dict[str, str], shell: str) -> None:
    assert "_MACVLAN_ROS_COMPLETE" in ours(robot, "completion", shell)
