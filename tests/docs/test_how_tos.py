"""The how-to pages: every command that can run in the lab does, and prints what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.stages import staged, type_out

PAGES = [path for path in staged() if "how-to" in path.parts and path.stem != "troubleshooting"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_how_to_page_does_what_it_says(path: Path) -> None:
    type_out(path)
