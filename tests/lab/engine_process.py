"""One host's Docker Engine: a real dockerd that is started, stopped and killed at will."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import keeper
from .errors import LabError

OTHER_ROOT = Path(__file__).with_name("other_root.sh")
#: Percent by which a Go program's memory grows before it looks for garbage, where 100 is usual:
#: dockerd starts itself anew three times for each container, and a third of that is such a search.
#: GOGC in the environment says another number.
GARBAGE = "400"
#: Programs that dockerd starts, in the place of the machine's.
PROGRAMS = Path(__file__).with_name("engine")
#: Seconds: dockerd answers within half a second when nobody else uses the machine.
START = 60.0
STOP = 20.0
CALL = 30.0


class EngineProcess:
    """The dockerd of one host.

    `enter` is the command that puts another one into the host, `folder` the host's own folder,
    whose `run` is the host's /run. `control_group` is the parent of the containers' groups.
    dockerd has all its usual paths; that they differ from host to host is the namespaces' work.
    With `tree` it is another Debian's, with that one's files as its root (debian.py).
    """

    def __init__(
        self, enter: Sequence[str], folder: Path, *, control_group: str, tree: Path | None = None
    ) -> None:
        self._enter = tuple(enter)
        self._tree = tree
        self._work = folder / "private" / "engine"
        self._control_group = control_group
        self._run = folder / "run"
        self._log = folder / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The engine's socket, as seen from outside the host."""
        return self._run / "docker.sock"

    @property
    def pid(self) -> int | None:
        """dockerd's process id, or None when it does not run."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def cli(self) -> list[str]:
        """The words that start the engine's own docker command line, in the host."""
        # Debian's: a newer one that somebody put into /usr/local may refuse an older engine.
        if self._tree is None:
            return ["/usr/bin/docker"]
        if self.pid is None:
            raise LabError("the engine does not run, and its command line's files are its own")
        return ["nsenter", f"--target={self.pid}", "--mount", "--wd", "/usr/bin/docker"]

    def spawn(self, *options: str) -> None:
        """Starts dockerd without waiting until it answers."""
        if self.pid is not None:
            raise LabError("this host's engine runs already")
        garbage = os.environ.get("GOGC", GARBAGE)
        command = [*self._enter, "env", f"GOGC={garbage}", *self._elsewhere(), "dockerd"]
        command += ["--exec-opt", "native.cgroupdriver=cgroupfs"]
        command += ["--cgroup-parent", self._control_group, *options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, *, timeout: float = START) -> None:
        """Returns when the engine answers. Raises LabError with the end of its log if not."""
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.pid is None:
                raise LabError(f"dockerd ended at its start: {self.log_end()}")
            if time.monotonic() > deadline:
                raise LabError(f"dockerd does not answer after {timeout:g} s: {self.log_end()}")
            time.sleep(0.01)

    def start(self, *options: str, timeout: float = START) -> None:
        """Starts dockerd and returns when it answers."""
        self.spawn(*options)
        self.wait(timeout=timeout)

    def stop(self, *, timeout: float = STOP) -> None:
        """Ends dockerd the orderly way, which stops the containers too; no-op when it is down."""
        if self._process is None or self.pid is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"dockerd did not stop within {timeout:g} s: it was killed") from None

    def kill(self) -> None:
        """Ends dockerd with SIGKILL; its containers stay. No-op when it is down.

        Its pid file and containerd's are removed: the first would keep the next dockerd from
        starting, and for the second it would wait, were the dead containerd not buried yet.
        """
        if self._process is None or self.pid is None:
            return
        self._process.kill()
        self._process.wait(STOP)
        (self._run / "docker.pid").unlink(missing_ok=True)
        containerd = self._run / "docker/containerd/containerd.pid"
        if containerd.exists():
            wait_for_end(int(containerd.read_text()), timeout=STOP)
            containerd.unlink(missing_ok=True)

    def pause(self) -> None:
        """Keeps dockerd from doing anything, as on a machine that hangs, until `resume`."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    def call(self, method: str, path: str) -> Any:
        """One request to the engine's API without a body; the decoded answer, None if empty.

        Raises LabError on a status of 400 and above.
        """
        connection = _UnixConnection(self.socket, timeout=CALL)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"{method} {path}: the engine does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise LabError(f"{method} {path}: {answer.status} {text.strip()}")
        return json.loads(text) if text.startswith(("{", "[")) else None

    def log_end(self, lines: int = 3) -> str:
        """The last lines of dockerd's log."""
        if not self._log.exists():
            return "(no log)"
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _elsewhere(self) -> list[str]:
        """The words before dockerd: they give it our programs, or the tree as its root."""
        if self._tree is None:
            return ["sh", "-c", 'PATH=$1:$PATH; shift; exec "$@"', "sh", str(PROGRAMS)]
        unshare = ["unshare", "--mount", "--propagation", "unchanged"]
        return [*unshare, "sh", str(OTHER_ROOT), str(self._tree), str(self._work)]

    def _answers(self) -> bool:
        try:
            self.call("GET", "/_ping")
        except LabError:
            return False
        return True


def wait_for_end(pid: int, *, timeout: float) -> None:
    """Returns when a process that need not be a child of ours has ended, or after `timeout`."""
    with keeper.handle_of(pid) as handle:
        if handle is not None:
            select.select([handle], [], [], timeout)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
