"""Questions to an engine over a bare socket: what is sent, and what becomes of odd answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from macvlan_ros.docker_api.context import Endpoint
from macvlan_ros.docker_api.plain import PlainClient
from macvlan_ros.docker_api.wire import NotDocker, Refused, Wire

FINE = b"HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\n\r\n"


class Answering:
    """An engine that gives one answer to everybody, and keeps what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.answer = FINE + b"{}"
        self.asked: list[bytes] = []
        self.hold_open = False
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            asked = connection.recv(1 << 16)
            if not asked:
                connection.close()
                return
            self.asked.append(asked)
            connection.sendall(self.answer)
            self._open.append(connection) if self.hold_open else connection.close()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.path)
        self._thread.join(30)
        for each in (*self._open, self._listener):
            each.close()

    def client(self, timeout: float = 30) -> PlainClient:
        endpoint = Endpoint(f"unix://{self.path}")
        return PlainClient(Wire(endpoint, socket_path=lambda: self.path), timeout=timeout)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Answering]:
    made = Answering(tmp_path / "docker.sock")
    yield made
    made.close()


def test_a_question_names_what_was_said_and_no_more(engine: Answering) -> None:
    engine.answer = FINE + b"[]"
    assert engine.client().containers(filters={"name": "a b", "label": ["x", "y"]}) == []
    first = engine.asked[0].split(b"\r\n")[0].decode()
    assert first == (
        "GET /containers/json?filters=%7B%22name%22%3A+%5B%22a+b%22%5D%2C+%22label%22%3A+%5B%22x%22"
        "%2C+%22y%22%5D%7D HTTP/1.0"
    )


def test_a_stop_without_patience_says_so_and_a_file_is_sent_as_it_is(engine: Answering) -> None:
    engine.answer = b"HTTP/1.0 204 No Content\r\n\r\n"
    client = engine.client()
    client.stop("robot", timeout=0)
    client.remove_container("robot", force=True)
    client.put_archive("robot", "/", b"tar")
    stop, remove, put = (asked.decode() for asked in engine.asked)
    assert stop.startswith("POST /containers/robot/stop?t=0 HTTP")
    assert remove.startswith("DELETE /containers/robot?force=1 HTTP")
    assert put.startswith("PUT /containers/robot/archive?path=%2F HTTP")
    assert "Content-Type: application/x-tar\r\nContent-Length: 3" in put
    assert put.endswith("\r\n\r\ntar")


def test_the_version_of_the_api_is_read_off_any_answer(engine: Answering) -> None:
    client = engine.client()
    client.info()
    assert client.api_version == "1.41"
    assert len(engine.asked) == 1
    assert engine.client().api_version == "1.41"
    assert engine.asked[1].startswith(b"GET /_ping ")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'HTTP/1.1 404 Not Found\r\n\r\n{"message":"no such thing"}', "no such thing"),
        (b"HTTP/1.0 400 Bad\r\n\r\nClient sent an HTTP request", "Client sent an HTTP request"),
        (b"HTTP/1.0 500 Bad\r\n\r\n", ""),
    ],
)
def test_a_refusal_is_told_in_dockers_words(answer: bytes, message: str, engine: Answering) -> None:
    engine.answer = answer
    with pytest.raises(Refused) as caught:
        engine.client().info()
    assert (caught.value.status, caught.value.message) == (int(answer.split()[1]), message)


def test_a_name_that_nothing_can_have_is_not_found(engine: Answering) -> None:
    engine.answer = b"HTTP/1.0 301 Moved Permanently\r\nLocation: /images/a/b/json\r\n\r\n"
    with pytest.raises(Refused) as caught:
        engine.client().inspect_image("a//b")
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        (b"220 mail.example ESMTP\r\n", lambda client: client.info()),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", lambda client: client.info()),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", lambda client: client.networks()),
    ],
)
def test_what_is_no_docker_is_told_apart(
    answer: bytes, call: Callable[[PlainClient], Any], engine: Answering
) -> None:
    engine.answer = answer
    with pytest.raises(NotDocker):
        call(engine.client())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
def test_an_answer_that_breaks_off_is_an_error(answer: bytes, engine: Answering) -> None:
    engine.answer = answer
    with pytest.raises(ConnectionError):
        engine.client().info()


def test_an_answer_without_an_end_is_given_up(engine: Answering) -> None:
    engine.hold_open = True
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        engine.client(timeout=0.2).info()
    assert time.monotonic() - began < 30
