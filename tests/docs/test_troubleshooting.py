"""Troubleshooting: each symptom that the lab can have is made, named and cured."""

from __future__ import annotations

from tests.docs.pages import ROOT
from tests.docs.stages import type_out


def test_each_symptom_is_named_and_cured_by_the_commands_of_its_page() -> None:
    type_out(ROOT / "docs" / "how-to" / "troubleshooting.md")
