"""What is typed wrongly gets one sentence that says what to do, in one line, and the right code."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from macvlan_ros import cli, report
from macvlan_ros.parts import Parts
from macvlan_ros.report import Report
from tests.lab.host import ROOT
from tests.unit.links import ETH0


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without "error:"."""
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    begin, _, text = line.partition(" ")
    assert begin == "error:"
    return text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("allocate", "missing argument 'NAME...'; see: macvlan-ros allocate --help"),
        ("allocate a --poll x", "no such option '--poll'; did you mean '--pool'?"),
        ("hosts extra", "no such command 'extra'; see: macvlan-ros hosts --help"),
        ("pool shw", "no such command 'shw'; did you mean 'show'?"),
        ("list a b", "got unexpected extra arguments (a b); see: macvlan-ros list --help"),
        ("-f", "option '-f' requires an argument; see: macvlan-ros --help"),
        ("completion", "missing argument '{bash|zsh|fish}'; choose from: bash, zsh, fish"),
        (
            "pool add --subnet 10.0.0.0/24 --order up a",
            "invalid value for '--order': 'up' is not one of 'hashed', 'sequential'; see: "
            "macvlan-ros pool add --help",
        ),
        (
            "logs --tail ten",
            "invalid value for '-n' / '--tail': 'ten' is not a valid whole number; see: "
            "macvlan-ros logs --help",
        ),
        (
            "shim watch --interval nan",
            "invalid value for '--interval': 'nan' is not a valid number; see: macvlan-ros shim "
            "watch --help",
        ),
        ("move talker nan", "ADDRESS nan: not an address; write one like 192.168.50.195"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    words: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(words.split()) == 2
    assert said(capsys) == text


def test_infinity_is_no_number_of_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gc", "--settled", "inf"]) == 2
    assert "'inf' is not a valid number" in said(capsys)


def test_names_in_messages_do_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report.error("no pool 'a\x1b[31m\x07b\nc\udcff'")
    assert said(capsys) == r"no pool 'a\x1b[31m\x07b c\udcff'"
    Report().note("a\r\nb\x9b")
    assert capsys.readouterr().err == "note: a b\\x9b\n"


@pytest.mark.parametrize(
    "words", [("list", "--pool"), ("rename", "talker"), ("pool", "show"), ("hosts", "rm")]
)
def test_bytes_that_are_no_text_are_refused(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(tmp_path / "state.db")]
    assert (
        cli.run([*store, "pool", "add", "lab", "--subnet", "10.0.0.0/24", "--no-probe", "-q"]) == 0
    )
    assert cli.run([*store, *words, os.fsdecode(b"\xff\xfe")]) in (2, 3)
    assert "\\udcff" in said(capsys)


def test_a_folder_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert cli.run(["config"]) == 6
    assert said(capsys) == "the folder that this was called in is gone; go to another with: cd"


@pytest.mark.parametrize("command", ["config", "init --quiet"])
def test_a_path_that_is_too_long_is_said(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Parts, "parent", lambda *_: ETH0)
    options = ["--docker", f"unix://{tmp_path}/no.sock", "-f", "x" * 300]
    assert cli.run([*command.split(), *options]) == 2
    assert said(capsys).endswith("(File name too long); name another file")
    assert not any(tmp_path.iterdir())


def test_a_store_is_no_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in (["list"], ["allocate", "talker"]):
        assert cli.run([*words, "--store", str(pipe)]) == 6
        assert said(capsys) == f"store {pipe}: is a device or a pipe; name a file with --store"
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize(
    ("words", "code"),
    [("allocate --address 10.0.0.1 --no-probe talker", 2), ("network create --mode private", 6)],
)
def test_a_pool_that_was_made_for_what_failed_goes_again(
    words: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Parts, "parent", lambda *_: ETH0)
    options = ["--store", str(tmp_path / "state.db"), "--docker", f"unix://{tmp_path}/no.sock"]
    assert cli.run([*options, *words.split()]) == code
    assert "made the pool" not in capsys.readouterr().err
    assert cli.run([*options, "pool", "list", "-q"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [("rename", "talker", "walker"), ("move", "talker", "10.0.0.9")])
def test_nothing_to_rename_or_move_is_said(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*words, "--store", str(tmp_path / "state.db")]) == 3
    assert said(capsys).startswith("'talker' holds nothing, for there is no pool yet; reserve an")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("list >&-", 0),
        ("list 2>&-", 0),
        ("export csv >&-", 0),
        ("init <&-", 2),
        ("lst <&- >&- 2>&-", 2),
    ],
)
def test_closed_streams_are_no_obstacle(command: str, code: int, tmp_path: Path) -> None:
    program = f"exec {shlex.quote(sys.executable)} -m macvlan_ros --store {tmp_path}/state.db "
    done = subprocess.run(
        ["sh", "-c", program + command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_terminal_does_not_know_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {core: {image: a, command: é}}")
    done = subprocess.run(
        [sys.executable, "-m", "macvlan_ros", "config", "-f", str(tmp_path / "compose.yaml")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "command: \\xe9" in done.stdout
