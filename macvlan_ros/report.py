"""Rendering: the only module that prints. Results go to stdout as a table or as JSON; notes,
progress and errors go to stderr, so that `$(macvlan-ros …)` and pipes see results alone.

The keys of the JSON are a contract: a key is never renamed, and never left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

if TYPE_CHECKING:
    from netaddr import IPRange

    from macvlan_ros.output.columns import View

T = TypeVar("T")

#: What tells one from another in a mixed output; red is for trouble.
_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
#: Characters between two columns.
_GAP = 2


class Report:
    """One command's output."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._overwritten = False
        self._held: list[str] | None = None
        self.rehearsing = False

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Notes and progress wait until the end of the block: the terminal is somebody else's."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for text in held:
                self._say(text)

    def table(
        self, view: View[T], values: Sequence[T], *, name: Callable[[T], object] | None = None
    ) -> None:
        """Show many values: a table, or a JSON list; when it shall be quiet, of each the `name`
        alone, if it is said."""
        if self.rehearsing:
            return
        if self.quiet and name is not None and not self.as_json:
            for value in values:
                self.line(name(value))
            return
        if self.as_json:
            _write_json([_record(view, value) for value in values])
        elif values:
            _write_table(view, values)
        else:
            self.note(view.empty)

    def detail(self, view: View[T], value: T) -> None:
        """Show one value: its fields line by line, or a JSON object."""
        if self.rehearsing:
            return
        if self.as_json:
            _write_json(_record(view, value))
            return
        pairs = [(c.heading, _text(c.value(value))) for c in view.columns if c.heading.strip()]
        width = max(len(heading) for heading, _ in pairs)
        for heading, text in pairs:
            self.line(f"{heading:<{width}}  {text}".rstrip())

    def rehearse(self) -> Callable[[Sequence[str]], None]:
        """From now on results are not shown, for they are not true; the function that is returned
        shows what would be changed."""
        self.rehearsing = True

        def show(changes: Sequence[str]) -> None:
            if self.as_json:
                _write_json({"changes": list(changes)})
            for change in () if self.as_json else changes:
                print(f"would {change}", flush=True)
            if not changes and not self.as_json:
                self.note("nothing would be changed")

        return show

    def clear(self) -> None:
        """Begin again at the top of the screen, terminals only."""
        if sys.stdout.isatty():
            sys.stdout.write("\x1b[H\x1b[2J")

    def json_line(self, value: object) -> None:
        """One of many results that come one by one: JSON on one line."""
        import json

        print(json.dumps(value), flush=True)

    def json(self, value: object) -> None:
        """A result that has no table, as JSON."""
        if self.rehearsing:
            return
        _write_json(value)

    def lines(self, key: str, values: Sequence[object]) -> None:
        """Short values: a line each unless it shall be quiet, or a JSON object with them under the
        key."""
        if self.as_json:
            self.json({key: [str(value) for value in values]})
            return
        for value in () if self.quiet else values:
            self.line(value)

    def line(self, text: object) -> None:
        """One line of result, as it is."""
        if self.rehearsing:
            return
        print(text, flush=True)

    def text(self, text: str) -> None:
        """A whole file as the result; it ends with its own newline."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def prefixed(self, prefix: str, text: str, *, colour: int) -> None:
        """One line of result after who said it, in a colour that is that one's."""
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            prefix = f"\x1b[{_COLOURS[colour % len(_COLOURS)]}m{prefix}\x1b[0m"
        print(f"{prefix} {text}", flush=True)

    def talk(self, first: str) -> None:
        """Tell from now on what is asked of Docker and of the LAN, with the milliseconds since the
        start, beginning with `first`."""
        import logging

        form = "%(relativeCreated)6.0f ms  %(name)s: %(message)s"
        logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, format=form)
        # every netlink message, in hundreds of long lines
        logging.getLogger("pyroute2").setLevel(logging.INFO)
        logging.getLogger("macvlan_ros").debug("%s", first)

    def note(self, text: str) -> None:
        """Something worth knowing that is not the result."""
        if not self.quiet:
            self._say(_styled(f"note: {_one_line(text)}", "2"))

    def progress(self, text: str) -> None:
        """A step of something that takes a while."""
        if not (self.quiet or self.rehearsing):
            self._say(text)

    def board(self, headings: Sequence[str]) -> Board:
        """A table on stderr that changes while something is under way."""
        silent = self.quiet or self.rehearsing
        return Board(self, headings, live=not silent and sys.stderr.isatty())

    def meter(self, text: str) -> None:
        """A state that changes many times a second: one line that is rewritten, terminals only."""
        if not self.quiet and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text[: _width() - 1]}")
            sys.stderr.flush()
            self._overwritten = True

    def _say(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
            return
        try:
            if self._overwritten:
                sys.stderr.write("\r\x1b[K")
                self._overwritten = False
            print(text, file=sys.stderr, flush=True)
        except BrokenPipeError:
            # nobody listens any more; what is being done goes on
            write_no_more(sys.stderr)


class Board:
    """Rows that change while something is under way: a live table on a terminal, else a line for
    each change. A context manager; several threads may set rows, one at a time."""

    def __init__(self, report: Report, headings: Sequence[str], *, live: bool) -> None:
        self._report = report
        self._headings = list(headings)
        self._rows: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._live: Any = None
        if live:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True, highlight=False), transient=True)

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def set(self, key: tuple[str, ...], *cells: str) -> None:
        """The row of that key; its first cells are the key itself."""
        self._rows[key] = cells
        if self._live is not None:
            rows = [[*each, *rest] for each, rest in sorted(self._rows.items())]
            room = self._live.console.width
            table, _ = fitted_table(self._headings, rows, [""] * len(rows), room)
            self._live.update(table, refresh=True)
        elif any(cells):
            self._report.progress(f"{': '.join(key)}: {' '.join(cells).rstrip()}")


