"""Tab: commands, options and the names that there are, in the shells that people have."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.terminals import read_until

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
        ("macvlan-ros rename t", ["talker"]),
        ("macvlan-ros move ", ["listener", "talker"]),
        ("macvlan-ros pool add ", []),
        ("macvlan-ros hosts rm ", []),
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


#: Where each shell looks for the script when it begins, and what begins it here.
RC = {
    "bash": (".macvlan-ros", {".bashrc": "PS1='ready> '\n. ~/.macvlan-ros\n"}),
    "zsh": (
        ".zfunc/_macvlan-ros",
        {".zshrc": "PS1='ready> '\nfpath=(~/.zfunc $fpath)\nautoload -U compinit; compinit -u\n"},
    ),
    "fish": (
        ".config/fish/completions/macvlan-ros.fish",
        {".config/fish/config.fish": "function fish_prompt; echo 'ready> '; end\n"},
    ),
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_name_is_completed_in_the_shell_itself(robot: dict[str, str], shell: str) -> None:
    home = Path(robot["HOME"])
    script, files = RC[shell]
    program = f'#!/bin/sh\nexec {sys.executable} -m macvlan_ros "$@"\n'
    files = {**files, script: ours(robot, "completion", shell), "bin/macvlan-ros": program}
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "bin/macvlan-ros").chmod(0o755)
    environ = {**robot, "PATH": f"{home}/bin:{robot['PATH']}", "TERM": "xterm"}
    with typing(shell, environ) as terminal:
        read_until(terminal, b"ready> ")
        os.write(terminal, b"macvlan-ros release ta\t\r")
        # the address is said by nobody but the command, which was given the whole name
        shown = read_until(terminal, b"192.168.50.")
    assert b"error" not in shown, shown
    assert "talker" not in ours(robot, "list")


@contextmanager
def typing(shell: str, environ: dict[str, str]) -> Iterator[int]:
    """The end of a terminal that somebody types at; the other end is a shell's."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(environ["HOME"])
        os.execvpe(shell, [shell, "-i"], environ)
    try:
        yield terminal
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
