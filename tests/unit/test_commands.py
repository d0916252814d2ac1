"""The command line's table: every command is found in the module that the table says."""

from __future__ import annotations

import importlib
import pkgutil

from macvlan_ros import cli


def test_the_table_has_every_command_and_where_it_is() -> None:
    found = {}
    for module in pkgutil.iter_modules(cli.__path__):
        loaded = importlib.import_module(f"macvlan_ros.cli.{module.name}")
        for command in getattr(loaded, "COMMANDS", ()):
            assert command.name not in found, f"two commands {command.name!r}"
            found[command.name] = module.name
    assert found == cli.MODULES, "put it into MODULES of macvlan_ros/cli/__init__.py"


def test_every_command_says_what_it_does() -> None:
    context = cli.cli.make_context("macvlan-ros", ["--help-all"], resilient_parsing=True)
    for name in cli.cli.list_commands(context):
        command = cli.cli.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(), name


def test_a_command_that_is_not_there_is_not_looked_for_among_the_modules() -> None:
    context = cli.cli.make_context("macvlan-ros", ["x"], resilient_parsing=True)
    assert cli.cli.get_command(context, "common") is None
