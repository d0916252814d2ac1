"""Whatever is typed is answered: in time, with one of our exit codes and without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import hypothesis
import pytest
from hypothesis import strategies as st

from macvlan_ros import cli
from tests.lab import Host

STACK = """
    x-macvlan-ros: {master: core}
    services:
      core: {image: "ros:lab"}
      talker: {image: "ros:lab", depends_on: [core]}
    """
#: They serve, or become another program whose words and exit codes are its own; `plugin` is for a
#: PC with systemd; `doctor` and `verify` ask the LAN for seconds.
LEFT_OUT = {"attach", "compose", "exec", "run", "shell", "plugin", "doctor", "verify"}
#: They go on until Ctrl-C.
ENDLESS = {"follow", "watch", "mdns", "serve"}
VALUES = (
    *("talker", "core", "nobody", "ros_lan", "default", "lab", "qtpc", "eth0", "ros:lab"),
    *("192.168.50.200", "192.168.50.0/24", "10.0.0.1", "fd00::1", "::1/129", "999.1.1.1"),
    *("compose.yaml", "gone.yaml", "binary", "empty", ".", "a/b", "-", "", " ", "x" * 300),
    *("0", "-1", "1", "nan", "99999999999999999999", "10m", "hosts", "a=b", "unix:///nowhere"),
    *("[eth0]", "{}", "%s", "\x1b[31m", "a\nb", "名前", "\udcff"),
)


def commands(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        elif name not in LEFT_OUT and (*above, name) != ("shim", "watch"):
            yield (*above, name)


COMMANDS = [words for words in commands(cli.cli) if words[0] not in LEFT_OUT]


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its options and as many words as it likes, or not."""
    words = draw(st.sampled_from(COMMANDS))
    command: click.Command = cli.cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    line = list(words)
    options = [
        one for one in command.params if isinstance(one, click.Option) and one.name not in ENDLESS
    ]
    for option in draw(st.lists(st.sampled_from(options), max_size=3) if options else st.just([])):
        name = max(option.opts, key=len)
        line.append(name if option.is_flag else f"{name}={draw(st.sampled_from(VALUES))}")
    return [*line, *draw(st.lists(st.sampled_from(VALUES), max_size=2))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(STACK)
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "empty").touch()
    return tmp_path


def test_any_mixture_of_words_is_answered(qtpc: Host, folder: Path) -> None:
    @hypothesis.settings(max_examples=40, derandomize=True, database=None)
    @hypothesis.given(lines())
    def answered(line: list[str]) -> None:
        done = qtpc.macvlan_ros(*line, cwd=folder, timeout=120)
        assert done.returncode in range(7), done.stderr
        assert "Traceback" not in done.stderr
        errors = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
        assert len(errors) == (done.returncode > 1), done.stderr

    answered()
