"""Docker over ssh: one `ssh -L` from a socket of ours to the socket of the engine's host.

The SDK's own ssh needs paramiko, and starts a connection for each request. This is one ssh for
all of them, with the user's own keys and configuration, and it ends when we do.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from macvlan_ros.docker_api.context import Endpoint
from macvlan_ros.errors import DockerDown, Forbidden, MacvlanRosError

#: Seconds in which the other side must have let us in.
_OPEN_TIMEOUT = 15.0
#: Seconds that ssh has to end by itself.
_CLOSE_TIMEOUT = 2.0
_REMOTE_SOCKET = "/var/run/docker.sock"

#: What ssh says (OpenSSH 8 to 10), and what to do about it.
_KNOWN: tuple[tuple[str, type[MacvlanRosError], str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        Forbidden,
        "its host key has changed; if that is right, forget the old one with: "
        "ssh-keygen -R {known}",
    ),
    (
        r"Host key verification failed",
        Forbidden,
        "its host key is not known here; look at it and accept it once, with: ssh {target}",
    ),
    (
        r"Permission denied",
        Forbidden,
        "it does not let us in; give it your key with: ssh-copy-id {target}",
    ),
    (
        r"Could not resolve hostname",
        DockerDown,
        "nobody knows a host {host!r}; name its address instead",
    ),
    (
        r"administratively prohibited|forwarding (?:is )?disabled|remote port forwarding failed",
        Forbidden,
        "it forbids forwarding; allow it with AllowStreamLocalForwarding yes in its sshd_config",
    ),
    (
        r"open failed",
        DockerDown,
        "ssh lets us in, but the socket {socket} there cannot be opened; is Docker running there, "
        "and is the user in the docker group?",
    ),
)


class Tunnel:
    """An open tunnel to an engine's socket, at `path`. Close it when done.

    Raises `DockerDown` or `Forbidden` with what ssh says, within `_OPEN_TIMEOUT` seconds.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        program = shutil.which("ssh")
        if program is None:
            raise DockerDown(
                f"Docker at {endpoint} is reached by ssh, which is not installed; "
                "install it with: sudo apt install openssh-client"
            )
        self._folder = Path(tempfile.mkdtemp(prefix="macvlan-ros-"))
        self._socket = self._folder / "docker.sock"
        self._said = self._folder / "ssh.log"
        self.path = str(self._socket)
        try:
            with self._said.open("wb") as said:
                self._ssh = subprocess.Popen(
                    self._command(program),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    # Ctrl-C is for us: what undoes a launch still needs the tunnel
                    start_new_session=True,
                )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            self._wait_open()
        except BaseException:
            self.close()
            raise

    def _command(self, program: str) -> list[str]:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "ExitOnForwardFailure": "yes",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "3",
            "StreamLocalBindUnlink": "yes",
            # a shared connection would keep the socket open after us
            "ControlPath": "none",
        }
        command = [program, "-T"]
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        if self._endpoint.port is not None:
            command += ["-p", str(self._endpoint.port)]
        if self._endpoint.user:
            command += ["-l", self._endpoint.user]
        command += ["-L", f"{self._socket}:{self._endpoint.path or _REMOTE_SOCKET}"]
        # cat ends with our end of its stdin, so that no ssh outlives us, however we end
        return [*command, "--", self._endpoint.host, "cat >/dev/null"]

    def _wait_open(self) -> None:
        deadline = time.monotonic() + _OPEN_TIMEOUT
        while not self._listens():
            if self._ssh.poll() is not None:
                raise self._failure("ssh ended with " + str(self._ssh.returncode))
            if time.monotonic() >= deadline:
                raise self._failure(f"ssh got nowhere in {_OPEN_TIMEOUT:g} s")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def explain(self) -> MacvlanRosError | None:
        """Why the tunnel carries nothing, if ssh says so; None while it is well."""
        if self._ssh.poll() is not None:
            return self._failure("ssh ended with " + str(self._ssh.returncode))
        return self._known_failure()

    def _failure(self, otherwise: str) -> MacvlanRosError:
        lines = self._lines()
        reason = lines[-1] if lines else otherwise
        return self._known_failure() or DockerDown(
            f"Docker at {self._endpoint} does not answer: {reason}; "
            f"try it by hand with: ssh {self._target}"
        )

    def _known_failure(self) -> MacvlanRosError | None:
        said = "\n".join(self._lines())
        for pattern, kind, sentence in _KNOWN:
            if re.search(pattern, said):
                reason = sentence.format(
                    host=self._endpoint.host,
                    target=self._target,
                    known=self._known_as,
                    socket=self._endpoint.path or _REMOTE_SOCKET,
                )
                return kind(f"Docker at {self._endpoint} does not answer: {reason}")
        return None

    def _lines(self) -> list[str]:
        text = self._said.read_text(encoding="utf-8", errors="replace")
        return [line.strip() for line in text.splitlines() if line.strip()]

    @property
    def _target(self) -> str:
        """The host as a person would say it to ssh."""
        port = f"-p {self._endpoint.port} " if self._endpoint.port is not None else ""
        user = f"{self._endpoint.user}@" if self._endpoint.user else ""
        return f"{port}{user}{self._endpoint.host}"

    @property
    def _known_as(self) -> str:
        """The host as known_hosts has it, quoted for the shell."""
        port, host = self._endpoint.port, self._endpoint.host
        return host if port in (None, 22) else f"'[{host}]:{port}'"

    def close(self) -> None:
        """End ssh and remove the socket. Closing twice is fine."""
        if self._ssh.stdin is not None:
            self._ssh.stdin.close()
        if self._ssh.poll() is None:
            self._ssh.terminate()
            try:
                self._ssh.wait(_CLOSE_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._ssh.kill()
                self._ssh.wait(_CLOSE_TIMEOUT)
        shutil.rmtree(self._folder, ignore_errors=True)
