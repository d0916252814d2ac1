"""Putting the service in place on a PC with systemd, taking it away, and telling how it does."""

from __future__ import annotations

import http.client
import json
import logging
import shlex
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

from macvlan_ros.errors import Forbidden, NotFound, Unavailable
from macvlan_ros.undo import Undo, all_or_nothing
from macvlan_ros.values import dataclass
from macvlan_ros.whole_file import cannot_write, write_whole

__all__ = ["MDNS_UNIT", "SHIM_UNIT", "UNITS", "Status", "install", "status", "uninstall"]

#: Serves Docker, and keeps the shims of the plugin's networks.
UNITS = ("macvlan-ros.socket", "macvlan-ros.service")
#: Keeps the shims of networks that launch and the command line made.
SHIM_UNIT = "macvlan-ros-shim.service"
#: Publishes the names of this PC's containers.
MDNS_UNIT = "macvlan-ros-mdns.service"
_PLACEHOLDER = "@EXECUTABLE@"
#: It is there where systemd runs (sd_booted(3)).
_RUNS = Path("/run/systemd/system")
#: What to do where it does not, by the first word that it would have been told.
_INSTEAD = {
    "daemon-reload": "start the service yourself: macvlan-ros plugin serve",
    "disable": "remove the units alone with: macvlan-ros plugin uninstall --no-stop",
}
_SYSTEMCTL_SECONDS = 60.0
_ANSWER_SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """How the service does. `installed` are the units that are in place, `active` what systemd says
    of the service ("" without systemd), `answers` whether it answers on its socket."""

    installed: tuple[str, ...]
    active: str
    socket: str
    answers: bool


def install(
    folder: Path, *, start: bool = True, shim: bool = True, mdns: bool = False
) -> tuple[Path, ...]:
    """Write the units into `folder` and, with `start`, enable and start them; without `shim` not
    the one that keeps shims, with `mdns` the one that publishes names.

    Doing it again brings them up to date. Raises Forbidden, NotFound, Unavailable.
    """
    units = units_of(shim=shim, mdns=mdns)
    if mdns:
        from macvlan_ros.lan_names import mdns_voice

        mdns_voice.require()
    with all_or_nothing(_log.warning) as undo:
        for name in units:
            text = _template(name).read_text(encoding="utf-8").replace(_PLACEHOLDER, _executable())
            _write(folder / name, text, undo)
        if start:
            _systemctl("daemon-reload")
    if start:
        _systemctl("enable", *units)
        # The socket first: a service that runs already holds a socket of its own.
        _systemctl("stop", "macvlan-ros.service")
        _systemctl("restart", "macvlan-ros.socket")
        _systemctl("start", "macvlan-ros.service")
        for name in units[len(UNITS) :]:
            # it waits for Docker by itself, and Docker for nothing of it
            _systemctl("restart", "--no-block", name)
    return tuple(folder / name for name in units)


def _write(unit: Path, text: str, undo: Undo) -> None:
    try:
        unit.parent.mkdir(parents=True, exist_ok=True)
        before = unit.read_text(encoding="utf-8") if unit.exists() else None
        write_whole(unit, text)
    except PermissionError as error:
        raise Forbidden(
            f"{unit} cannot be written ({error.strerror}); run as root: sudo macvlan-ros plugin"
            " install"
        ) from error
    except OSError as error:
        raise cannot_write(unit, error) from error
    if before is None:
        undo.add(unit.unlink, missing_ok=True)
    else:
        undo.add(write_whole, unit, before)


def units_of(*, shim: bool, mdns: bool) -> tuple[str, ...]:
    """The names of the units; without `shim` not the one that keeps shims, with `mdns` the one that
    publishes names."""
    return (*UNITS, *([SHIM_UNIT] if shim else ()), *([MDNS_UNIT] if mdns else ()))


def present(folder: Path) -> tuple[Path, ...]:
    """The units that are in `folder`."""
    every = units_of(shim=True, mdns=True)
    return tuple(folder / name for name in every if (folder / name).exists())


def uninstall(folder: Path, *, stop: bool = True) -> tuple[Path, ...]:
    """Stop the service and remove its units; what it has reserved stays. Twice is fine."""
    there = present(folder)
    if there and stop:
        _systemctl("disable", "--now", *(path.name for path in there))
    for path in there:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Forbidden(
                f"{path} cannot be removed ({error.strerror}); run as root: sudo macvlan-ros "
                "plugin uninstall"
            ) from error
    if there and stop:
        _systemctl("daemon-reload")
    return there


def status(folder: Path, path: Path) -> Status:
    """How the service does that listens on the socket `path`."""
    installed = tuple(path.name for path in present(folder))
    active = ""
    if shutil.which("systemctl"):
        said = _run("systemctl", "is-active", "macvlan-ros.service")
        active = said.stdout.strip()
    return Status(installed, active, str(path), _answers(path))


def _template(name: str) -> Path:
    """A unit as it was installed with the package, or as it is in the source tree."""
    # Debian's own Python puts what pip installs, and it only, under /usr/local.
    roots = dict.fromkeys((sys.prefix, sysconfig.get_path("data"), site.getuserbase()))
    source = Path(__file__).resolve().parents[2] / "plugin"
    places = (*(Path(root) / "share" / "macvlan-ros" for root in roots), source)
    for place in places:
        if (place / name).is_file():
            return place / name
    looked = " nor in ".join(map(str, places))
    raise NotFound(f"the unit {name} is not in {looked}; install macvlan-ros again")


def _executable() -> str:
    """How systemd starts this very installation."""
    found = Path(sys.argv[0]).resolve()
    if found.name == "macvlan-ros":
        return shlex.quote(str(found))
    return f"{shlex.quote(sys.executable)} -m macvlan_ros"


def _systemctl(*words: str) -> None:
    if shutil.which("systemctl") is None:
        raise Unavailable(
            "this PC has no systemd; start the service yourself: macvlan-ros plugin serve"
        )
    done = _run("systemctl", *words)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        if words[0] in _INSTEAD and not _RUNS.exists():
            raise Unavailable(
                f"systemd does not run here ({reason[-1] if reason else done.returncode});"
                f" {_INSTEAD[words[0]]}"
            )
        raise Unavailable(
            f"systemctl {' '.join(words)} failed: {reason[-1] if reason else done.returncode}; "
            "see: journalctl -u macvlan-ros"
        )


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_SYSTEMCTL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"{' '.join(command)} did not end within {_SYSTEMCTL_SECONDS:g} s"
        ) from error


def _answers(path: Path) -> bool:
    connection = http.client.HTTPConnection("plugin", timeout=_ANSWER_SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(_ANSWER_SECONDS)
    try:
        connection.sock.connect(str(path))
        connection.request("POST", "/IpamDriver.GetDefaultAddressSpaces")
        return "LocalDefaultAddressSpace" in json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
