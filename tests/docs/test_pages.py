"""Every command of the documentation that can run in the lab does, and prints what is shown.

The how-to pages and the READMEs are in files of their own, so that several are typed at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, same
from tests.docs.stages import staged, type_out

PAGES = [path for path in staged() if path.parent == ROOT / "docs"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_does_what_it_says(path: Path) -> None:
    type_out(path)


def test_outputs_may_differ_in_what_no_two_runs_have_in_common() -> None:
    assert same("src 172.18.0.3", "src 172.18.0.2")
    assert not same("172.18.0.0/16 src 172.18.0.3", "172.19.0.0/16 src 172.18.0.3")
    assert same("talker 02:42:00:00:00:01  0.4 ms", "talker 02:42:ac:11:00:02 12.9 ms\n")
    assert not same("talker e2:f5:f9:ac:74:b4", "talker 92:52:56:58:81:b5")
    assert same("a\n...\nz", "a\nb\nc\nz")
    assert not same("192.168.50.195", "192.168.50.196")
    assert not same("a\n...\nz", "a\nb")
