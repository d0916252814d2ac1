"""Fitting: how a table goes into a terminal that is narrower than it is. Pure.

The first row is always the headings; all rows are as long as one another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["fitting", "telling"]

#: Characters that a column with broken words has at least.
_NARROWEST = 10
#: A MAC or an address, with a prefix length or a comma after it.
_ADDRESS = re.compile(r"[0-9a-f]*(?:[.:][0-9a-f]*){3,}(?:/\d+)?,?")


def telling(rows: Sequence[Sequence[str]]) -> list[int]:
    """The numbers of the columns in which something is said."""
    columns = enumerate(zip(*rows[1:], strict=True))
    return [number for number, column in columns if any(cell != "-" for cell in column)]


def fitting(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of the columns that together have `room`, in characters.

    The widest gives way first, down to its longest word. If that is not enough, the longest words
    are broken, column by column, but never an address, which could not be copied any more. If that
    is not enough either, all words stay whole, and the widths need more than there is.
    """
    columns = list(zip(*rows, strict=True))
    words = [[word for cell in column for word in cell.split(" ")] for column in columns]
    widths = [max(map(len, column)) for column in columns]
    whole = [max(map(len, each)) for each in words]
    while sum(widths) > room and widths != whole:
        widest = max(
            range(len(widths)), key=lambda number: (widths[number] > whole[number], widths[number])
        )
        widths[widest] -= 1
    broken = list(widths)
    for number in sorted(range(len(widths)), key=widths.__getitem__, reverse=True):
        spare = broken[number] - _unbroken(words[number])
        broken[number] -= max(0, min(spare, sum(broken) - room))
    return broken if sum(broken) <= room else widths


def _unbroken(words: Sequence[str]) -> int:
    """What a column needs where all words but addresses may be broken."""
    return max(
        len(word) if _ADDRESS.fullmatch(word) else min(len(word), _NARROWEST) for word in words
    )
