"""A PC of another kind: a virtual machine with a kernel of its own.

Everything in it runs on software emulation, a good ten times slower than in the lab's hosts. Its
LAN is inside of it, too: what is sent from eth0 arrives at eth1.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import select
import shlex
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import images, machine_image
from .errors import CommandFailed, LabError
from .host import ROOT, kill_group

#: Without cmpxchg16b: qemu 7.2 loses the flags at an interrupt after it, and the kernel panics.
CPU = "Nehalem,-cx16"
#: Seconds: ten on a machine with nothing else to do.
BOOT = 120.0
TIMEOUT = 60.0
PREFIX = "macvlan-ros-machine-"

COMMAND = """#!/usr/bin/python3
import sys
from macvlan_ros.cli import main
sys.exit(main())
"""


class Machine:
    """One virtual machine; a context manager. It starts at once, from the same disk each time.

    `files` are more files in it, by their path.
    """

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        self._files = dict(files or {})
        self._agent: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Machine:
        program = shutil.which("qemu-system-x86_64")
        if program is None:
            raise LabError("the virtual machine needs qemu: apt-get install qemu-system-x86")
        made = machine_image.make()
        _remove_stale()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        try:
            (self.folder / "brought").write_bytes(self._brought(made / "root"))
            self._start([program, *self._options(made)])
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the machine, as if its plug was pulled."""
        if self._agent is not None:
            self._agent.close()
        if self._process is not None:
            kill_group(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(
        self, *argv: str, check: bool = True, timeout: float = TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the machine to its end.

        Raises CommandFailed, with what it said, when it ends with another code than 0 and `check`
        is set, and LabError when there is no answer in `timeout` seconds.
        """
        done = self.sh(shlex.join(argv), check=check, timeout=timeout)
        return subprocess.CompletedProcess(argv, done.returncode, done.stdout, done.stderr)

    def sh(
        self, script: str, *, check: bool = True, timeout: float = TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Runs a shell script in the machine; see `run`."""
        assert self._agent is not None
        self._agent.sendall(base64.b64encode(script.encode()) + b"\n")
        try:
            out, err, code = self._line(timeout).split("_")
        except TimeoutError:
            raise LabError(f"the machine: {script}: no end after {timeout:g} s") from None
        done = subprocess.CompletedProcess(script, int(code), _text(out), _text(err))
        if check and done.returncode != 0:
            raise CommandFailed(
                f"the machine: {script}: exit code {code}\n{done.stdout}{done.stderr}"
            )
        return done

    def docker(self, *words: str, check: bool = True, timeout: float = TIMEOUT) -> str:
        """Docker's own command line; its standard output."""
        return self.run("docker", *words, check=check, timeout=timeout).stdout.rstrip("\n")

    def import_image(self, name: str) -> None:
        """Makes the lab's own image of busybox, which rests."""
        command = ["docker", "import", "-c", 'CMD ["/bin/rest"]', "/image.tar", name]
        self.run(*command)

    def console(self, lines: int = 40) -> str:
        """The last lines of what the kernel and systemd said."""
        path = self.folder / "console"
        text = path.read_text(errors="replace") if path.exists() else ""
        return " / ".join(text.splitlines()[-lines:])

    def _options(self, made: Path) -> Sequence[str]:
        disk = f"file={made / 'disk'},format=raw,if=virtio,snapshot=on"
        brought = f"file={self.folder / 'brought'},format=raw,if=virtio,readonly=on"
        words = "console=ttyS0 quiet panic=1 net.ifnames=0 mitigations=off"
        return (
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-m", "1024"),
            *("-accel", "tcg", "-cpu", CPU, "-smp", "1"),
            *("-kernel", str(made / "kernel"), "-initrd", str(made / "initrd")),
            *("-append", words, "-drive", disk, "-drive", brought),
            *("-serial", f"file:{self.folder / 'console'}"),
            *("-chardev", f"socket,id=agent,path={self.folder / 'agent'},server=on,wait=off"),
            *("-serial", "chardev:agent"),
            *(word for number in range(2) for word in self._port(number)),
        )

    @staticmethod
    def _port(number: int) -> Sequence[str]:
        """A network interface on the machine's own switch."""
        device = f"virtio-net-pci,netdev=p{number},mac=52:54:00:00:00:0{number},romfile="
        return ("-netdev", f"hubport,id=p{number},hubid=0", "-device", device)

    def _start(self, command: Sequence[str]) -> None:
        with (self.folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(
                # it ends with the thread that starts it, however that one ends
                ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "-10", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(self.folder)},
            )
        # what runs in it has clocks of its own, which do not wait for a machine that is busy; where
        # the kernel shares out the processors by session (sched(7)), that needs the session's word
        with contextlib.suppress(OSError):
            Path(f"/proc/{self._process.pid}/autogroup").write_text("-10")
        self._agent = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10
        while self._agent.connect_ex(str(self.folder / "agent")) != 0:
            self._check(deadline)
            time.sleep(0.02)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + BOOT
        while True:
            try:
                if self._line(max(0.1, deadline - time.monotonic())) == "ready":
                    return
            except TimeoutError:
                self._check(deadline)

    def _check(self, deadline: float) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            said = (self.folder / "qemu.log").read_text(errors="replace").strip()
            raise LabError(f"the virtual machine ended at its start: {said or 'no word'}")
        if time.monotonic() > deadline:
            raise LabError(f"the virtual machine is not up after {BOOT:g} s: {self.console()}")

    def _line(self, timeout: float) -> str:
        """One line of the agent's. Raises TimeoutError."""
        assert self._agent is not None
        deadline, line = time.monotonic() + timeout, b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._agent], [], [], deadline - time.monotonic())
            if not readable:
                raise TimeoutError
            data = self._agent.recv(1 << 16)
            if not data:
                raise LabError(f"the virtual machine ended: {self.console()}")
            line += data
        return line.decode(errors="replace").strip()

    def _brought(self, root: Path) -> bytes:
        """An archive of this working tree's package and of `files`, as it lies in the machine."""
        buffer = io.BytesIO()
        with (
            tempfile.TemporaryDirectory(dir=root / "tmp") as folder,
            tarfile.open(fileobj=buffer, mode="w") as archive,
        ):
            package = Path(folder) / "macvlan_ros"
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "macvlan_ros", package, ignore=ignored)
            # by the machine's own Python, but at this machine's speed
            compile_all = ["python3", "-m", "compileall", "-q", f"/tmp/{package.parent.name}"]
            subprocess.run(["chroot", str(root), *compile_all], check=True, timeout=60)
            archive.add(package, f"{machine_image.place(root)}/macvlan_ros")
            _add(archive, "image.tar", images.root_filesystem())
            for name, text in {"usr/local/bin/macvlan-ros": COMMAND, **self._files}.items():
                _add(archive, name, text.encode())
        return buffer.getvalue()


def _remove_stale() -> None:
    """The folders of machines whose owners were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _add(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.size = 0o755, len(content)
    archive.addfile(entry, io.BytesIO(content))


def _text(word: str) -> str:
    return base64.b64decode(word).decode(errors="replace")
