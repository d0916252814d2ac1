"""A terminal on a PC of the lab: shows a command as if it were typed, and what it really says."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import struct
import sys
import termios
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from .errors import LabError
from .host import Host, kill_group

PROMPT = "\033[1;32m{who}\033[0m:\033[1;34m{where}\033[0m# "
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SAID = "\033[1m{text}\033[0m"


@dataclass(frozen=True)
class Screen:
    """Where it is all shown."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)

    @property
    def is_terminal(self) -> bool:
        return self.stream.isatty()

    @property
    def has_colours(self) -> bool:
        """On a terminal that knows them, unless they are not wanted (no-color.org)."""
        dull = os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("NO_COLOR")
        return self.is_terminal and not dull

    def write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    def say(self, text: str) -> None:
        """A paragraph of the demo's own, set off from what the commands print."""
        columns = shutil.get_terminal_size().columns
        text = textwrap.fill(" ".join(text.split()), min(columns, 100))
        self.write("\n" + (SAID.format(text=text) if self.has_colours else text) + "\n")

    def prompt(self, who: str, where: str, command: str) -> None:
        shown = PROMPT.format(who=who, where=where) if self.has_colours else f"{who}:{where}# "
        self.write("\n" + shown + command + "\n")


class Terminal:
    """One PC's terminal. `env` is its login's, `folder` where it stands, below its HOME."""

    def __init__(
        self, host: Host, *, screen: Screen, env: Mapping[str, str], folder: str = ""
    ) -> None:
        self.host = host
        self.folder = folder
        self._screen = screen
        self._env = dict(env)

    def type(self, command: str, *, timeout: float = 60.0) -> str:
        """Runs a shell command, shows it and its output as it comes, and returns the output.

        Raises LabError when it ends with another code than 0, or not within `timeout` seconds.
        """
        where = "~/" + self.folder if self.folder else "~"
        self._screen.prompt(f"root@{self.host.name}", where, command)
        code, text = self._run(command, timeout)
        if code != 0:
            raise LabError(f"'{command}' on {self.host.name} ended with exit code {code}")
        return COLOURS.sub("", text).replace("\r\n", "\n")

    def ask(self, command: str) -> Any:
        """What a command of ours says with --json, unseen: the tables are for people."""
        done = self.host.run(
            *shlex.split(command), "--json", env=self._env, cwd=f"{self._env['HOME']}/{self.folder}"
        )
        return json.loads(done.stdout)

    def _run(self, command: str, timeout: float) -> tuple[int, str]:
        """The command gets a terminal if we have one: it shows then what a person would see."""
        ours, theirs = _pseudo_terminal() if self._screen.is_terminal else os.pipe()
        ours_too = {name: os.environ[name] for name in ("TERM", "NO_COLOR") if name in os.environ}
        env = {**self._env, **ours_too}
        cwd = f"{env['HOME']}/{self.folder}"
        process = self.host.popen(
            "sh", "-c", command, env=env, cwd=cwd, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        try:
            text = self._show(ours, time.monotonic() + timeout, timeout)
            return process.wait(timeout), text
        except LabError as error:
            raise LabError(f"'{command}' on {self.host.name} {error}") from None
        finally:
            os.close(ours)
            kill_group(process)

    def _show(self, source: int, deadline: float, timeout: float) -> str:
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        shown: list[str] = []
        while select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
            data = b""
            with contextlib.suppress(OSError):  # a terminal that nobody has open reads as EIO
                data = os.read(source, 65536)
            if not data:
                return "".join(shown)
            shown.append(decode(data))
            self._screen.write(shown[-1])
        raise LabError(f"has not ended after {timeout:g} s")


def _pseudo_terminal() -> tuple[int, int]:
    """A pseudo-terminal of the size of ours."""
    ours, theirs = pty.openpty()
    columns, lines = os.get_terminal_size()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    return ours, theirs
