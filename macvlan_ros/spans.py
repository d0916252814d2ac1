"""Spans: sets of addresses as a few pairs of integers, however many addresses they are.

A span is the first and the last address, both of them in it. A list of spans is disjoint and
sorted, unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]


def merge(parts: Iterable[Span]) -> list[Span]:
    """Any spans, made disjoint and sorted; touching ones become one."""
    merged: list[Span] = []
    for first, last in sorted(parts):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def subtract(parts: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """`parts` without `holes`; both disjoint and sorted, as is the result."""
    left: list[Span] = []
    skip = 0
    for first, last in parts:
        while skip < len(holes) and holes[skip][1] < first:
            skip += 1
        # A hole may reach into the next part too, so `skip` stays where it is.
        at = skip
        while at < len(holes) and holes[at][0] <= last:
            if first < holes[at][0]:
                left.append((first, holes[at][0] - 1))
            first = holes[at][1] + 1
            at += 1
        if first <= last:
            left.append((first, last))
    return left


def points(values: Iterable[int]) -> list[Span]:
    """Spans for single addresses, in any order."""
    return merge((value, value) for value in values)


def count(parts: Iterable[Span]) -> int:
    """How many addresses lie in disjoint spans."""
    return sum(last - first + 1 for first, last in parts)


def nth(parts: Sequence[Span], index: int) -> int:
    """The address with `index` others below it. Raises IndexError."""
    for first, last in parts:
        if index <= last - first:
            return first + index
        index -= last - first + 1
    raise IndexError(index)
