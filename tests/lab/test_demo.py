"""The demo, as `make demo` runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pexpect
import pytest

from . import Lab, LabError, demo
from .host import ROOT
from .robot import HOME, LOGIN, furnish
from .terminal import Screen, Terminal

COMMAND = [sys.executable, "-m", "tests.lab.demo"]


def test_the_demo_does_what_it_says() -> None:
    ended = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    for command in ("interfaces", "allocate", "launch", "ps", "down"):
        assert re.search(rf"^root@qtpc:~\S*# macvlan-ros {command}", ended.stdout, re.MULTILINE)
    assert ended.stdout.count("0% packet loss") == 4
    assert re.search(r"rostopic list\n(/\w+\n)*/rosout\n", ended.stdout)
    # in the containers of both engines
    assert ended.stdout.count('rostopic echo -n 1 /test\ndata: "Hello"\n---\n') == 2
    assert "Everything is removed again." in ended.stdout


def test_the_demo_has_colours_on_a_terminal_however_narrow() -> None:
    program, *words = COMMAND
    child = pexpect.spawn(
        program,
        words,
        cwd=str(ROOT),
        timeout=110,
        encoding="utf-8",
        dimensions=(24, 80),
        env={**os.environ, "TERM": "xterm", "NO_COLOR": ""},
    )
    child.expect_exact("\x1b[1;32mroot@qtpc\x1b[0m:")
    child.expect_exact("Everything is removed again.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_the_demo_ends_on_ctrl_c() -> None:
    program, *words = COMMAND
    child = pexpect.spawn(program, words, cwd=str(ROOT), timeout=60, encoding="utf-8")
    child.expect_exact("macvlan-ros interfaces")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_the_demo_ends_quietly_when_nobody_reads_on() -> None:
    with subprocess.Popen(
        COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait(60) == 1


def test_the_demo_fails_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(LOGIN, "PATH", "/usr/bin:/bin")  # our command is not in there
    assert demo.main() == 1
    said = "demo: 'macvlan-ros interfaces' on qtpc ended with exit code 127\n"
    assert capsys.readouterr().err == said


def test_a_command_that_hangs_ends_the_demo(lab: Lab) -> None:
    terminal = Terminal(lab.hosts["qtpc"], screen=Screen(), env={"HOME": "/run/home"})
    with pytest.raises(LabError, match=r"^'sleep 60' on qtpc has not ended after 0.1 s$"):
        terminal.type("sleep 60", timeout=0.1)


def test_an_answer_that_is_not_right_ends_the_demo() -> None:
    with pytest.raises(LabError, match="should have shown the camera, and did not"):
        demo.expect("nothing like it", "video0", "the camera")
    with pytest.raises(LabError, match="it should be that all is well, and is not"):
        demo.check(False, "all is well")


def test_a_furnished_host_has_what_the_stack_mounts(make_lab: Callable[..., Lab]) -> None:
    host = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    furnish(host)
    host.run("test", "-c", "/dev/video0")
    host.run("test", "-f", f"{HOME}/harmoni_catkin_ws/src/HARMONI/dockerfiles/config/asoundrc")
    host.run("macvlan-ros", "--version", env=LOGIN)
