"""Network namespaces for tests: made with unique names, deleted with all that is in them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SERIAL = itertools.count()


def run(*command: str, check: bool = True) -> str:
    """Run a command and return what it printed. A failure is a failed test, with its words."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Namespace:
    """One network namespace, known to `ip netns`."""

    name: str

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    def ip(self, words: str) -> str:
        """`ip WORDS` in the namespace."""
        return run("ip", "-n", self.name, *words.split())

    def show(self, words: str) -> Any:
        """What `ip -json -details WORDS` says in the namespace."""
        return json.loads(run("ip", "-n", self.name, "-json", "-details", *words.split()) or "[]")

    def run(self, *command: str, check: bool = True) -> str:
        """A command in the namespace. Not by `ip netns exec`, which mounts another /sys."""
        return run("nsenter", f"--net={self.path}", *command, check=check)

    def answers(self, address: str, *, source: str = "") -> bool:
        """Whether one of three pings from here to `address` comes back within its second."""
        words = ["busybox", "ping6" if ":" in address else "ping", "-c", "1", "-W", "1"]
        if source:
            words += ["-I", source]
        command = ["nsenter", f"--net={self.path}", *words, address]
        for _ in range(3):
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
            if "packets transmitted" not in done.stdout and "unreachable" not in done.stderr:
                raise AssertionError(f"ping did not run: {done.stdout}{done.stderr}")
            if done.returncode == 0:
                return True
        return False


@contextmanager
def namespaces(*labels: str) -> Iterator[tuple[Namespace, ...]]:
    """Make a namespace for each label, loopback up; delete them at the end."""
    made: list[Namespace] = []
    try:
        for label in labels:
            one = Namespace(f"mvr-links-{os.getpid()}-{next(_SERIAL)}-{label}")
            run("ip", "netns", "add", one.name)
            made.append(one)
            one.ip("link set lo up")
        yield tuple(made)
    finally:
        for one in made:
            run("ip", "netns", "delete", one.name, check=False)


def cable(one: Namespace, name: str, other: Namespace, other_name: str) -> None:
    """A veth pair between two namespaces, both ends down."""
    one.ip(f"link add {name} type veth peer name {other_name} netns {other.name}")
