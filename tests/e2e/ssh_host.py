"""A host that is reached by ssh: a real server on the loopback interface, with keys of its own.

The client is the machine's own ssh, with a configuration that keeps it off the user's files.
`python -m tests.e2e.ssh_host FOLDER ADDRESS` is such a host on port 22 until it is ended.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

SSH_PORT = 22


@dataclass
class SshHost:
    """A context manager. `opens` says whether sockets may be forwarded, `runs` whether commands are
    run, here. `folder` takes the keys;
    its `bin` goes in front of PATH. The user's key is let in until `refuse_keys`."""

    folder: Path
    opens: bool = True
    runs: bool = False
    address: str = "127.0.0.1"
    port: int = 0
    #: Commands that run, and those that have ended, as the server sees them.
    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __enter__(self) -> SshHost:
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._user_key = asyncssh.generate_private_key("ssh-ed25519")
        self._user_key.write_private_key(str(self.folder / "id"))
        (self.folder / "id").chmod(0o600)
        (self.folder / "config").write_text(
            f"Host *\n  IdentityFile {self.folder}/id\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder}/known\n  GlobalKnownHostsFile /dev/null\n"
        )
        real = shutil.which("ssh")
        assert real, "the test needs ssh; install it with: apt-get install openssh-client"
        program = self.folder / "bin" / "ssh"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {real} -F {self.folder}/config "$@"\n')
        program.chmod(0o755)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        self.know(self._host_key)
        return self

    def __exit__(self, *_exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self.disconnect(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def know(self, key: asyncssh.SSHKey | None) -> None:
        """What the client takes for this host's key; None for nothing."""
        line = "" if key is None else key.export_public_key().decode()
        name = self.address if self.port == SSH_PORT else f"[{self.address}]:{self.port}"
        (self.folder / "known").write_text(f"{name} {line}\n" if line else "")

    def know_another_key(self) -> None:
        self.know(asyncssh.generate_private_key("ssh-ed25519"))

    def url(self, path: Path | str) -> str:
        """For DOCKER_HOST: the socket `path`, by way of this host."""
        return f"ssh://robot@{self.address}:{self.port}{path}"

    def refuse_keys(self) -> None:
        self._keys.clear()

    async def _listen(self) -> None:
        self._keys = [self._user_key.export_public_key().decode()]
        self._connections: list[asyncssh.SSHServerConnection] = []
        self._server = await asyncssh.create_server(
            lambda: _Server(self),
            self.address,
            self.port,
            server_host_keys=[self._host_key],
            process_factory=self._run,
            # what goes to and fro is Docker's, not text
            encoding=None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def disconnect(self) -> None:
        """Stop listening, and drop every connection, as a host does that is switched off."""
        self._server.close()
        for connection in self._connections:
            connection.abort()
        await self._server.wait_closed()

    def switch_off(self) -> None:
        asyncio.run_coroutine_threadsafe(self.disconnect(), self._loop).result(20)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Any command reads its input to the end, as cat does, unless it is to be run."""
        self.started.append(process.command or "")
        try:
            if self.runs:
                await self._run_here(process)
            else:
                await process.stdin.read()
                process.exit(0)
        finally:
            self.ended.append(process.command or "")

    async def _run_here(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_shell(
            process.command or "", stdin=pipe, stdout=pipe, stderr=pipe
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())


class _Server(asyncssh.SSHServer):
    def __init__(self, host: SshHost) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._host._connections.append(conn)
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        keys = "".join(self._host._keys)
        self._connection.set_authorized_keys(asyncssh.import_authorized_keys(keys))
        return bool(username)

    def unix_connection_requested(self, dest_path: str) -> bool:
        if not self._host.opens:  # as sshd says it with AllowStreamLocalForwarding no
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed"
            )
        return bool(dest_path)


if __name__ == "__main__":
    with SshHost(Path(sys.argv[1]), address=sys.argv[2], port=SSH_PORT, runs=True) as made:
        sys.stdout.write(f"listening on {made.address}\n")
        sys.stdout.flush()
        signal.pause()
