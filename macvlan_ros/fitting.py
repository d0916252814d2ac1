"""Fitting: how wide a table's columns are on a terminal that is narrower than the table. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["fitting"]

#: Characters that a column with broken words has at least.
_NARROWEST = 10
#: A MAC or an address, with a prefix length or a comma after it.
_ADDRESS = re.compile(r"[0-9a-f]*(?:[.:][0-9a-f]*){3,}(?:/\d+)?,?")


def fitting(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of the columns that together have `room`, in characters; `rows` are as long as one
    another.

    The widest gives way first, down to its longest word, and if that is not enough words are
    broken, too; but never an address, which could not be copied any more. So the widths may need
    more than there is.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [[word for cell in column for word in cell.split(" ")] for column in columns]
    _narrow(widths, [max(map(len, each)) for each in words], room)
    _narrow(widths, [_unbroken(each) for each in words], room)
    return widths


def _unbroken(words: Sequence[str]) -> int:
    """What a column needs where all words but addresses may be broken."""
    return max(
        len(word) if _ADDRESS.fullmatch(word) else min(len(word), _NARROWEST) for word in words
    )


def _narrow(widths: list[int], least: Sequence[int], room: int) -> None:
    while sum(widths) > room:
        yielding = [number for number, width in enumerate(widths) if width > least[number]]
        if not yielding:
            return
        widths[max(yielding, key=widths.__getitem__)] -= 1