def write_no_more(stream: TextIO) -> None:
    """What is still in the stream's buffer would fail again at exit: let it go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def break_line() -> None:
    """Leave the line on which a terminal shows ^C, or a question."""
    if sys.stderr.isatty():
        print(file=sys.stderr)


def error(text: str, *, because: BaseException | None = None) -> None:
    """Say on stderr what went wrong; the text says what to do. With --verbose what it came of
    (`because`) is told, too."""
    print(_styled("error:", "1;31") + f" {_one_line(text)}", file=sys.stderr, flush=True)
    import logging

    log = logging.getLogger("macvlan_ros")
    told: list[BaseException] = []
    while because is not None and because not in told:  # an error may have been raised from itself
        log.debug("because of %s: %s", type(because).__name__, because)
        told.append(because)
        because = because.__cause__


def _one_line(text: str) -> str:
    """The text as one line that does nothing to a terminal, whatever names are in it."""
    return _printable(" ".join(text.splitlines()))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def range_text(value: IPRange) -> str:
    """A range as people write it: one address, a CIDR where it is one, else FROM-TO."""
    if value.first == value.last:
        return str(value[0])
    cidrs = value.cidrs()
    return str(cidrs[0]) if len(cidrs) == 1 else str(value)


def _record(view: View[T], value: T) -> dict[str, object]:
    return {column.key: _plain(column.value(value)) for column in view.columns if column.key}


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return _text(value)


def _text(value: object) -> str:
    if value is None or value == "" or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value) or "-"
    # imported here: netaddr takes longer to load than all that the shortest commands need
    from netaddr import IPRange

    if isinstance(value, IPRange):
        return range_text(value)
    return _printable(str(value))


def _write_json(value: object) -> None:
    import json

    print(json.dumps(value, indent=2), flush=True)


def _write_table(view: View[T], values: Sequence[T]) -> None:
    headings = [column.heading for column in view.columns if column.heading]
    rows = [[_text(c.value(value)) for c in view.columns if c.heading] for value in values]
    if sys.stdout.isatty():
        _rich_table(headings, rows, [view.style(value) for value in values])
        return
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    sys.stdout.flush()


def _rich_table(headings: list[str], rows: list[list[str]], styles: list[str]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    table, width = fitted_table(headings, rows, styles, console.width)
    # where that is not enough, the terminal itself breaks the lines
    console.width = max(console.width, width)
    console.print(table)


def fitted_table(
    headings: list[str], rows: list[list[str]], styles: list[str], room: int
) -> tuple[Any, int]:
    """A table of at most `room` characters where that can be, and of how many it is. Where there
    is not enough, the columns that say nothing are left out first."""
    from rich.table import Table
    from rich.text import Text

    from macvlan_ros.output.fitting import fitting, telling

    lines = [headings, *rows]
    if sum(fitting(lines, sys.maxsize)) > room - _GAP * (len(headings) - 1):
        lines = [[line[number] for number in telling(lines)] for line in lines]
    gaps = _GAP * (len(lines[0]) - 1)
    widths = fitting(lines, room - gaps)
    table: Any = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for heading, width in zip(lines[0], widths, strict=True):
        table.add_column(heading, overflow="fold", width=width)
    for line, style in zip(lines[1:], styles, strict=True):
        table.add_row(*map(Text, line), style=style)
    return table, sum(widths) + gaps


def _styled(text: str, code: str) -> str:
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        return f"\x1b[{code}m{text}\x1b[0m"
    return text


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
