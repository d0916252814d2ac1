"""Reaching an engine, and what is said when it cannot be reached: down, hung, forbidden, far."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from macvlan_ros.engine import Engine
from macvlan_ros.errors import DockerDown, EngineRefused, Forbidden, ImageNotFound
from tests.e2e.certificates import make_certificates, tls_options
from tests.lab import Host, Lab
from tests.lab.host import ROOT

NOBODY = 65534
#: Ways to ask, one of them with less patience.
QUESTIONS: dict[str, Callable[[Engine], object]] = {
    "info": lambda engine: engine.info(),
    "networks": lambda engine: engine.networks(),
    "subnets": lambda engine: engine.subnets(),
}


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_socket_that_is_not_there_says_how_to_start_docker(question: str, tmp_path: Path) -> None:
    with (
        Engine(f"unix://{tmp_path}/docker.sock") as engine,
        pytest.raises(DockerDown, match="sudo systemctl start docker") as caught,
    ):
        QUESTIONS[question](engine)
    assert f"unix://{tmp_path}/docker.sock" in str(caught.value)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_engine_that_is_stopped_says_how_to_start_it(question: str, host: Host) -> None:
    with Engine(host.docker_url) as engine:
        QUESTIONS[question](engine)
        host.kill_engine()
        with pytest.raises(DockerDown, match="sudo systemctl start docker"):
            QUESTIONS[question](engine)
        host.start_engine()
        QUESTIONS[question](engine)


@pytest.mark.alone
@pytest.mark.parametrize(("question", "seconds"), [("info", 5), ("networks", 5), ("subnets", 2)])
def test_an_engine_that_hangs_is_given_up_in_time(
    question: str, seconds: float, host: Host
) -> None:
    with Engine(host.docker_url) as engine:
        host.engine.pause()
        began = time.monotonic()
        with pytest.raises(DockerDown, match="did not answer in time"):
            QUESTIONS[question](engine)
        assert seconds - 0.5 < time.monotonic() - began < seconds + 3
        host.engine.resume()
        QUESTIONS[question](engine)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_user_without_the_right_is_told_how_to_get_it(question: str, host: Host) -> None:
    with Engine(host.docker_url) as engine:
        QUESTIONS[question](engine)  # what Python loads, it may not be able to as nobody
        engine.close()
        with (
            acting_as(NOBODY),
            pytest.raises(Forbidden, match="sudo usermod -aG docker") as caught,
        ):
            QUESTIONS[question](engine)
    assert host.docker_url in str(caught.value)


@pytest.mark.parametrize("question", QUESTIONS)
def test_something_else_that_listens_there_is_told_apart(question: str, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(10)
        chatter = subprocess.Popen(
            [sys.executable, "-c", CHATTER], stdin=listener.fileno(), stdout=subprocess.DEVNULL
        )
        try:
            with Engine(str(path)) as engine, pytest.raises(DockerDown):
                QUESTIONS[question](engine)
        finally:
            chatter.kill()
            chatter.wait()


#: Answers every connection on the socket at its stdin with what is no HTTP.
CHATTER = """
import socket
listener = socket.socket(fileno=0)
while True:
    connection = listener.accept()[0]
    connection.sendall(b"220 mail.example ESMTP\\r\\n")
    connection.close()
