"""Output that nobody reads, and disks without room: a plain sentence or none, and the exit code
that others would give."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import WriteStack
from tests.e2e.test_launch import state
from tests.lab import Host
from tests.lab.host import ROOT, kill_group

UNREAD, NO_ROOM, MISSING = 141, 6, 6
STACK = """
    services:
      talker: {image: "ros:lab", command: "sh -c 'echo said; exec /bin/rest'"}
      listener: {image: "ros:lab"}
    """
#: All that print something, but for those that serve or become another program.
PRINTING = (
    "--help",
    "--version",
    "launch --help",
    "allocate somebody",
    "completion bash",
    "config",
    "compose config",
    "doctor --no-dhcp",
    "env --shell sh",
    "export csv",
    "export hosts",
    "gc --dry-run --json",
    "hosts",
    "import -- docker run --name cam ros:lab",
    "interfaces",
    "launch",
    "launch --dry-run talker --json",
    "leases --json",
    "list",
    "list --json",
    "logs",
    "map -o -",
    "network list",
    "network show ros_lan",
    "pool list",
    "pool show ros_lan",
    "ps",
    "release nobody --json",
    "run --print --name cam ros:lab",
    "scan ros_lan",
    "shim show",
    "status --json",
    "verify",
)


@pytest.fixture
def launched(qtpc: Host, write_stack: WriteStack) -> Path:
    folder = write_stack(STACK)
    qtpc.macvlan_ros("launch", check=True, cwd=folder)
    return folder


def codes(host: Host, folder: Path, kind: str, *lines: str) -> tuple[dict[str, int], str]:
    """How each command ends whose output is of that kind, and all that they said on stderr."""
    done = host.run(
        *("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.e2e.outputs", kind),
        input=json.dumps([line.split() for line in lines]),
        cwd=folder,
        timeout=120,
    )
    return {" ".join(words): code for words, code in json.loads(done.stdout)}, done.stderr


@pytest.mark.parametrize(("kind", "code"), [("closed", UNREAD), ("full", NO_ROOM)])
def test_every_command_ends_well_when_its_output_ends(
    qtpc: Host, launched: Path, kind: str, code: int
) -> None:
    found, said = codes(qtpc, launched, kind, *PRINTING)
    assert {line: one for line, one in found.items() if one != code} == {}, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert (said.count("cannot be written (No space left") == len(PRINTING)) == (kind == "full")


def test_a_launch_is_finished_when_nobody_reads_what_it_says(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK)
    ours = " ".join(qtpc.macvlan_ros_command("launch"))
    done = qtpc.run("bash", "-c", f"{ours} 2>&1 | true; echo ${{PIPESTATUS[0]}}", cwd=folder)
    assert done.stdout.split() == [str(UNREAD)]
    assert set(qtpc.docker("ps", "--format", "{{.Names}}").split()) == {"talker", "listener"}


@pytest.fixture
def full(qtpc: Host) -> Iterator[str]:
    """A folder on a disk that is full."""
    folder = "/run/full"
    qtpc.run("mkdir", folder)
    qtpc.run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder)
    qtpc.run("dd", "if=/dev/zero", f"of={folder}/ballast", "bs=1k", "count=64", check=False)
    yield folder
    qtpc.run("umount", folder)
    qtpc.run("rmdir", folder)


def test_a_full_disk_is_named_and_nothing_is_left_on_it(
    qtpc: Host, launched: Path, full: str
) -> None:
    before = state(qtpc)
    store = ("--store", f"{full}/state.db")
    for words in (
        ("allocate", "robot", *store),
        ("launch", "--no-probe", *store),
        ("init", "--yes", "-f", f"{full}/compose.yaml"),
        ("import", "-o", f"{full}/compose.yaml", "--", "docker", "run", "--name", "cam", "ros:lab"),
        ("map", "--no-probe", "-o", f"{full}/lan.svg"),
        ("store", "backup", f"{full}/saved.json"),
    ):
        done = qtpc.macvlan_ros(*words, cwd=launched)
        assert done.returncode == NO_ROOM, (words, done.stderr)
        assert done.stderr.count("error:") == 1, (words, done.stderr)
        assert "o space left" in done.stderr
        assert "Traceback" not in done.stderr
        left = qtpc.run("ls", "-A", full).stdout.split()
        assert [name for name in left if not name.startswith("state.db")] == ["ballast"], words
    assert state(qtpc) == before


def test_a_command_line_that_is_missing_is_named(qtpc: Host, launched: Path) -> None:
    for line, variable in (
        ("exec talker true", "DOCKER"),
        ("shell talker", "DOCKER"),
        ("attach talker", "DOCKER"),
        ("compose ps", "COMPOSE"),
    ):
        name = f"MACVLAN_ROS_{variable}_CLI"
        env = {name: "one-that-is-not-there", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        done = qtpc.macvlan_ros(*line.split(), env=env, cwd=launched)
        assert done.returncode == MISSING, done.stderr
        assert done.stderr.startswith("error: there is no one-that-is-not-there")
        assert name in done.stderr


def test_a_shell_without_a_terminal_reads_its_commands(qtpc: Host, launched: Path) -> None:
    words = qtpc.macvlan_ros_command("shell", "talker")
    done = qtpc.run(*words, input="echo here; exit 3\n", cwd=launched, check=False)
    assert (done.stdout, done.returncode) == ("here\n", 3)


@pytest.mark.parametrize(
    ("words", "interrupted"), [("logs -f talker", 130), ("scan --watch ros_lan", 0)]
)
def test_a_terminal_may_change_its_size(
    qtpc: Host, launched: Path, words: str, interrupted: int
) -> None:
    ours, theirs = pty.openpty()
    command = qtpc.macvlan_ros_command(*words.split())
    env = {"TERM": "xterm", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    process = qtpc.popen(*command, env=env, cwd=launched, stdout=theirs, stderr=theirs)
    try:
        assert read_until(ours, b"said" if "logs" in words else b"listener")
        for columns in (20, 0, 200):
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 5, columns, 0, 0))
            os.killpg(process.pid, signal.SIGWINCH)
        if "logs" in words:
            qtpc.docker("exec", "talker", "sh", "-c", "echo again >/proc/1/fd/1")
        assert read_until(ours, b"again" if "logs" in words else b"listener")
        os.killpg(process.pid, signal.SIGINT)
        read_until(ours, b"", process)
        assert process.wait(30) == interrupted
    finally:
        kill_group(process)
        os.close(ours)
        os.close(theirs)


def read_until(source: int, wanted: bytes, process: subprocess.Popen[str] | None = None) -> bytes:
    """What a terminal shows until it has shown that, or until the process has ended."""
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if wanted and wanted in shown:
            return shown
        if process is not None and process.poll() is not None:
            return shown
        if select.select([source], [], [], 0.2)[0]:
            shown += os.read(source, 4096)
    raise AssertionError(shown)
