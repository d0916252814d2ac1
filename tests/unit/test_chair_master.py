"""Whether roscore answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from macvlan_ros.chair import master
from macvlan_ros.errors import DockerDown


@contextmanager
def roscore() -> Iterator[str]:
    server = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    server.register_function(lambda _caller: [1, "", 4711], "getPid")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def somebody(answer: bytes) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(4):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_master_answers() -> None:
    with roscore() as uri:
        assert master.answers(uri)


@pytest.mark.parametrize(
    "answer", [b"master\n", b"HTTP/1.0 404 No\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n<a"]
)
def test_somebody_who_speaks_otherwise_answers_too(answer: bytes) -> None:
    with somebody(answer) as uri:
        assert master.answers(uri)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "http://[", "", "http://:11311"])
def test_nobody_answers(uri: str) -> None:
    assert not master.answers(uri)


def test_what_listens_in_its_container_is_enough() -> None:
    looks = iter(range(3))

    def listens() -> bool:
        look = next(looks)
        if look == 0:
            raise DockerDown("not yet")
        return look == 2

    assert master.wait_for("http://127.0.0.1:1", listens=listens, given_up=lambda: False, seconds=5)


def test_waiting_ends_in_time_and_when_it_is_given_up() -> None:
    began = time.monotonic()
    assert not master.wait_for(
        "http://127.0.0.1:1", listens=lambda: False, given_up=lambda: False, seconds=0.3
    )
    assert not master.wait_for(
        "http://127.0.0.1:1", listens=lambda: False, given_up=lambda: True, seconds=60
    )
    assert time.monotonic() - began < 30
