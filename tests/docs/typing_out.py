"""Typing out: a page's steps done on the PCs of a lab, as its reader would."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from tests.docs.pages import Page, Script, Step, Typed, Written, same
from tests.lab import Host
from tests.lab.host import PATH
from tests.lab.robot import LOGIN

_HOME = "/run/home"
#: There is no X server on the PCs of the lab.
_X11 = {name: value for name, value in LOGIN.items() if name.startswith("HARMONI_")}
_TERMINAL = {"HOME": _HOME, "PATH": f"{_HOME}/bin:{PATH}", "COLUMNS": "100", **_X11}
_LIMIT = 90.0
_AGAIN = 0.5
#: What asks others, which on a busy machine are not up yet, as its reader would ask again.
_ASKS = re.compile(r"\b(rostopic|ping)\b")


class NotAsShown(AssertionError):
    """A command did not do what the page says."""


def do(page: Page, hosts: Mapping[str, Host]) -> dict[Typed, str]:
    """Do all steps in order; what was printed, by command. Raises NotAsShown at the first that
    ends badly; whether outputs are as shown is for `compare`."""
    said = {}
    for step in page.steps:
        for name, done in _do(step, hosts):
            output, code = done
            if code and not _may_fail(step):
                raise NotAsShown(
                    f"{page.path.name}, on {name}: exit code {code}\n{_words(step)}\n{output}"
                )
            if isinstance(step, Typed):
                said[step] = output
    return said


def compare(page: Page, said: Mapping[Typed, str]) -> None:
    """Raises NotAsShown for the first output that is another than the page shows."""
    for step, output in said.items():
        if not same(step.expected, output):
            raise NotAsShown(
                f"{page.path.name}:{step.first}: {step.command}\n--- the page shows\n"
                f"{step.expected}\n--- it printed\n{output}"
            )


def _do(step: Step, hosts: Mapping[str, Host]) -> list[tuple[str, tuple[str, int]]]:
    if isinstance(step, Typed):
        return [(step.host, _type_patiently(hosts[step.host], step))]
    if isinstance(step, Script):
        return [
            (name, _type(hosts[name], f"set -e\n{step.text}", step.folder)) for name in step.hosts
        ]
    for name in step.hosts:
        _write(hosts[name], step)
    return []


def _type_patiently(host: Host, step: Typed) -> tuple[str, int]:
    """Typed again as long as nobody answers, up to a limit."""
    deadline = time.monotonic() + _LIMIT
    while True:
        output, code = _type(host, step.command, step.folder)
        if not code or not _ASKS.search(step.command) or time.monotonic() > deadline:
            return output, code
        time.sleep(_AGAIN)


def _type(host: Host, command: str, folder: str) -> tuple[str, int]:
    where = f"mkdir -p {folder} && cd {folder}\n"
    done = host.run(
        *("bash", "-c", f"exec 2>&1\n{where}{command}"),
        check=False,
        timeout=_LIMIT,
        env=_TERMINAL,
    )
    return done.stdout, done.returncode


def _write(host: Host, step: Written) -> None:
    script = f'mkdir -p "$(dirname {step.path})" && cat > {step.path}'
    host.run("bash", "-c", script, input=step.text, env=_TERMINAL)


def _may_fail(step: Step) -> bool:
    """A page shows a failure on purpose where it shows its message."""
    return isinstance(step, Typed) and "error:" in step.expected


def _words(step: Step) -> str:
    if isinstance(step, Typed):
        return step.command
    return step.text
