"""The page about JSON says of every command what it prints, with the keys that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from macvlan_ros import cli
from macvlan_ros.output import views
from macvlan_ros.output.columns import View

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"
VIEWS = {name: view for name, view in vars(views).items() if isinstance(view, View)}
#: Services, of which the output is a log.
SILENT = {"plugin serve", "shim watch"}
SERVICE = ["macvlan-ros.socket", "macvlan-ros.service"]


@pytest.mark.parametrize("name", VIEWS)
def test_the_keys_of_each_table_are_on_the_page(name: str) -> None:
    keys = " ".join(f"`{column.key}`" for column in VIEWS[name].columns if column.key)
    assert f"| {keys} |\n" in PAGE.read_text()


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        yield f"{above}{name}", command


def test_every_command_is_on_the_page() -> None:
    said = set(re.findall(r"`([a-z -]+?)(?: -.*?| FILE)?`", PAGE.read_text()))
    takers = {
        name
        for name, command in commands(cli.cli)
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert takers - SILENT - said == set()


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("pool rm lab", {"removed": ["lab"]}),
        ("pool rm nowhere", {"removed": []}),
        ("config --services", {"services": ["talker"]}),
        ("store backup b.json", {"pools": 1, "reservations": 0, "records": 0}),
        ("store copy {store} new.db", {"pools": 1, "reservations": 0, "records": 0}),
        ("plugin install --no-start --no-shim --units .", {"installed": SERVICE}),
        ("plugin uninstall --no-stop --units .", {"removed": []}),
    ],
)
def test_what_is_done_is_told_to_programs(
    words: str,
    printed: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("services: {talker: {image: a}}")
    store = str(tmp_path / "state.db")
    add = "pool add lab --subnet 10.0.0.0/24 --no-probe -q"
    assert cli.run(["--store", store, *add.split()]) == 0
    capsys.readouterr()
    command = words.format(store=store).split()
    assert cli.run([*command, "--json", "--store", store]) == 0
    assert json.loads(capsys.readouterr().out) == printed
