"""Columns: what a value's table and JSON are made of, without any way to print them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from macvlan_ros.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: its heading in the table ("" keeps it out), its key in the JSON ("" likewise)."""

    heading: str
    key: str
    value: Callable[[T], object]


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """How values of one kind look. `style` gives a row's rich style; `empty` stands for no row."""

    columns: tuple[Column[T], ...]
    empty: str
    style: Callable[[T], str] = lambda _value: ""
