"""The server on a real socket: bounded, unbreakable, and errors as the protocol wants them."""

from __future__ import annotations

import json
import logging
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from macvlan_ros.errors import AddressInUse
from macvlan_ros.plugin import answers, wire
from macvlan_ros.plugin.exchange import Limits, Route
from macvlan_ros.plugin.server import Server
from macvlan_ros.plugin.sockets import bind
from tests.plugin.client import Client

LIMITS = Limits(read_seconds=0.5, work_seconds=0.4, connections=8, body_bytes=4096)


@dataclass
class Desk:
    """What the test routes do: an event opens the stuck one, and what came is written down."""

    opened: threading.Event = field(default_factory=threading.Event)
    undone: list[object] = field(default_factory=list)
    served: list[object] = field(default_factory=list)

    def take(self, request: wire.ReleasePool) -> answers.Answer:
        self.served.append(request)
        return answers.Done()

    def refuse(self, request: wire.ReleasePool) -> answers.Answer:
        raise AddressInUse(f"{request.pool_id} is held by 'talker'")

    def stick(self, request: wire.ReleasePool) -> answers.Answer:
        self.served.append(request)
        self.opened.wait(30)
        return answers.Done()

    def crash(self, request: wire.ReleasePool) -> answers.Answer:
        raise ZeroDivisionError(request.pool_id)

    def routes(self) -> Mapping[str, Route]:
        def undo(request: object, _answer: object) -> None:
            self.undone.append(request)

        return {
            "/Plugin.Activate": Route(
                wire.Nothing.read, lambda _: answers.Implements(), may_be_empty=True
            ),
            "/Test.Take": Route(wire.ReleasePool.read, self.take),
            "/Test.Refuse": Route(wire.ReleasePool.read, self.refuse),
            "/Test.Stick": Route(wire.ReleasePool.read, self.stick, undo=undo),
            "/Test.Wait": Route(wire.ReleasePool.read, self.stick, waits=True),
            "/Test.Crash": Route(wire.ReleasePool.read, self.crash),
        }


@contextmanager
def serving(path: Path, routes: Mapping[str, Route], limits: Limits = LIMITS) -> Iterator[Server]:
    with closing(bind(path)) as listener:
        server = Server(listener, routes, limits=limits)
        server.start()
        try:
            yield server
        finally:
            server.stop(10)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.opened.set()


@pytest.fixture
def server(tmp_path: Path, desk: Desk) -> Iterator[Server]:
    with serving(tmp_path / "plugin.sock", desk.routes()) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path, server: Server) -> Client:
    assert server
    return Client(tmp_path / "plugin.sock")