"""


@pytest.mark.alone
def test_questions_take_neither_the_sdk_nor_long(host: Host) -> None:
    script = (
        "import sys, time; from macvlan_ros.engine import Engine; began = time.perf_counter(); "
        "engine = Engine(); subnets = engine.subnets(); took = time.perf_counter() - began; "
        "engine.info(); engine.networks(); engine.containers(); "
        "print(len(subnets), 'docker' in sys.modules, 'requests' in sys.modules, took)"
    )
    said = host.run(
        sys.executable, "-c", script, env={"PYTHONPATH": str(ROOT), "DOCKER_HOST": host.docker_url}
    ).stdout
    count, *loaded, took = said.split()
    assert int(count) >= 1
    assert loaded == ["False", "False"]
    assert float(took) < 0.5


def test_a_pull_without_a_network_ends_with_a_sentence(host: Host) -> None:
    host.link_down()
    lines: list[str] = []
    with (
        Engine(host.docker_url) as engine,
        pytest.raises(EngineRefused, match="does not reach the registry") as caught,
    ):
        engine.pull("ros:noetic", progress=lines.append)
    assert "pull image ros:noetic" in str(caught.value)
    assert lines == []


@pytest.fixture
def registry(host: Host) -> str:
    """The address of a registry in the host."""
    program = Path(__file__).with_name("registry.py")
    process = host.popen(sys.executable, str(program), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return "127.0.0.1:5000"


def test_a_pull_reports_its_progress_and_returns_the_image(host: Host, registry: str) -> None:
    host.docker("image", "rm", f"{registry}/robot:1", check=False)
    lines: list[str] = []
    with Engine(host.docker_url) as engine:
        image = engine.pull(f"{registry}/robot:1", progress=lines.append)
        assert image.environment["FROM_REGISTRY"] == "1"
        assert engine.image(f"{registry}/robot:1") == image
    assert lines[-1] == f"{registry}/robot:1: pulled"
    assert 2 <= len(lines) <= 10
    assert any("of 1 layers" in line and "of 3 MB" in line for line in lines)
    host.docker("image", "rm", f"{registry}/robot:1")


def test_a_pull_of_what_the_registry_has_not_says_so(host: Host, registry: str) -> None:
    with Engine(host.docker_url) as engine, pytest.raises(ImageNotFound, match="robot:nope"):
        engine.pull(f"{registry}/robot:nope", progress=print)


@pytest.mark.alone
def test_a_pull_that_is_stuck_is_given_up(
    host: Host, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("macvlan_ros.engine.PULL_SILENCE", 3)
    began = time.monotonic()
    with Engine(host.docker_url) as engine, pytest.raises(DockerDown, match="not answer in time"):
        engine.pull(f"{registry}/stuck/robot:stuck", progress=print)
    assert time.monotonic() - began < 20


def test_what_the_caller_does_with_progress_is_not_dockers_fault(host: Host, registry: str) -> None:
    def break_off(_line: str) -> None:
        raise BrokenPipeError

    host.docker("image", "rm", f"{registry}/robot:1", check=False)
    with Engine(host.docker_url) as engine, pytest.raises(BrokenPipeError):
        engine.pull(f"{registry}/robot:1", progress=break_off)


def test_a_name_that_is_no_image_is_refused(host: Host) -> None:
    with Engine(host.docker_url) as engine, pytest.raises((EngineRefused, ImageNotFound)):
        engine.pull("Robot:1", progress=print)


def test_an_engine_on_tcp_is_reached_as_docker_reaches_it(host: Host) -> None:
    sockets = ("-H", "unix:///run/docker.sock", "-H", "tcp://127.0.0.1:2375")
    # said in so many words, or the engine waits until somebody has read its warning
    host.restart_engine(*sockets, "--tls=false")
    script = (
        "from macvlan_ros.engine import Engine; engine = Engine(); "
        "print(engine.info().name, *engine.subnets().values())"
    )
    said = host.run(
        sys.executable,
        "-c",
        script,
        env={"PYTHONPATH": str(ROOT), "DOCKER_HOST": "tcp://127.0.0.1"},
    ).stdout
    assert said.split() == ["qtpc", "bridge"]
    host.restart_engine()


def test_a_context_is_used_as_docker_uses_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    docker = ["/usr/bin/docker", "context"]
    endpoint = f"host={host.docker_url}"
    subprocess.run([*docker, "create", "lab", "--docker", endpoint], check=True, timeout=60)
    with Engine("lab") as engine:
        assert engine.info().name == "qtpc"
    subprocess.run([*docker, "use", "lab"], check=True, timeout=60)
    with Engine() as engine:
        assert engine.info().name == "qtpc"
        assert str(engine.endpoint) == f"{host.docker_url} (from context 'lab')"


ASK_NAME = """
from macvlan_ros.engine import Engine
from macvlan_ros.errors import MacvlanRosError
try:
    with Engine() as engine:
        print(engine.info().name, *engine.subnets().values())
except MacvlanRosError as error:
    print(type(error).__name__, error)
"""


def test_an_engine_on_tls_is_reached_from_another_host(lab: Lab, tmp_path: Path) -> None:
    qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
    make_certificates(tmp_path, address=qtpc.address)
    qtpc.restart_engine(*tls_options(tmp_path))

    def ask(**environ: str) -> str:
        where = {"PYTHONPATH": str(ROOT), "DOCKER_HOST": f"tcp://{qtpc.address}:2376"}
        return qtrp.run(sys.executable, "-c", ASK_NAME, env={**where, **environ}).stdout

    client = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "client")}
    assert ask(**client).split() == ["qtpc", "bridge"]
    assert ask(DOCKER_TLS="1", DOCKER_CERT_PATH=client["DOCKER_CERT_PATH"]).split()[0] == "qtpc"
    assert "DOCKER_TLS_VERIFY=1" in ask()
    strange = tmp_path / "strange"
    make_certificates(strange, address=qtpc.address)
    stranger = ask(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(strange / "client"))
    assert stranger.startswith("DockerDown")
    assert "do not agree on TLS" in stranger
    qtpc.restart_engine()
