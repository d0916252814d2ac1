"""One PC of the lab: its own network, mounts, name and Docker Engine, on this machine's kernel."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import images, keeper, template
from .engine_process import EngineProcess
from .errors import CommandFailed, LabError
from .wiring import Wiring

ROOT = Path(__file__).resolve().parents[2]
NAMESPACES = Path(__file__).with_name("namespaces.sh")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds until a command that is run in a host is taken for hung.
TIMEOUT = 60.0
#: How the variables begin that Python reads at its start.
ANEW = ("PYTHON", "LD_", "LC_", "LANG", "TZ")
RECIPE = "macvlan-ros-lab.recipe"

#: What a PC loses with its power: the mounts of its containers, /run, and all links but eth0.
FORGET = """
while read -r _ _ _ _ where _; do
    case $where in
        /var/lib/docker/overlay2/*/diff) ;;  # an image's files, as if they were on the disk
        /run/*|/var/lib/docker/*) echo "$where" ;;
    esac
done </proc/self/mountinfo | sort -r | xargs -r umount -l
find /run -mindepth 1 -delete
mkdir -p -m 700 /run/home
mkdir -p -m 1777 /run/lock
"""


class Host:
    """One PC. It is made, and wired to the switch, by a Lab.

    `mark` is what its processes carry, `folder` is its own, outside (see keeper.py). `tree` is
    where its Docker Engine comes from, if not from this machine (see debian.py).
    """

    def __init__(
        self, name: str, *, mark: str, folder: Path, wiring: Wiring, tree: Path | None = None
    ) -> None:
        self.name = name
        self.mark = mark
        self.folder = folder
        self.wiring = wiring
        self._holder = self._open_namespaces()
        group = "/" + keeper.PREFIX + mark
        self.engine = EngineProcess(self.command(), folder, control_group=group, tree=tree)
        self._started: list[subprocess.Popen[str]] = []

    def __repr__(self) -> str:
        return f"Host({self.name!r}, {self.address})"

    @property
    def address(self) -> str:
        """Its IPv4 address on the LAN, without the prefix."""
        return self.wiring.address.partition("/")[0]

    @property
    def address6(self) -> str:
        """Its IPv6 address on the LAN, without the prefix; "" if the LAN has none."""
        return self.wiring.address6.partition("/")[0]

    @property
    def mac(self) -> str:
        """The MAC address of its eth0."""
        return self.wiring.mac

    @property
    def pid(self) -> int:
        """The process that holds its namespaces open: /proc/PID/ns/net is its network."""
        return self._holder.pid

    @property
    def docker_url(self) -> str:
        """Its engine for DOCKER_HOST or the SDK; good inside the host and outside."""
        return f"unix://{self.engine.socket}"

    def path(self, inside: str) -> Path:
        """Where one of the host's files is, seen from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def command(
        self, *argv: str, env: Mapping[str, str] | None = None, cwd: str | Path | None = None
    ) -> list[str]:
        """The command line that runs `argv` in this host, for a terminal or a spawn of one's own.

        The environment is a login's, with `env` on top; the working folder is /run/home.
        """
        variables = self._environment(env)
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--uts"]
        enter += ["env", "-i", f"--chdir={cwd or '/run/home'}"]
        return [*enter, *(f"{name}={value}" for name, value in variables.items()), *argv]

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            "PATH": PATH,
            "HOME": "/run/home",
            "USER": "root",
            "LANG": "C.UTF-8",
            keeper.MARK: self.mark,
            **(more or {}),
        }

    def popen(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Starts a command in the host; `options` are Popen's. It ends with the test at latest.

        It leads a process group of its own, and signals reach the command itself.
        """
        settings = {"stdin": subprocess.DEVNULL, "text": True, "start_new_session": True}
        process = subprocess.Popen(self.command(*argv, env=env, cwd=cwd), **settings | options)
        self._started.append(process)
        return process

    def run(
        self,
        *argv: str,
        check: bool = True,
        timeout: float = TIMEOUT,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        input: str | bytes | None = None,  # noqa: A002  (subprocess.run's own word)
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the host to its end.

        Raises CommandFailed, with what it said, when it ends with another code than 0 and `check`
        is set, and LabError when it has not ended after `timeout` seconds; it is killed then.
        """
        process = subprocess.Popen(
            self.command(*argv, env=env, cwd=cwd),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            data = input.encode() if isinstance(input, str) else input
            out, err = process.communicate(data, timeout)
        except BaseException as error:
            kill_group(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise self._hangs(argv, timeout) from None
            raise
        return self._ended(argv, process.returncode, out, err, check=check)

    def _ended(
        self, argv: Sequence[str], code: int, out: bytes, err: bytes, *, check: bool
    ) -> subprocess.CompletedProcess[str]:
        stdout, stderr = out.decode(errors="replace"), err.decode(errors="replace")
        if check and code != 0:
            raise CommandFailed(
                f"{self.name}: {shlex.join(argv)}: exit code {code}\n{stdout}{stderr}"
            )
        return subprocess.CompletedProcess(argv, code, stdout, stderr)

    def _hangs(self, argv: Sequence[str], timeout: float) -> LabError:
        return LabError(f"{self.name}: {shlex.join(argv)}: no end after {timeout:g} s")

    def docker(self, *args: str, timeout: float = TIMEOUT, check: bool = True) -> str:
        """Docker's own command line on this host's engine; its standard output."""
        done = self.run(*self.engine.cli(), *args, timeout=timeout, check=check)
        return done.stdout.rstrip("\n")

    def into(self, container: str) -> tuple[str, ...]:
        """The words before a command of the host's that give it a container's network: a tenth of
        the time that `docker exec` takes. Raises LabError when the container does not run."""
        pid = self.engine.call("GET", f"/containers/{container}/json")["State"]["Pid"]
        if not pid:
            raise LabError(f"{self.name}: the container {container} does not run")
        return ("nsenter", f"--net=/proc/{pid}/ns/net")

    def macvlan_ros(
        self,
        *args: str,
        check: bool = False,
        timeout: float = TIMEOUT,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Our command line in this host, from this working tree; forked (see template.py) unless
        Python itself would look into `env`."""
        argv = self.macvlan_ros_command(*args)
        if any(name.startswith(ANEW) for name in env or ()):
            return self.run(*argv, check=check, timeout=timeout, env=env, cwd=cwd)
        variables = {**self._environment(env), "PYTHONPATH": str(ROOT)}
        place = str(cwd or "/run/home")
        try:
            done = template.run(args, host=self.pid, env=variables, cwd=place, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise self._hangs(argv, timeout) from None
        return self._ended(argv, done.returncode, done.stdout, done.stderr, check=check)

    @staticmethod
    def macvlan_ros_command(*args: str) -> tuple[str, ...]:
        """The words that start our command line in a host, for `popen` and `command`."""
        return ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "macvlan_ros", *args)

    def start_engine(self, *options: str) -> None:
        """Starts dockerd, with more `options` if given, and returns when it answers."""
        self.engine.start(*options)

    def stop_engine(self) -> None:
        """Ends dockerd the orderly way; without live-restore its containers stop."""
        self.engine.stop()

    def kill_engine(self) -> None:
        """Ends dockerd with SIGKILL, as a crash does; its containers stay."""
        self.engine.kill()

    def restart_engine(self, *options: str) -> None:
        """Stops dockerd and starts it again, with more `options` if given."""
        self.engine.stop()
        self.engine.start(*options)

    def cut_power(self) -> None:
        """Ends everything that runs in the host at once, and forgets what a reboot forgets.

        What stays is what a disk keeps: /etc and /var/lib. `start_engine` is the boot.
        """
        keeper.end(self.mark, spare=(self.pid,))
        self.engine.kill()
        self.run("sh", "-c", FORGET)
        self.clear_links(keep=())
        self.link_up()

    def link_down(self) -> None:
        """Switches eth0 off, as `ip link set eth0 down` does; its routes are lost."""
        self.run("ip", "link", "set", "eth0", "down")

    def link_up(self) -> None:
        """Gives eth0 exactly its own addresses and routes, whatever it has now."""
        self.run("ip", "-batch", "-", input="".join(self.wiring.lines("eth0")))

    def clear_links(self, *, keep: Sequence[str] = ("docker0",)) -> None:
        """Deletes all links but lo, eth0 and those in `keep`, and forgets the neighbours."""
        for name in sorted(link.name for link in self.path("/sys/class/net").iterdir()):
            if name not in ("lo", "eth0", *keep):
                # the other end of a veth goes with the first
                self.run("ip", "link", "delete", name, check=False)
        self.run("ip", "neigh", "flush", "all")

    def end_processes(self) -> None:
        """Ends what `popen` started and has not ended by itself, with all that descends from it:
        roscore gives its master a session of its own."""
        found = {process.pid for process in self._started if process.poll() is None}
        if found:
            for each in keeper.descendants(found, keeper.processes()):
                each.kill()
        for process in self._started:
            kill_group(process)
        self._started.clear()

    def import_image(
        self,
        name: str,
        *,
        env: Mapping[str, str] | None = None,
        entrypoint: Sequence[str] | None = None,
        cmd: Sequence[str] | None = None,
        changes: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        tree: Path | None = None,
    ) -> None:
        """Makes an image in the host's engine; images.py tells what is in it.

        `cmd` is /bin/rest unless given. `changes` are more Dockerfile instructions, `files` more
        (executable) files by their path. With `tree`, a folder, the image is that folder (see
        ros_image.py), which all engines then share. An image that is there already is not made
        again.
        """
        lines = images.image_changes(env=env or {}, entrypoint=entrypoint, cmd=cmd, changes=changes)
        extra = tuple(sorted((files or {}).items()))
        if tree is not None:
            extra = (("tree", str(tree)),)
        recipe = hashlib.sha256(json.dumps([lines, extra]).encode()).hexdigest()[:16]
        if self._has_image(name, recipe):
            return
        options = [word for line in [*lines, f"LABEL {RECIPE}={recipe}"] for word in ("-c", line)]
        data = images.root_filesystem(extra)
        self.run(*self.engine.cli(), "import", *options, "-", name, input=data)
        if tree is not None:
            self._lay_over(name, tree)

    def _has_image(self, name: str, recipe: str) -> bool:
        try:
            found = self.engine.call("GET", f"/images/{name}/json")
        except LabError:
            return False
        return (found["Config"]["Labels"] or {}).get(RECIPE) == recipe

    def _lay_over(self, image: str, tree: Path) -> None:
        """Puts a folder, read-only, in the place of an image's only layer: that costs nothing."""
        layer = "{{.GraphDriver.Name}} {{.GraphDriver.Data.UpperDir}}"
        kind, _, place = self.docker("image", "inspect", "-f", layer, image).partition(" ")
        if kind != "overlay2":
            raise LabError(f"{self.name}: an image of a folder needs overlay2, and here is {kind}")
        script = 'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2"'
        self.run("sh", "-euc", script, "sh", str(tree), place)

    def close(self) -> None:
        """Ends the host with all that runs in it."""
        keeper.end(self.mark)
        self.end_processes()
        self.engine.kill()
        self._holder.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until_ready(self, deadline: float) -> None:
        """Returns when the namespaces are set up. Raises LabError with the reason if not."""
        assert self._holder.stdout is not None
        left = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([self._holder.stdout], [], [], left)
        if not readable or self._holder.stdout.readline() != "ready\n":
            reason = (self.folder / "namespaces.log").read_text().strip()
            raise LabError(f"host {self.name} could not be set up: {reason or 'no answer'}")

    def _open_namespaces(self) -> subprocess.Popen[str]:
        for name in ("run", "private"):
            (self.folder / name).mkdir(parents=True)
        unshare = ["unshare", "--net", "--mount", "--uts", "--propagation", "slave"]
        script = ["sh", str(NAMESPACES), self.name, str(self.folder), self.wiring.gateway]
        with (self.folder / "namespaces.log").open("w") as log:
            return subprocess.Popen(
                [*unshare, *script],
                env={"PATH": PATH, keeper.MARK: self.mark},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Ends a process that leads its own group, with its children, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