def within(seconds: float, ask: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_activate_says_what_is_implemented(client: Client) -> None:
    reply = client.call("Plugin.Activate")
    assert (reply.status, reply.body) == (200, {"Implements": ["NetworkDriver", "IpamDriver"]})


def test_the_socket_is_for_root_alone(client: Client) -> None:
    mode = client.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_an_error_has_both_keys_and_status_500(client: Client) -> None:
    reply = client.call("Test.Refuse", {"PoolID": "192.168.60.7"})
    assert reply.status == 500
    assert reply.error == "192.168.60.7 is held by 'talker'"


def test_an_unknown_call_is_not_implemented(client: Client) -> None:
    reply = client.call("NetworkDriver.Fly", {})
    assert reply.status == 404
    assert "no call NetworkDriver.Fly" in reply.error


def test_an_empty_body_is_a_clear_error_where_arguments_are_needed(
    client: Client, desk: Desk
) -> None:
    assert "body is empty" in client.call("Test.Take").error
    assert desk.served == []


def test_another_method_is_refused(client: Client) -> None:
    reply = client.post("/Plugin.Activate", b"", method="GET")
    assert reply.status == 501
    assert "send POST" in reply.error


def test_a_stuck_handler_is_answered_for_and_its_late_result_undone(
    client: Client, desk: Desk
) -> None:
    began = time.monotonic()
    reply = client.call("Test.Stick", {"PoolID": "p"})
    assert time.monotonic() - began < 10
    assert "did not end within 0.4 s" in reply.error
    assert desk.undone == []
    desk.opened.set()
    assert within(30, lambda: desk.undone == [wire.ReleasePool("p")])


def test_a_result_in_time_is_not_undone(client: Client, desk: Desk) -> None:
    desk.opened.set()
    assert client.call("Test.Stick", {"PoolID": "p"}).status == 200
    time.sleep(LIMITS.work_seconds)
    assert desk.undone == []


def test_other_calls_go_on_while_some_are_stuck(client: Client, desk: Desk) -> None:
    stuck = [
        threading.Thread(target=client.call, args=("Test.Stick", {"PoolID": str(number)}))
        for number in range(3)
    ]
    for thread in stuck:
        thread.start()
    assert within(30, lambda: len(desk.served) == 3)
    assert client.call("Test.Take", {"PoolID": "p"}).status == 200
    for thread in stuck:
        thread.join(10)


def test_nobody_waits_behind_a_call_that_waits_by_nature(
    client: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("macvlan_ros.plugin.server._SOON", 60.0)
    waiting = threading.Thread(target=client.call, args=("Test.Wait", {"PoolID": "w"}))
    waiting.start()
    assert within(30, lambda: len(desk.served) == 1)
    assert client.call("Test.Take", {"PoolID": "p"}).status == 200
    waiting.join(10)


def takes(client: Client, name: str) -> bool:
    """Whether a call is served; one that is turned away may find that out while it still writes."""
    with suppress(OSError):
        return client.call(name, {"PoolID": "next"}).status == 200
    return False


def test_with_all_threads_stuck_a_call_gets_an_error(client: Client, desk: Desk) -> None:
    stuck = [
        threading.Thread(target=client.call, args=("Test.Stick", {"PoolID": str(number)}))
        for number in range(LIMITS.connections)
    ]
    for thread in stuck:
        thread.start()
    assert within(30, lambda: len(desk.served) == LIMITS.connections)
    with client.open() as late:
        assert b"too many connections" in late.recv(65536)
    for thread in stuck:
        thread.join(10)
    desk.opened.set()
    assert within(30, lambda: takes(client, "Test.Take"))


def test_a_crash_of_a_handler_is_an_error_and_the_service_lives(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(LIMITS.connections * 2):
        assert "an error of its own" in client.call("Test.Crash", {"PoolID": "p"}).error
    assert client.call("Test.Take", {"PoolID": "p"}).status == 200
    reported = [record.exc_info for record in caplog.records if record.exc_info]
    assert [each[0] for each in reported] == [ZeroDivisionError] * LIMITS.connections * 2


def test_a_body_beyond_the_limit_is_refused_unread(client: Client) -> None:
    head = b"POST /Test.Take HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"
    assert b"4096 bytes at most" in client.raw(head)


@pytest.mark.parametrize("length", [b"-1", b"0x10", b"1e3", b"", b"1\r\nContent-Length: 2"])
def test_a_content_length_that_is_no_number_is_refused(client: Client, length: bytes) -> None:
    answer = client.raw(b"POST /Test.Take HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n")
    assert b"one whole number" in answer


def test_transfer_encoding_is_refused(client: Client) -> None:
    head = b"POST /Test.Take HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert b"Transfer-Encoding is not taken" in client.raw(head)


def test_a_body_that_breaks_off_is_refused(client: Client, desk: Desk) -> None:
    with client.open() as connection:
        connection.sendall(b'POST /Test.Take HTTP/1.1\r\nContent-Length: 20\r\n\r\n{"PoolID"')
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
        assert b" 500 " in answer.splitlines()[0]
        assert b"broke off after 9 of 20 bytes" in answer + connection.recv(65536)
    assert desk.served == []


def test_a_byte_now_and_then_does_not_outlive_the_deadline(client: Client) -> None:
    began = time.monotonic()
    with client.open() as connection:
        connection.sendall(b"POST /Test.Take HTTP/1.1\r\nContent-Length: 4000\r\n\r\n")
        answer = b""
        connection.settimeout(0.05)
        while not answer and time.monotonic() - began < 10:
            try:
                with suppress(BrokenPipeError):  # it has answered meanwhile
                    connection.sendall(b" ")
                answer = connection.recv(65536)
            except TimeoutError:
                continue
    assert b"500" in answer
    assert time.monotonic() - began < 10


def test_a_silent_connection_is_closed(client: Client) -> None:
    began = time.monotonic()
    assert client.raw() == b""
    assert time.monotonic() - began < 10


def test_connections_beyond_the_limit_are_turned_away_and_places_come_back(
    client: Client,
) -> None:
    silent = [client.open() for _ in range(LIMITS.connections)]
    time.sleep(0.2)
    with client.open() as one_more:
        assert b"too many connections" in one_more.recv(65536)
    for connection in silent:
        connection.close()
    assert within(30, lambda: takes(client, "Plugin.Activate"))


def test_a_burst_of_connections_is_served(tmp_path: Path, desk: Desk) -> None:
    with serving(tmp_path / "s", desk.routes(), Limits()):
        client, statuses = Client(tmp_path / "s"), []
        threads = [
            threading.Thread(
                target=lambda n=n: statuses.append(
                    client.call("Test.Take", {"PoolID": str(n)}).status
                )
            )
            for n in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert statuses == [200] * 50


def test_a_request_is_one_log_line_with_call_outcome_and_time(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "macvlan_ros.plugin"):
        client.call("Test.Take", {"PoolID": "p"})
        client.call("Test.Refuse", {"PoolID": "p"})
        client.raw(b"POST /Forged\x0bcall=Test.Take HTTP/1.1\r\n\r\n")
        assert within(30, lambda: len(caplog.records) == 3)
    lines = sorted(record.getMessage() for record in caplog.records)
    assert lines[1].startswith("call=Test.Refuse outcome=AddressInUse ms=")
    assert lines[2].startswith("call=Test.Take outcome=ok ms=")
    assert all(line.isprintable() for line in lines)


def test_running_requests_end_before_the_server_is_gone(tmp_path: Path, desk: Desk) -> None:
    limits = Limits(work_seconds=10)
    statuses: list[int] = []
    with serving(tmp_path / "s", desk.routes(), limits) as server:
        client = Client(tmp_path / "s")
        thread = threading.Thread(
            target=lambda: statuses.append(client.call("Test.Stick", {"PoolID": "p"}).status)
        )
        thread.start()
        assert within(30, lambda: len(desk.served) == 1)
        assert not server.stop(0.1)
        desk.opened.set()
        assert server.stop(5)
    thread.join(10)
    assert statuses == [200]


def test_who_connected_before_the_end_is_served(tmp_path: Path, desk: Desk) -> None:
    with closing(bind(tmp_path / "s")) as listener:
        waiting = [Client(tmp_path / "s").open() for _ in range(3)]
        for connection in waiting:
            connection.sendall(b"POST /Plugin.Activate HTTP/1.1\r\n\r\n")
        server = Server(listener, desk.routes(), limits=LIMITS)
        server.start()
        assert server.stop(10)
    for connection in waiting:
        with connection:
            assert b" 200 ok" in connection.recv(65536)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.binary(max_size=200), path=st.text(max_size=20), length=st.integers(-5, 5000))
def test_no_bytes_break_the_server(client: Client, data: bytes, path: str, length: int) -> None:
    # A surplus is read as nothing, a lack as a broken-off request; each ends in an answer.
    head = f"POST /{json.dumps(path)} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()
    for pieces in ((data,), (head, data)):
        with client.open() as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert client.call("Plugin.Activate").status == 200
