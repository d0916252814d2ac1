"""A client of the plugin's socket that sends what dockerd sends, and what it never would."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Mapping[str, Any]

    @property
    def error(self) -> str:
        """The error's text, which must stand under both keys; "" when there is none."""
        err, error = self.body.get("Err", ""), self.body.get("Error", "")
        assert err == error, self.body
        assert (self.status == 200) == (not err), self
        return str(err)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("plugin", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Client:
    """`call("IpamDriver.RequestPool", {...})`; `post` sends any bytes, `raw` anything at all."""

    def __init__(self, path: Path, timeout: float = 20.0) -> None:
        self.path = path
        self.timeout = timeout

    def call(self, name: str, body: object = None) -> Reply:
        data = b"" if body is None else json.dumps(body).encode()
        return self.post("/" + name, data)

    def post(
        self, path: str, data: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Reply:
        connection = _UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, path, body=data, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def raw(self, *pieces: bytes) -> bytes:
        """Send the pieces, then read until the other side closes."""
        with self.open() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def open(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        connection.connect(str(self.path))
        return connection


def recorded(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Call and body of each request in one of the recordings, in order."""
    for line in (RECORDED / f"{name}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        yield entry["call"], entry["body"]
