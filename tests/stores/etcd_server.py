"""Real etcd servers for tests: one or several members, on the loopback, with data of their own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path


class Member:
    """One etcd process; it can be killed and started again on its data."""

    def __init__(self, name: str, folder: Path, *, ports: tuple[int, int], scheme: str) -> None:
        self.name = name
        self.client = f"127.0.0.1:{ports[0]}"
        self.client_url = f"{scheme}://{self.client}"
        self.peer_url = f"http://127.0.0.1:{ports[1]}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, cluster: str, options: Sequence[str] = ()) -> None:
        """Start the process; `cluster` is what --initial-cluster takes."""
        # A test run that is killed takes its servers with it.
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "etcd",
            "--name",
            self.name,
            "--data-dir",
            str(self._folder / self.name),
        ]
        command += ["--listen-client-urls", self.client_url]
        command += ["--advertise-client-urls", self.client_url]
        command += ["--listen-peer-urls", self.peer_url]
        command += ["--initial-advertise-peer-urls", self.peer_url, "--initial-cluster", cluster]
        command += ["--heartbeat-interval", "30", "--election-timeout", "300", *options]
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self, *, seconds: float = 20.0) -> None:
        """Until it listens. A member that does not is a failed test."""
        end = time.monotonic() + seconds
        host, _, port = self.client.partition(":")
        while time.monotonic() < end:
            assert self._process and self._process.poll() is None, self.log()
            with contextlib.suppress(OSError):
                socket.create_connection((host, int(port)), 1).close()
                return
            time.sleep(0.02)
        raise AssertionError(f"etcd does not listen on {self.client}: {self.log()}")

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        if self._process:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def log(self) -> str:
        """The end of what it wrote."""
        return (self._folder / f"{self.name}.log").read_text(errors="replace")[-2000:]


class Etcd:
    """A cluster of so many members."""

    def __init__(self, folder: Path, *, members: int = 1, options: Sequence[str] = ()) -> None:
        self._options = options
        scheme = "https" if "--cert-file" in options else "http"
        ports = free_ports(2 * members)
        self.members = [
            Member(f"m{n}", folder, ports=(ports[2 * n], ports[2 * n + 1]), scheme=scheme)
            for n in range(members)
        ]
        self._cluster = ",".join(f"{each.name}={each.peer_url}" for each in self.members)

    def start(self, *members: Member) -> None:
        """Start these, or all, and wait until they answer."""
        for member in members or self.members:
            member.start(self._cluster, self._options)
        for member in members or self.members:
            member.wait()

    def stop(self) -> None:
        for member in self.members:
            member.kill()

    def url(self, prefix: str = "", *, scheme: str = "etcd") -> str:
        """The store's URL."""
        return f"{scheme}://{','.join(member.client for member in self.members)}/{prefix}"

    def ctl(self, *words: str, user: str = "") -> str:
        """What etcdctl prints. Raises CalledProcessError."""
        command = ["etcdctl", "--endpoints", self.members[0].client_url]
        command += ["--user", user] if user else []
        done = subprocess.run(
            [*command, *words],
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        )
        return done.stdout


@contextlib.contextmanager
def running(folder: Path, *, members: int = 1, options: Sequence[str] = ()) -> Iterator[Etcd]:
    """A cluster that ends with the block."""
    etcd = Etcd(folder, members=members, options=options)
    try:
        etcd.start()
        yield etcd
    finally:
        etcd.stop()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
