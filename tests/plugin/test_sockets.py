"""The service's socket: its own, or systemd's; and what systemd is told."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from macvlan_ros.errors import Conflict, Forbidden, Unavailable
from macvlan_ros.plugin.sockets import bind, inherited
from macvlan_ros.plugin.systemd import notify, wait


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    bind(tmp_path / "s").close()
    bind(tmp_path / "s").close()


def test_a_socket_that_lives_is_left_alone(tmp_path: Path) -> None:
    with bind(tmp_path / "s"), pytest.raises(Conflict, match="another service listens"):
        bind(tmp_path / "s")


def test_a_file_in_the_socket_s_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("mine")
    with pytest.raises(Conflict, match="is no socket"):
        bind(tmp_path / "s")
    assert (tmp_path / "s").read_text() == "mine"


def test_a_socket_that_cannot_be_made_names_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="--socket"):
        bind(tmp_path / "file" / "s")
    with pytest.raises((Unavailable, Forbidden), match="--socket"):
        bind(tmp_path / ("x" * 200))


def test_a_socket_of_another_process_is_not_taken_for_ours() -> None:
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "PATH": "/bin"}
    assert inherited(environ) is None
    assert environ == {"PATH": "/bin"}


_TAKE_OVER = """
import os, sys
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.plugin.sockets import inherited
try:
    print(inherited(os.environ).getsockname())
except MacvlanRosError as error:
    print(error)
"""


def hand_over(*given: socket.socket, count: str = "1") -> str:
    """What a child says of the sockets that it gets as systemd gives them, from number 3 on."""

    def arrange() -> None:
        for number, each in enumerate(given):
            os.dup2(each.fileno(), 3 + number)

    script = f"import os; os.environ['LISTEN_PID'] = str(os.getpid()){_TAKE_OVER}"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "LISTEN_FDS": count},
        preexec_fn=arrange,
        close_fds=False,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ended.stdout.strip()


def test_a_socket_that_systemd_hands_over_is_taken(tmp_path: Path) -> None:
    with bind(tmp_path / "s") as listener:
        assert hand_over(listener) == str(tmp_path / "s")


def test_what_is_no_listening_socket_is_refused() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as idle:
        assert "no listening Unix stream socket" in hand_over(idle)


def test_two_sockets_are_refused(tmp_path: Path) -> None:
    with bind(tmp_path / "a") as first, bind(tmp_path / "b") as second:
        assert "handed over 2 sockets" in hand_over(first, second, count="2")


def test_systemd_is_told_when_it_asks(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        assert notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"


def test_systemd_is_told_through_an_abstract_socket() -> None:
    name = f"macvlan-ros-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        manager.settimeout(5)
        assert notify("READY=1", {"NOTIFY_SOCKET": "@" + name})
        assert manager.recv(100) == b"READY=1"


def waiting(tmp_path: Path, asked: dict[str, str], *, seconds: float) -> list[bytes]:
    """What systemd is told by a service that runs for so long."""
    stop, said = threading.Event(), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        wait(stop, {"NOTIFY_SOCKET": str(tmp_path / "notify"), **asked})
        timer.join()
        manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(manager.recv(100))
    return said


def test_systemd_is_told_that_the_service_goes_on_as_often_as_it_asks(tmp_path: Path) -> None:
    asked = {"WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getpid())}
    assert set(waiting(tmp_path, asked, seconds=2)) == {b"WATCHDOG=1"}


@pytest.mark.parametrize(
    "asked", [{}, {"WATCHDOG_USEC": "900", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "often"}]
)
def test_systemd_is_not_told_what_it_did_not_ask_for(tmp_path: Path, asked: dict[str, str]) -> None:
    assert waiting(tmp_path, asked, seconds=0.2) == []


def test_a_manager_that_went_away_does_not_matter(tmp_path: Path) -> None:
    assert not notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notify("READY=1", {})
