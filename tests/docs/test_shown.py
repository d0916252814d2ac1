"""Files that pages show and no step writes: they can be read as what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from macvlan_ros import settings, stack
from tests.docs.pages import ROOT, untyped

PAGES = [
    path
    for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md"))
    if "_build" not in path.parts
]
#: What a page's piece of a stack file leaves out.
SERVICES = "services: {harmoni_hardware: {image: ros}}\n"


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(shown.text, id=f"{path.relative_to(ROOT)}-{number}")
        for path in PAGES
        for number, shown in enumerate(untyped(path, language))
    ]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_stack_file_that_is_shown_loads(tmp_path: Path, text: str) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(text if "services:" in text else text + SERVICES)
    assert stack.load([file], environ={}).services


@pytest.mark.parametrize("text", blocks("ini"))
def test_settings_that_are_shown_are_understood(tmp_path: Path, text: str) -> None:
    file = tmp_path / "macvlan-ros.conf"
    file.write_text(text)
    assert settings.load({}, file) != settings.Settings()
