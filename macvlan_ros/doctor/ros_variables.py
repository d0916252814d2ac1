"""The doctor on ROS variables of the user's own: they reach containers by way of stack files, and
this PC's own nodes by way of its terminals."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.kernel import procnet
from macvlan_ros.values import dataclass

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: Files that shells read, below the home folder and below /etc.
_HOME = (".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".xsessionrc")
_ETC = ("environment", "profile", "bash.bashrc", "zsh/zshrc", "zsh/zshenv")
_SET = re.compile(
    r"^\s*(?:export\s+|setenv\s+)?(ROS_HOSTNAME|ROS_IP|ROS_MASTER_URI)[= ][\"']?([^\"'#;\s]*)"
)
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable, its value, and where it is set ("the environment", or FILE:LINE)."""

    name: str
    value: str
    where: str


def check(_app: App) -> Iterator[Finding]:
    """What the user's environment and shell files say."""
    home, etc = home_of(os.environ), Path("/etc")
    found = [*of_environment(os.environ), *of_files(shell_files(home, etc))]
    own = {str(one.address) for one in procnet.host_addresses()}
    troubles = [finding for one in found if (finding := judge(one, own)) is not None]
    yield from troubles
    if not troubles:
        told = ", ".join(f"{one.name}={one.value} ({one.where})" for one in found)
        yield Finding("ros", OK, told or "no ROS variable is set in this PC's shells")


def home_of(environ: Mapping[str, str]) -> Path:
    """The home folder of who has called sudo, else of this user."""
    with suppress(KeyError):
        if environ.get("SUDO_USER"):
            return Path(pwd.getpwnam(environ["SUDO_USER"]).pw_dir)
    return Path(environ.get("HOME") or "/root")


def shell_files(home: Path, etc: Path) -> list[Path]:
    """The files that may set variables, those that are there."""
    named = [*(home / name for name in _HOME), *(etc / name for name in _ETC)]
    with suppress(OSError):
        named += sorted((etc / "profile.d").glob("*.sh"))
    return [path for path in named if path.is_file()]


def of_environment(environ: Mapping[str, str]) -> list[Setting]:
    """What this very process was given."""
    names = ("ROS_HOSTNAME", "ROS_IP", "ROS_MASTER_URI")
    return [Setting(name, environ[name], "the environment") for name in names if name in environ]


def of_files(paths: Sequence[Path]) -> list[Setting]:
    """What shell files set; lines with substitutions are taken as they stand."""
    found = []
    for path in paths:
        with suppress(OSError), path.open("rb") as file:
            lines = file.read(_LONGEST).decode("utf-8", errors="replace").splitlines()
            for number, line in enumerate(lines, 1):
                if match := _SET.match(line):
                    found.append(Setting(match[1], match[2], f"{path}:{number}"))
    return found


def judge(one: Setting, own: set[str]) -> Finding | None:
    """What is wrong with a setting; None when nothing is. `own` are this PC's addresses."""
    said = f"{one.name}={one.value} in {one.where}"
    drop = f"take it out of {one.where}, and log in again"
    if one.where == "the environment":
        drop = f"unset {one.name}"
    if one.name == "ROS_HOSTNAME":
        text = (
            f"{said} beats ROS_IP: this PC's nodes are silent wherever that name does not resolve"
        )
        return Finding("ros", WARNING, text, drop)
    if one.name == "ROS_IP" and "$" not in one.value and one.value not in own:
        text = f"{said} is no address of this PC, so its nodes are reached by nobody"
        return Finding("ros", BAD, text, drop)
    if one.name == "ROS_MASTER_URI" and re.search(r"//(localhost|127\.|\[::1\])", one.value):
        text = f"{said} is this PC alone; in a container it would be that container"
        return Finding("ros", WARNING, text, "name the master by its LAN address")
    return None
