"""Tables in what commands print: as a terminal shows them, and as they are compared.

In a terminal a long cell goes on in the next line, and columns that say nothing are left out
(report.fitted_table); the same table is printed whole where nobody looks. Pages show the former,
tests see the latter.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from macvlan_ros.report import fitted_table

#: Columns of the terminals that pages show.
ROOM = 110
#: Stands for any lines.
GAP = "..."
_HEADING = re.compile(r"[A-Z][A-Z0-9]*(?: [A-Z0-9]+)*\??")
_BETWEEN = re.compile(r" {2,}")


@dataclass
class Table:
    """A table's headings with where their columns begin, its rows, None for a gap, and its lines
    as they were. The first heading may be empty."""

    headings: list[str]
    starts: list[int]
    rows: list[list[str] | None] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def take(self, line: str) -> bool:
        """Adds a line, and says whether it belongs to the table."""
        if line == GAP:
            self.rows.append(None)
        elif any(line[start - 1 : start].strip() for start in self.starts[1:]) or not line.strip():
            return False
        else:
            ends = [*self.starts[1:], len(line)]
            pairs = zip(self.starts, ends, strict=True)
            self._add([line[start:end].strip() for start, end in pairs])
        self.lines.append(line)
        return True

    def _add(self, cells: list[str]) -> None:
        """A row, or what goes on in the row before it: then some column has nothing more to say."""
        last = self.rows[-1] if self.rows else None
        named = [cell for cell, heading in zip(cells, self.headings, strict=True) if heading]
        if last is None or all(named):
            self.rows.append(cells)
        else:
            self.rows[-1] = [" ".join(filter(None, both)) for both in zip(last, cells, strict=True)]


def folded(text: str, room: int = ROOM) -> str:
    """The text with its tables as a terminal shows them that is `room` characters wide."""
    lines: list[str] = []
    for part in _parts(text):
        wide = isinstance(part, Table) and max(map(len, part.lines)) > room
        if isinstance(part, str):
            lines.append(part)
        else:
            lines += _fitted(part, room) if wide else part.lines
    return "\n".join(lines)


def told(text: str) -> str:
    """The text with each row of a table as one line of what it says in each column, without
    spaces: where a long word was broken is not seen."""
    lines: list[str] = []
    for part in _parts(text):
        if isinstance(part, str):
            lines.append(part)
        else:
            lines += [_told(part.headings, row) for row in part.rows]
    return "\n".join(lines)


def _told(headings: Sequence[str], row: Sequence[str] | None) -> str:
    if row is None:
        return GAP
    pairs = zip(headings, row, strict=True)
    said = ((heading, cell.replace(" ", "")) for heading, cell in pairs)
    return " ".join(f"{heading}={cell}" for heading, cell in said if cell not in ("", "-"))


def _parts(text: str) -> Iterator[Table | str]:
    """The lines that belong to no table, and the tables."""
    table: Table | None = None
    for line in text.splitlines():
        if table is not None and table.take(line):
            continue
        if table is not None:
            yield table
        table = _begun(line)
        if table is None:
            yield line
    if table is not None:
        yield table


def _begun(line: str) -> Table | None:
    headings = _BETWEEN.split(line.rstrip())
    if len(headings) < 2 or not all(map(_HEADING.fullmatch, headings[1:])):
        return None
    if headings[0] and not _HEADING.fullmatch(headings[0]):
        return None
    starts = [0, *(match.end() for match in _BETWEEN.finditer(line.rstrip()))]
    return Table(headings, starts, lines=[line])


def _fitted(table: Table, room: int) -> list[str]:
    gap = [GAP, *["-"] * (len(table.headings) - 1)]
    rows = [gap if row is None else row for row in table.rows]
    shown, width = fitted_table(table.headings, rows, [""] * len(rows), room)
    file = io.StringIO()
    Console(file=file, width=max(room, width), highlight=False).print(shown)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    return [GAP if re.fullmatch(r"\.\.\.[ -]*", line) else line for line in lines]
