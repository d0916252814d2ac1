"""Writes into pages what their commands print: python -m tests.docs.record docs/tutorial.md …

For whoever changes a page, or what commands print; read what it has written before it is committed.
Tables are written as a terminal of 110 columns shows them.
An output with a line `...` is left as it is, as long as it still fits.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs.pages import Typed, read, same
from tests.docs.stages import opened
from tests.docs.tables import folded
from tests.docs.typing_out import NotAsShown, do

#: Seconds until what is seen is taken for what there is to see.
_PATIENCE = 5.0


def record(path: Path) -> int:
    """How many outputs of the page were written anew, up to the first that ends badly."""
    page = read(path)
    said: dict[Typed, str] = {}
    with opened(page.stage) as hosts:
        try:
            said.update(do(page, hosts, patience=_PATIENCE, strict=False))
        except NotAsShown as error:
            sys.stderr.write(f"{error}\n")
    lines = path.read_text(encoding="utf-8").splitlines()
    changed = 0
    for step, output in reversed(said.items()):
        if not same(step.expected, output):
            prompt = lines[step.first - 1 - step.command.count("\n")]
            indent = prompt[: len(prompt) - len(prompt.lstrip())]
            written = [(indent + line).rstrip() for line in folded(output).splitlines()]
            lines[step.first : step.last] = written
            changed += 1
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return changed


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}: {record(Path(name))} outputs written anew\n")
