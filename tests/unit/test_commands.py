"""The command line's table: every command is found in the module that the table says."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from macvlan_ros import cli
from macvlan_ros.cli.contents import ENTRIES

_WHERE = "put it into SECTIONS of macvlan_ros/cli/contents.py"


def test_the_table_has_every_command_and_where_it_is() -> None:
    found = {}
    for module in pkgutil.iter_modules(cli.__path__):
        loaded = importlib.import_module(f"macvlan_ros.cli.{module.name}")
        for command in getattr(loaded, "COMMANDS", ()):
            assert command.name not in found, f"two commands {command.name!r}"
            found[command.name] = module.name
    assert found == {name: entry.module for name, entry in ENTRIES.items()}, _WHERE


def test_every_command_says_what_it_does() -> None:
    context = cli.cli.make_context("macvlan-ros", ["--help-all"], resilient_parsing=True)
    for name in cli.cli.list_commands(context):
        command = cli.cli.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=1000) == ENTRIES[name].summary, _WHERE


def test_a_command_that_is_not_there_is_not_looked_for_among_the_modules() -> None:
    context = cli.cli.make_context("macvlan-ros", ["x"], resilient_parsing=True)
    assert cli.cli.get_command(context, "common") is None


# What a command has not got, and why.
_OTHERS = "becomes docker, whose words and output are its own"
_LOOKS = "changes nothing"
_ONE = "shows one thing, of which the fields are what was asked for"
_SERVES = "a service: its log is what it says"
_SCRIPT = "prints a script for a shell"
NOT_QUIET = {
    "attach": _OTHERS,
    "completion": _SCRIPT,
    "compose": "Compose has a --quiet of its own for what it says",
    "exec": _OTHERS,
    "network show": _ONE,
    "plugin serve": _SERVES,
    "pool show": _ONE,
    "run": "docker run's own -q",
    "shell": _OTHERS,
    "shim show": _ONE,
}
NOT_SHARED = {"completion": _SCRIPT}
NO_DRY_RUN = {
    **dict.fromkeys(("attach", "exec", "shell"), _OTHERS),
    **dict.fromkeys(("config", "doctor", "env", "export", "hosts", "interfaces", "list"), _LOOKS),
    **dict.fromkeys(("logs", "network list", "network show", "plugin status", "pool list"), _LOOKS),
    **dict.fromkeys(("pool show", "ps", "scan", "shim show", "status", "store check"), _LOOKS),
    "completion": _SCRIPT,
    "import": "without --output it only prints",
    "leases": "without --renew it only looks, and shows what is due",
    "map": "writes the one file that was asked for; -o - only prints",
    "plugin serve": _SERVES,
    "shim watch": _SERVES,
    "store backup": "writes the one file that was asked for",
    "verify": "without --clean it only looks, and names what is stale",
}


@pytest.mark.parametrize(
    ("option", "exceptions"),
    [
        ("--json", NOT_SHARED),
        ("--verbose", NOT_SHARED),
        ("--quiet", NOT_QUIET),
        ("--dry-run", NO_DRY_RUN),
    ],
)
def test_every_command_has_the_options_that_make_sense_for_it(
    option: str, exceptions: dict[str, str]
) -> None:
    without = {name for name, command in every_command() if option not in options(command)}
    assert without == set(exceptions)


def test_an_option_says_what_its_value_is() -> None:
    """Click's own word for a number between two others is no help to anybody."""
    without = {
        f"{name} {parameter.opts[-1]}"
        for name, command in every_command()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        and not (parameter.is_flag or parameter.metavar or isinstance(parameter.type, click.Choice))
    }
    assert without == set()


def every_command() -> Iterator[tuple[str, click.Command]]:
    """What can be called, by its words."""
    todo: list[tuple[tuple[str, ...], click.Command]] = [((), cli.cli)]
    while todo:
        words, command = todo.pop()
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                todo.append(((*words, name), below))
        if words and not (isinstance(command, click.Group) and not command.invoke_without_command):
            yield " ".join(words), command


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def test_the_readme_has_every_command() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Commands")[2].partition("\nWhat changes")[0]
    assert set(re.findall(r"`([a-z]+)\b", table)) >= set(ENTRIES)
