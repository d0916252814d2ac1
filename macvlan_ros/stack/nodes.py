"""Nodes: the values of a stack file, each knowing the file, the line and the key it stands at.

Whatever reads a node further says what it wants (`node.string()`, `node.mapping()`); a node that
is something else answers with a `StackFileError` that names the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias, TypeVar

from macvlan_ros.errors import StackFileError
from macvlan_ros.near import did_you_mean
from macvlan_ros.values import dataclass

Scalar: TypeAlias = "str | int | float | bool | None"

T = TypeVar("T")
D = TypeVar("D")

_TRUE = frozenset(("true", "t", "yes", "y", "on", "1"))
_FALSE = frozenset(("false", "f", "no", "n", "off", "0"))


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `text` is a scalar as it was written, `tag` one of Compose's own ("!reset",
    "!override") or "". `path` leads to it: ("services", "talker", "devices", "[0]"). `base` is
    the folder that relative paths in it start at, "" for the project's.
    """

    value: Scalar | list[Node] | dict[str, Node]
    file: str
    line: int
    path: tuple[str, ...] = ()
    text: str = ""
    tag: str = ""
    base: str = ""

    def error(self, problem: str) -> StackFileError:
        """The error that names this node's file, line, service and key, and then the problem."""
        # a file's name may hold line breaks, and an error is one line
        words = problem.replace("\n", "\\n")
        return StackFileError(f"{self.file}:{self.line}: {describe(self.path)}{words}")

    @property
    def kind(self) -> str:
        """What the node is, in the words of an error."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if isinstance(self.value, bool):
            return "true or false"
        if isinstance(self.value, (int, float)):
            return "a number"
        return "empty" if self.value is None else f"the text {shorten(self.value)}"

    def wrong(self, wanted: str) -> StackFileError:
        """The error for a node of the wrong type."""
        return self.error(f"must be {wanted}, is {self.kind}")

    @property
    def absent(self) -> bool:
        """True for a key without a value, which counts as if it were not there."""
        return self.value is None

    def mapping(self, wanted: str = "a mapping") -> dict[str, Node]:
        """The entries of a mapping; none when the key has no value."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.wrong(wanted)
        return self.value

    def items(self, wanted: str = "a list") -> list[Node]:
        """The items of a list; none when the key has no value."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.wrong(wanted)
        return self.value

    def string(self) -> str:
        """A text. A number counts as the text it was written as (`user: 1000`)."""
        if isinstance(self.value, bool) or not isinstance(self.value, (str, int, float)):
            hint = f'; put it in quotes: "{self.text}"' if isinstance(self.value, bool) else ""
            raise self.error(f"must be a text, is {self.kind}{hint}")
        return self.text

    def strings(self) -> tuple[str, ...]:
        """A list of texts, each once, in the order of their first appearance."""
        return tuple(dict.fromkeys(item.string() for item in self.items()))

    def one_or_many(self) -> list[Node]:
        """The items of a list, or the one value that stands in its place."""
        if self.value is None:
            return []
        return self.value if isinstance(self.value, list) else [self]

    def named(self) -> dict[str, Node]:
        """The entries of a mapping, or the names of a list, each with an empty node."""
        if not isinstance(self.value, list):
            return self.mapping("a mapping or a list")
        names = {item.string(): item for item in self.value}
        return {
            name: replace(item, value=None, text="", path=(*self.path, name))
            for name, item in names.items()
        }

    def boolean(self) -> bool:
        """true or false, or a text that a variable turned into one."""
        if isinstance(self.value, bool):
            return self.value
        word = self.text.lower()
        if isinstance(self.value, (str, int)) and word in _TRUE | _FALSE:
            return word in _TRUE
        raise self.wrong("true or false")

    def integer(self) -> int:
        """A whole number, or a text that a variable turned into one."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, str):
            try:
                return int(self.value)
            except ValueError:
                pass
        if isinstance(self.value, float) and self.value.is_integer():
            return int(self.value)
        raise self.wrong("a whole number")

    def number(self) -> float:
        """A finite number, or a text that a variable turned into one."""
        if isinstance(self.value, (int, float, str)) and not isinstance(self.value, bool):
            try:
                number = float(self.value)
            except (ValueError, OverflowError):
                number = float("nan")
            if abs(number) != float("inf") and number == number:
                return number
        raise self.wrong("a number")

    def pairs(self, separators: str = "=") -> dict[str, Node]:
        """The entries of a mapping, or of a list of `KEY=VALUE`; a bare `KEY` has an empty node.

        `separators` are the signs that may part the two. A key that comes twice in the list
        takes the last value, as Compose has it.
        """
        if not isinstance(self.value, list):
            return self.mapping("a mapping or a list")
        found: dict[str, Node] = {}
        for item in self.value:
            if isinstance(item.value, dict):
                raise item.error(
                    "must be KEY=VALUE, is a mapping; write '=' and not ': ' in a list"
                )
            text = item.string()
            cut = min((text.find(sign) for sign in separators if sign in text), default=-1)
            key = text if cut < 0 else text[:cut]
            value = None if cut < 0 else text[cut + 1 :]
            found[key] = replace(item, value=value, text=value or "", path=(*self.path, key))
        return found

    def rendered(self) -> str:
        """A scalar as Compose hands it to a container: numbers and booleans in their plain form."""
        if self.value is None:
            return ""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, float):
            return _plain(self.value)
        if isinstance(self.value, int):
            return str(self.value)
        if isinstance(self.value, str):
            return self.value
        raise self.wrong("a text or a number")

    def known(self, keys: Iterable[str], what: str = "") -> dict[str, Node]:
        """The entries of a mapping that has no other keys than these; `x-…` keys are left out.

        Raises StackFileError for an unknown key, with the nearest known one.
        """
        allowed = set(keys)
        entries = {key: node for key, node in self.mapping().items() if key[:2] != "x-"}
        for key, node in entries.items():
            if key not in allowed:
                raise node.error(f"is not a key{what}{did_you_mean(key, allowed)}")
        return {key: node for key, node in entries.items() if not node.absent}


def _plain(number: float) -> str:
    """A float without a needless point or exponent: 1.10 is 1.1, 2.0 is 2."""
    if number.is_integer() and abs(number) < 1e16:
        return str(int(number))
    return str(number)


def shorten(text: str, limit: int = 60) -> str:
    """A text in quotes, cut when it is long."""
    return repr(text if len(text) <= limit else text[:limit] + "…")


def describe(path: tuple[str, ...]) -> str:
    """Where a path leads, for people: "service 'talker', key 'devices[0]' "."""
    if path[:1] == ("services",) and len(path) > 1:
        where, rest = f"service {path[1]!r}", path[2:]
    else:
        where, rest = "", path
    key = ".".join(rest).replace(".[", "[")
    parts = [where] if where else []
    if key:
        parts.append(f"key {key!r}")
    return ", ".join(parts) + " " if parts else ""


def child(parent: Node, key: str, value: Scalar) -> Node:
    """A value that the file does not spell out, placed at a key of `parent`."""
    text = "" if value is None else str(value)
    path = (*parent.path, key)
    return replace(parent, value=value, text=text, path=path, tag="")


def with_entries(node: Node, entries: Mapping[str, Node]) -> Node:
    """The same place with other entries."""
    return replace(node, value=dict(entries))


def take(entries: Mapping[str, Node], key: str, reader: Callable[[Node], T], default: D) -> T | D:
    """What `reader` makes of an entry, or the default when there is none."""
    return reader(entries[key]) if key in entries else default
