"""A stack from a text, for the tests of its readers."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from macvlan_ros import stack
from macvlan_ros.errors import StackFileError
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack


def load_text(
    folder: Path,
    *texts: str,
    environ: Mapping[str, str] | None = None,
    profiles: Sequence[str] = (),
) -> Stack:
    """The stack of one or more files, which lie in `folder`; no variable is set unless given."""
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"{number}.yaml")
        paths[-1].write_text(textwrap.dedent(text), encoding="utf-8")
    return stack.load(paths, environ=environ or {}, profiles=profiles)


def load_service(
    folder: Path, *texts: str, environ: Mapping[str, str] | None = None, more: str = ""
) -> Service:
    """The service "talker" with these keys in its one or more files."""
    files = []
    for text in texts:
        keys = textwrap.indent(textwrap.dedent(text), "    ")
        files.append(f"services:\n  talker:\n    image: ros\n{keys}\n")
    files[0] += textwrap.dedent(more)
    return load_text(folder, *files, environ=environ).services["talker"]


def error_of(call: Callable[[], object]) -> str:
    """The one sentence of the StackFileError that the call ends in."""
    with pytest.raises(StackFileError) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence
