"""The README and those of the examples: what can run in the lab does, and prints what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.stages import staged, type_out

PAGES = [path for path in staged() if path.name == "README.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_a_readme_does_what_it_says(path: Path) -> None:
    type_out(path)
