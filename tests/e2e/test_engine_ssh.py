"""An engine on another host, by ssh: the machine's own ssh client against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from macvlan_ros.engine import Engine
from macvlan_ros.errors import DockerDown, Forbidden
from tests.e2e.ssh_host import SshHost
from tests.lab import Host, Lab
from tests.lab.host import ROOT


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.hosts["qtrp"]


@pytest.fixture
def ssh_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    with SshHost(tmp_path) as ssh_host:
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        yield ssh_host


def happens(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("macvlan-ros-")]


def test_an_engine_is_reached_through_one_ssh_for_all_calls(
    host: Host, ssh_host: SshHost, tmp_path: Path
) -> None:
    with Engine(ssh_host.url(host.engine.socket)) as engine:
        assert engine.info().name == "qtrp"
        assert "bridge" in engine.subnets().values()
        assert engine.networks() == ()
        assert len(ssh_host.started) == 1
        assert len(leftovers(tmp_path)) == 1
    assert happens(lambda: len(ssh_host.ended) == 1)
    assert leftovers(tmp_path) == []


def test_a_closed_engine_opens_a_new_tunnel_when_asked_again(host: Host, ssh_host: SshHost) -> None:
    engine = Engine(ssh_host.url(host.engine.socket))
    engine.info()
    engine.close()
    engine.close()
    assert engine.info().name == "qtrp"
    engine.close()
    assert happens(lambda: len(ssh_host.ended) == 2)


def test_a_process_that_is_killed_leaves_no_ssh_behind(host: Host, ssh_host: SshHost) -> None:
    script = (
        "import sys, time; from macvlan_ros.engine import Engine; "
        "engine = Engine(sys.argv[1]); print(engine.info().name, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, ssh_host.url(host.engine.socket)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "qtrp\n"
    process.kill()
    process.communicate(timeout=10)
    assert happens(lambda: len(ssh_host.ended) == 1)


def refuse_keys(ssh_host: SshHost) -> None:
    ssh_host.refuse_keys()


def forget_host(ssh_host: SshHost) -> None:
    ssh_host.know(None)


def change_host_key(ssh_host: SshHost) -> None:
    ssh_host.know_another_key()


def forbid_forwarding(ssh_host: SshHost) -> None:
    ssh_host.opens = False


def switch_off(ssh_host: SshHost) -> None:
    ssh_host.switch_off()


@pytest.mark.parametrize(
    ("trouble", "kind", "sentence"),
    [
        (refuse_keys, Forbidden, r"ssh-copy-id -p \d+ robot@127\.0\.0\.1"),
        (forget_host, Forbidden, r"accept it once, with: ssh -p \d+ robot@127\.0\.0\.1"),
        (change_host_key, Forbidden, r"ssh-keygen -R '\[127\.0\.0\.1\]:\d+'"),
        (forbid_forwarding, Forbidden, "AllowStreamLocalForwarding"),
        (switch_off, DockerDown, "Connection refused; try it by hand"),
    ],
)
def test_what_ssh_says_becomes_a_sentence(
    trouble: Callable[[SshHost], None],
    kind: type[Exception],
    sentence: str,
    host: Host,
    ssh_host: SshHost,
    tmp_path: Path,
) -> None:
    trouble(ssh_host)
    with Engine(ssh_host.url(host.engine.socket)) as engine:
        with pytest.raises(kind, match=sentence):
            engine.info()
        with pytest.raises(kind, match=sentence):
            engine.subnets()
    assert leftovers(tmp_path) == []


def test_an_engine_that_is_down_over_there_is_told_from_ssh_trouble(
    host: Host, ssh_host: SshHost
) -> None:
    host.kill_engine()
    with Engine(ssh_host.url(host.engine.socket)) as engine:
        with pytest.raises(DockerDown, match=r"lets us in, but the socket .*docker\.sock there"):
            engine.info()
        host.start_engine()
        assert engine.info().name == "qtrp"


def test_a_connection_that_breaks_is_made_anew(host: Host, tmp_path: Path) -> None:
    with SshHost(tmp_path) as ssh_host:
        environ = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", environ["PATH"])
            with Engine(ssh_host.url(host.engine.socket)) as engine:
                engine.info()
                for connection in ssh_host._connections:
                    ssh_host._loop.call_soon_threadsafe(connection.abort)
                time.sleep(0.5)
                with pytest.raises(DockerDown, match="does not answer"):
                    engine.info()
                assert engine.info().name == "qtrp"


@pytest.mark.alone
def test_a_host_that_does_not_answer_is_given_up(
    ssh_host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("macvlan_ros.docker_api.ssh_tunnel._OPEN_TIMEOUT", 1.0)
    program = ssh_host.folder / "bin" / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    began = time.monotonic()
    with Engine("ssh://robot@192.168.50.12") as engine, pytest.raises(DockerDown, match="in 1 s"):
        engine.info()
    assert time.monotonic() - began < 5


def test_without_an_ssh_client_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with (
        Engine("ssh://robot@192.168.50.12") as engine,
        pytest.raises(DockerDown, match="apt install openssh-client"),
    ):
        engine.info()
