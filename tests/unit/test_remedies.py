"""What messages tell people to type can be typed: the command is there, and has those options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from macvlan_ros import cli

PACKAGE = Path(cli.__file__).parents[1]
#: After a colon something to type stands, up to where the sentence goes on.
NAMED = re.compile(r": (?:sudo )?macvlan-ros ([^;,()`]+)")


def text_of(node: ast.expr) -> str | None:
    """A string with {} for what is put in, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [text_of(each) for each in node.values]
        return "".join("{}" if part is None else part for part in parts)
    return None


def told() -> Iterator[tuple[str, str]]:
    """The places where something to type is named, and its words."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and isinstance(node.body[0], ast.Expr)
        }
        inner = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in node.values
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.expr) or id(node) in docstrings | inner:
                continue
            for found in NAMED.finditer(text_of(node) or ""):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", found[1]


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = cli.cli
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
    return command, words


#: Docker's own words follow some; how to add a pool its help tells.
OTHERS = ("--help", "run ", "import ", "pool add")
TOLD = sorted(each for each in set(told()) if not each[1].startswith(OTHERS))


def test_enough_is_told_that_this_proves_something() -> None:
    assert len(TOLD) > 50


@pytest.mark.parametrize(("where", "words"), TOLD)
def test_what_a_message_tells_to_type_can_be_typed(where: str, words: str) -> None:
    command, rest = command_of(words.split())
    assert not isinstance(command, click.Group) or command.invoke_without_command, where
    known = {name for parameter in command.params for name in parameter.opts}
    options = [word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"]
    assert set(options) <= known, where
    needed = [one for one in command.params if isinstance(one, click.Argument) and one.required]
    assert len(rest) >= len(needed), where
