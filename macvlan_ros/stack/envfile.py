"""Environment files: `.env` and what `env_file` names, read as Compose reads them.

Source: compose-go's `dotenv` package. Unquoted values end at the line's end or at " #", double
quotes know escapes and variables, single quotes take all as it stands; both may span lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from macvlan_ros.errors import StackFileError
from macvlan_ros.stack.interpolation import BadTemplate, Interpolation, Lookup
from macvlan_ros.stack.nodes import shorten
from macvlan_ros.stack.yamlfile import read_text

_BLANK = re.compile(r"(?:[^\S\n]*(?:#[^\n]*)?(?:\n|$))+")
_KEY = re.compile(r"[^\S\n]*(?:export[^\S\n]+)?(?P<key>[^\s=:#]+)[^\S\n]*(?P<sign>[=:]|\n|$)")
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]+", re.ASCII)
_REST = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|$)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def read(path: Path, lookup: Lookup, unset: Callable[[str], None]) -> dict[str, str]:
    """The variables that a file sets. `lookup` is the caller's environment, which values may
    refer to and which a bare `NAME` takes its value from; `unset` is told names that have none.
    Raises StackFileError with file and line."""
    return parse(read_text(path), str(path), lookup=lookup, unset=unset)


def parse(text: str, file: str, *, lookup: Lookup, unset: Callable[[str], None]) -> dict[str, str]:
    """The variables that the text of `file` sets. Raises StackFileError with file and line."""
    return _Parser(text.replace("\r\n", "\n"), file, lookup=lookup, unset=unset).variables()


def read_raw(path: Path) -> dict[str, str]:
    """The variables of a file whose values are taken as they stand (`format: raw`)."""
    found: dict[str, str] = {}
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        key, sign, value = text.partition("=")
        if not sign or not _NAME.fullmatch(key.strip()):
            raise StackFileError(f"{path}:{line}: is not NAME=VALUE: {shorten(text)}")
        found[key.strip()] = value
    return found


class _Parser:
    """Walks through one file's text once."""

    def __init__(
        self, text: str, file: str, *, lookup: Lookup, unset: Callable[[str], None]
    ) -> None:
        self.source = text
        self.file = file
        self.place = 0
        self.found: dict[str, str] = {}
        self.outer = lookup
        self.interpolation = Interpolation(self._lookup, unset)

    def variables(self) -> dict[str, str]:
        while self._skip_blank():
            self._statement()
        return self.found

    def _lookup(self, name: str) -> str | None:
        outer = self.outer(name)
        return self.found.get(name) if outer is None else outer

    def _error(self, problem: str) -> StackFileError:
        line = self.source.count("\n", 0, self.place) + 1
        return StackFileError(f"{self.file}:{line}: {problem}")

    def _skip_blank(self) -> bool:
        """Step over empty lines and comments; False at the end."""
        if blank := _BLANK.match(self.source, self.place):
            self.place = blank.end()
        return self.place < len(self.source)

    def _statement(self) -> None:
        match = _KEY.match(self.source, self.place)
        if match is None or not _NAME.fullmatch(match["key"]):
            line = self.source[self.place :].split("\n", 1)[0]
            raise self._error(f"is not NAME=VALUE: {shorten(line.strip())}")
        self.place, start = match.end(), self.place
        if match["sign"] not in ("=", ":"):
            # a bare name hands on what the caller's environment has, if it has it
            if (value := self.outer(match["key"])) is not None:
                self.found[match["key"]] = value
            return
        try:
            self.found[match["key"]] = self._value()
        except BadTemplate as error:
            self.place = start
            raise self._error(f"{match['key']} {error}") from None

    def _value(self) -> str:
        while self.source[self.place : self.place + 1] in (" ", "\t"):
            self.place += 1
        quote = self.source[self.place : self.place + 1]
        if quote in ("'", '"'):
            return self._quoted(quote)
        end = self.source.find("\n", self.place)
        end = len(self.source) if end < 0 else end
        value, self.place = self.source[self.place : end], end + 1
        # "#" alone starts no comment, and none at a value's beginning, old Compose and new agree
        value = re.split(r"\s#", value, maxsplit=1)[0]
        return self.interpolation.text(value.rstrip())

    def _quoted(self, quote: str) -> str:
        place = self.place + 1
        parts: list[str] = []
        while (sign := self.source[place : place + 1]) != quote:
            if not sign:
                raise self._error(f"has a {quote} that is never closed")
            if sign == "\\" and place + 1 < len(self.source):
                place += 1
                parts.append(self._escaped(self.source[place], quote))
            else:
                parts.append(sign)
            place += 1
        rest = _REST.match(self.source, place + 1)
        if rest is None:
            raise self._error(f"has something after the closing {quote}")
        self.place = rest.end()
        value = "".join(parts)
        return self.interpolation.text(value) if quote == '"' else value

    def _escaped(self, sign: str, quote: str) -> str:
        if sign == quote:
            return sign
        if quote == '"' and sign == "$":
            return "$$"  # which interpolation makes a plain one
        if quote == '"' and sign == "\\":
            return sign
        return _ESCAPES.get(sign, "\\" + sign) if quote == '"' else "\\" + sign
