"""A command of ours in a pseudo-terminal, as somebody has it who types on one of the lab's PCs."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import Host

#: Debian's docker first: a newer one refuses this engine.
ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "MACVLAN_ROS_PROBE": "none", "TERM": "xterm"}


@contextmanager
def in_terminal(
    host: Host, folder: Path, *words: str, **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Our command line with these words, and the end of the terminal that a person looks at: 31
    lines of 101 columns. The process ends with the block at latest."""
    mine, theirs = pty.openpty()
    resize(mine, 31, 101)

    def take() -> None:
        # the pseudo-terminal becomes the one that controls it, so that the kernel sends signals
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        host.command(*host.macvlan_ros_command(*words), env={**ENV, **env}, cwd=folder),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take,
    )
    try:
        yield process, mine
    finally:
        process.kill()
        process.wait()
        os.close(mine)
        os.close(theirs)


def resize(terminal: int, lines: int, columns: int) -> None:
    """Give a terminal another size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def sees_its_size(terminal: int) -> None:
    """Raises AssertionError unless what runs there prints the new size of a terminal that is given
    one. Docker's command line hears of no change before it looks for the first time, so the size
    changes until it is seen."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        resize(terminal, 42, 107)
        resize(terminal, 43, 107)
        if b"43 107" in _shown(terminal, b"43 107", seconds=2):
            return
    raise AssertionError("the new size is not seen")


def read_until(source: int, wanted: bytes) -> bytes:
    """What is shown, up to what is wanted."""
    shown = _shown(source, wanted, seconds=30)
    assert wanted in shown, shown
    return shown


def _shown(source: int, wanted: bytes, *, seconds: float) -> bytes:
    shown = b""
    deadline = time.monotonic() + seconds
    while wanted not in shown and time.monotonic() < deadline:
        if select.select([source], [], [], 0.5)[0]:
            shown += os.read(source, 4096)
    return shown
