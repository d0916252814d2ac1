"""One GET of the Docker API over a bare socket, for commands that must be quick.

Importing the Docker SDK takes 105 ms and `http.client` 35 ms, of the 150 ms that `allocate` may
take in all. HTTP/1.0 needs neither: the answer ends where the connection does.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from macvlan_ros.docker_context import Endpoint
from macvlan_ros.docker_errors import refusal, unreachable
from macvlan_ros.errors import DockerDown

#: A listing of ten thousand networks is about 8 MB.
_MOST = 64 << 20


def get_json(endpoint: Endpoint, path: str, *, timeout: float, doing: str) -> Any:
    """The JSON at `path`, within `timeout` seconds in all.

    For endpoints with scheme unix, or tcp without TLS. Raises `DockerDown`, `Forbidden` and
    `EngineRefused`.
    """
    try:
        answer = _exchange(endpoint, path, time.monotonic() + timeout)
    except OSError as error:
        raise unreachable(error, endpoint, doing) from error
    head, _, body = answer.partition(b"\r\n\r\n")
    try:
        status = int(head.split(None, 2)[1])
        content = json.loads(body)
    except (IndexError, ValueError) as error:
        raise DockerDown(f"what listens at {endpoint} does not speak as Docker does") from error
    if status != 200:
        message = content.get("message", "") if isinstance(content, dict) else ""
        raise refusal(status, message, doing)
    return content


def _exchange(endpoint: Endpoint, path: str, deadline: float) -> bytes:
    connection = _connect(endpoint, deadline)
    with connection:
        request = f"GET {endpoint.path if endpoint.scheme == 'tcp' else ''}{path} HTTP/1.0\r\n"
        connection.sendall(f"{request}Host: docker\r\n\r\n".encode())
        answer = bytearray()
        while len(answer) < _MOST:
            connection.settimeout(_left(deadline))
            part = connection.recv(1 << 16)
            if not part:
                return bytes(answer)
            answer += part
    raise OSError("its answer has no end")


def _connect(endpoint: Endpoint, deadline: float) -> socket.socket:
    if endpoint.scheme == "tcp":
        return socket.create_connection((endpoint.host, endpoint.port or 2375), _left(deadline))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_left(deadline))
        connection.connect(endpoint.path)
    except BaseException:
        connection.close()
        raise
    return connection


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
