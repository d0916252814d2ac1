"""Typing out: a page's steps done on the PCs of a lab, as its reader would."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from tests.docs.pages import Page, Script, Step, Typed, Written, same
from tests.docs.tables import ROOM
from tests.lab.host import PATH
from tests.lab.robot import LOGIN

_HOME = "/run/home"
#: What a terminal has set stays set, for the next command at the same prompt.
_SESSION = f"{_HOME}/.session"
#: There is no X server on the PCs of the lab.
_X11 = {name: value for name, value in LOGIN.items() if name.startswith("HARMONI_")}
_TERMINAL = {"HOME": _HOME, "PATH": f"{_HOME}/bin:{PATH}", "COLUMNS": str(ROOM), **_X11}
_LIMIT = 90.0
_AGAIN = 0.5
#: What asks others, which on a busy machine are not up yet, as its reader would ask again.
_ASKS = re.compile(r"\b(rostopic|ping|etcdctl|avahi-resolve)\b")
#: What looks, and changes nothing: looked at again until it is as shown.
_LOOKS = re.compile(
    r"\bmacvlan-ros (verify|doctor|ps|list|status|scan|hosts)\b(?!.*--(clean|fix))"
    r"|\bdocker (ps|service (ps|ls))\b|\brostopic list\b|\betcdctl member list\b"
    r"|\bavahi-resolve\b"
)
#: An error, a finding that is bad, a ping that is lost, a link that is gone.
_TROUBLE = re.compile(r"(?mi)error:|^\S.* bad |100% packet loss|does not exist")


class Pc(Protocol):
    """Where something is typed; see lab.Host."""

    def run(
        self,
        *argv: str,
        check: bool = True,
        timeout: float = _LIMIT,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002  (subprocess.run's own word)
    ) -> subprocess.CompletedProcess[str]: ...


class NotAsShown(AssertionError):
    """A command did not do what the page says."""


def do(
    page: Page, hosts: Mapping[str, Pc], *, patience: float = _LIMIT, strict: bool = True
) -> Iterator[tuple[Typed, str]]:
    """Do all steps in order; each command with what it printed. What looks is given `patience`
    seconds to see what is shown.

    Raises NotAsShown at the first that ends badly; one at a prompt may, unless `strict`. Whether
    outputs are as shown is for `compare`.
    """
    for step in page.steps:
        for name, done in _do(step, hosts, patience):
            output, code = done
            if code and not _may_fail(step) and (strict or not isinstance(step, Typed)):
                raise NotAsShown(
                    f"{page.path.name}, on {name}: exit code {code}\n{_words(step)}\n{output}"
                )
            if isinstance(step, Typed):
                yield step, output


def compare(page: Page, said: Iterable[tuple[Typed, str]]) -> None:
    """Raises NotAsShown for the first output that is another than the page shows."""
    for step, output in said:
        if not same(step.expected, output):
            raise NotAsShown(
                f"{page.path.name}:{step.first}: {step.command}\n--- the page shows\n"
                f"{step.expected}\n--- it printed\n{output}"
            )


def _do(step: Step, hosts: Mapping[str, Pc], patience: float) -> list[tuple[str, tuple[str, int]]]:
    if isinstance(step, Typed):
        return [(step.host, _type_patiently(hosts[step.host], step, patience))]
    if isinstance(step, Script):
        return [
            (name, _type(hosts[name], f"set -e\n{step.text}", step.folder)) for name in step.hosts
        ]
    for name in step.hosts:
        _write(hosts[name], step)
    return []


def _type_patiently(host: Pc, step: Typed, patience: float) -> tuple[str, int]:
    """Typed again as long as nobody answers, or all is not yet as shown, up to a limit."""
    began = time.monotonic()
    while True:
        output, code = _type(host, step.command, step.folder)
        asked = code and _ASKS.search(step.command) and not _may_fail(step)
        looked = _LOOKS.search(step.command) and not same(step.expected, output)
        limit = _LIMIT if asked else patience if looked else 0.0
        if time.monotonic() - began >= limit:
            return output, code
        time.sleep(_AGAIN)


def _type(host: Pc, command: str, folder: str) -> tuple[str, int]:
    keep = f"[ ! -e {_SESSION} ] || . {_SESSION}\ntrap 'export -p >{_SESSION}' EXIT\n"
    where = f"mkdir -p {folder} && cd {folder}\n"
    command = command.rstrip()
    if command.endswith("&"):
        command = f"{command[:-1]} >/dev/null 2>&1 &"
    done = host.run(
        *("bash", "-c", f"exec 2>&1\n{keep}{where}{command}"),
        check=False,
        timeout=_LIMIT,
        env=_TERMINAL,
    )
    return done.stdout, done.returncode


def _write(host: Pc, step: Written) -> None:
    script = f'mkdir -p "$(dirname {step.path})" && cat > {step.path}'
    host.run("bash", "-c", script, input=step.text, env=_TERMINAL)


def _may_fail(step: Step) -> bool:
    """A page shows a failure on purpose where it shows its message."""
    return isinstance(step, Typed) and _TROUBLE.search(step.expected) is not None


def _words(step: Step) -> str:
    if isinstance(step, Typed):
        return step.command
    return step.text
