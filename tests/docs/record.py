"""Writes into pages what their commands print: python -m tests.docs.record docs/tutorial.md …

For whoever changes a page, or what commands print; read what it has written before it is committed.
An output with a line `...` is left as it is, as long as it still fits.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs.pages import read, same
from tests.docs.stages import opened
from tests.docs.typing_out import do


def record(path: Path) -> int:
    """How many outputs of the page were written anew."""
    page = read(path)
    with opened(page.stage) as hosts:
        said = do(page, hosts)
    lines = path.read_text(encoding="utf-8").splitlines()
    changed = 0
    for step, output in reversed(said.items()):
        if not same(step.expected, output):
            lines[step.first : step.last] = [line.rstrip() for line in output.splitlines()]
            changed += 1
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return changed


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}: {record(Path(name))} outputs written anew\n")
