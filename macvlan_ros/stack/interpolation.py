"""Interpolation: `$VAR`, `${VAR:-default}` and their kin, as Compose replaces them.

Source: the Compose Specification, "Interpolation", and compose-go's `template` package.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from macvlan_ros.stack.nodes import Node, shorten
from macvlan_ros.values import dataclass

Lookup: TypeAlias = Callable[[str], "str | None"]

#: Defaults within defaults; nobody writes more than two or three.
MAX_NESTING = 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPERATOR = re.compile(r":-|:\?|:\+|-|\?|\+")


class BadTemplate(ValueError):
    """A text cannot be interpolated; the message says why, without the place."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """Replaces variables in texts. `lookup` gives a variable's value, None when it is not set;
    `unset` is told the name of each variable that was taken as empty for want of a value."""

    lookup: Lookup
    unset: Callable[[str], None]

    def text(self, template: str, *, depth: int = 0) -> str:
        """The template with its variables replaced. Raises BadTemplate."""
        if depth > MAX_NESTING:
            raise BadTemplate(f"nests variables more than {MAX_NESTING} deep")
        parts: list[str] = []
        place = 0
        while (dollar := template.find("$", place)) >= 0:
            parts.append(template[place:dollar])
            value, place = self._variable(template, dollar, depth)
            parts.append(value)
        return "".join(parts) + template[place:]

    def _variable(self, template: str, dollar: int, depth: int) -> tuple[str, int]:
        """The value of what starts at the dollar sign, and where it ends."""
        after = template[dollar + 1 : dollar + 2]
        if after == "$":
            return "$", dollar + 2
        if after == "{":
            end = _closing_brace(template, dollar)
            return self._braced(template[dollar + 2 : end], depth), end + 1
        if name := _NAME.match(template, dollar + 1):
            return self._value(name.group()), name.end()
        return "$", dollar + 1  # as in $(pwd), or at the end of a pattern: Compose leaves it alone

    def _braced(self, inside: str, depth: int) -> str:
        name = _NAME.match(inside)
        if name is None:
            raise BadTemplate(f"has no variable's name in '${{{inside}}}'")
        rest = inside[name.end() :]
        if not rest:
            return self._value(name.group())
        operator = _OPERATOR.match(rest)
        if operator is None:
            raise BadTemplate(
                f"has {shorten(rest)} after the name in '${{{inside}}}'; "
                "':-', '-', ':?', '?', ':+' or '+' may stand there"
            )
        value = self.lookup(name.group())
        # with a colon an empty value counts as none
        given = bool(value) if operator.group()[0] == ":" else value is not None
        word = rest[operator.end() :]
        return self._choose(name.group(), operator.group()[-1], word, given, depth, value or "")

    def _choose(
        self, name: str, operator: str, word: str, given: bool, depth: int, value: str
    ) -> str:
        if operator == "+":
            return self.text(word, depth=depth + 1) if given else ""
        if given:
            return value
        word = self.text(word, depth=depth + 1)
        if operator == "-":
            return word
        reason = f": {word}" if word else ""
        raise BadTemplate(
            f"needs the variable {name}, which is not set{reason}; "
            "set it in the environment or in the .env file"
        )

    def _value(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            self.unset(name)
            return ""
        return value


def _closing_brace(template: str, start: int) -> int:
    """Where the `${` at `start` ends. A lone `{` inside counts for nothing, as in Compose."""
    depth = 0
    place = start
    while place < len(template):
        if template.startswith("${", place):
            depth += 1
            place += 1
        elif template[place] == "}":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    raise BadTemplate(f"has a '${{' without its '}}' in {shorten(template)}")


def interpolate(
    node: Node,
    lookup: Lookup,
    *,
    unset: Callable[[str, Node], None],
    skip: Callable[[Node], bool] = lambda node: False,  # noqa: ARG005
) -> Node:
    """The node with the variables in all its texts replaced; keys stay as they are.

    What `skip` says True to is left alone, and so is what `!reset` throws away.
    Raises StackFileError with the place.
    """
    if node.tag == "!reset" or skip(node):
        return node
    if isinstance(node.value, dict):
        entries = node.value.items()
        done = {k: interpolate(v, lookup, unset=unset, skip=skip) for k, v in entries}
        return replace(node, value=done)
    if isinstance(node.value, list):
        items = [interpolate(item, lookup, unset=unset, skip=skip) for item in node.value]
        return replace(node, value=items)
    if not isinstance(node.value, str) or "$" not in node.value:
        return node
    try:
        text = Interpolation(lookup, lambda name: unset(name, node)).text(node.value)
    except BadTemplate as error:
        raise node.error(str(error)) from None
    return replace(node, value=text, text=text)
