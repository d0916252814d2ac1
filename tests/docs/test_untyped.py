"""What pages show and no test types out with the rest of the page: each of its commands is one that
there is, and each block says what test types it, or why none does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from markdown_it import MarkdownIt

from macvlan_ros import cli
from tests.docs.pages import ROOT, untyped

ALL = [
    path
    for path in (
        ROOT / "README.md",
        *sorted(ROOT.glob("docs/**/*.md")),
        *sorted(ROOT.glob("examples/*/README.md")),
    )
    if "_build" not in path.parts
]
PAGES = [path for path in ALL if untyped(path)]
_OURS = re.compile(
    r"(?:^ *(?:sudo (?:--\S+ )?)?|\$\((?:sudo )?)macvlan-ros (?P<words>[^|&;>)\"#]*)"
)


def test_no_block_is_without_a_language_that_says_what_is_done_with_it() -> None:
    for path in ALL:
        for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
            indented = token.type == "code_block" or (token.type == "fence" and not token.info)
            assert not indented, f"{path}: fence it, and name its language:\n{token.content}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_block_says_what_test_types_it_or_why_none_does(path: Path) -> None:
    for shown in untyped(path):
        assert shown.kind, f"a note is missing before:\n{shown.text}"
        folder = Path()
        for name in re.findall(r"[\w/]+\.py", shown.reason):
            folder = Path(name).parent if "/" in name else folder
            assert (ROOT / folder / Path(name).name).exists(), name
        if shown.kind == "typed by":
            test = (ROOT / shown.reason).read_text(encoding="utf-8")
            assert f'typed_by("{path.relative_to(ROOT)}"' in test


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_no_test_types_are_such_as_there_are(path: Path) -> None:
    for words in commands(path):
        command, rest = below(cli.cli, words)
        command.make_context(words[0], rest, parent=click.Context(cli.cli))


def below(command: click.Command, words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and its own words."""
    context = click.Context(command)
    found = command.get_command(context, words[0]) if isinstance(command, click.Group) else None
    if found is None:
        return command, words
    return below(found, words[1:]) if words[1:] else (found, [])


def commands(path: Path) -> Iterator[list[str]]:
    """The words of each of our commands, without what the shell does with them."""
    for shown in untyped(path):
        for line in shown.text.replace("\\\n", " ").splitlines():
            for match in _OURS.finditer(line.partition("  #")[0]):
                words = shlex.split(match["words"])
                if "…" not in words:
                    yield words
