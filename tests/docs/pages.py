"""Pages: what a Markdown page tells people to type, where, and what it says will come of it.

- A `console` block whose prompts name a PC, `root@qtpc:~/robot# macvlan-ros ps`, is typed there;
  what follows a command is what it prints. A line `...` stands for any lines.
- `<!-- file: qtpc qtrp: ~/robot/compose.yaml -->` before a block makes the block that file there.
- `<!-- run: qtpc qtrp in ~/robot -->` before a `sh` block runs it there as a script that must end
  well.
- `<!-- happens: qtrp: docker rm -f talker -->` is done there unseen: what a reader meets, and does
  not do. A line for each.
- `<!-- lab: ros -->`, once, says what the PCs have; see `stages`.
- `<!-- typed by: tests/e2e/test_release.py -->` before a `sh` block says which test takes the block
  out of the page, by `typed_by`, and does it; `<!-- not typed: there is no X server -->` why none
  does. Each `sh` block has one of these notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.tables import told

ROOT = Path(__file__).resolve().parents[2]
_PROMPT = re.compile(r"root@(?P<host>[a-z0-9-]+):(?P<folder>\S*)# (?P<command>.*)")
_FENCE = re.compile(r"(?P<indent> *)```(?P<language>[^`\s]*)[^`]*")
_NOTE = re.compile(
    r" *<!-- (?P<kind>file|run|lab|happens|typed by|not typed): (?P<text>.*?) -->\s*"
)
_FILE = re.compile(r"(?P<hosts>[^:]+): (?P<path>\S+)")
_HAPPENS = re.compile(r"(?P<hosts>[^:]+): (?P<command>.+)")

# What differs from run to run, and is shown in the pages as it once was.
_MASKS = (
    # one that Docker has made up; ours are made from the owner's name, the lab's from the PC's
    (re.compile(r"\b02:42(?::[0-9a-f]{2}){4}\b"), "MAC"),
    # which container on one of Docker's own bridges comes first is chance
    (re.compile(r"\b172\.(1[7-9]|2\d|3[01])\.0\.([2-9]|\d\d)\b"), "BRIDGED"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]?\d\d:\d\d(:\d\d)?Z?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b|\b[0-9a-z]{25}\b"), "ID"),
    (re.compile(r"(http://[^:/\s]+):\d+/"), r"\1:PORT/"),
    (re.compile(r"\b(\d+(\.\d+)? ?to ?)?\d+(\.\d+)? ?(ms|s)(?=ago|\b)"), "SECONDS"),
    (re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])"), "NUMBER"),
    # what a MAC has chosen that Docker has made up
    (re.compile(r"(?m)^OWNER=dynamic:MAC .*"), "DYNAMIC"),
    # rostopic, where the talker is not ready yet
    (re.compile(r"(?m)^WARNING: topic .* does not appear to be published yet\n?"), ""),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Typed:
    """One command at a prompt. `first` and `last` are its output's line numbers in the page."""

    host: str
    folder: str
    command: str
    expected: str
    first: int
    last: int


@dataclass(frozen=True)
class Written:
    """A file that the reader is to write, on each of the hosts."""

    hosts: tuple[str, ...]
    path: str
    text: str


@dataclass(frozen=True)
class Script:
    """Lines that the reader is to copy, on each of the hosts, or that happen there unseen."""

    hosts: tuple[str, ...]
    folder: str
    text: str


Step = Typed | Written | Script


@dataclass(frozen=True)
class Page:
    """A page's steps in their order. `stage` is what the PCs have, "" for nothing in particular."""

    path: Path
    stage: str
    steps: tuple[Step, ...]


def read(path: Path) -> Page:
    """The page's steps."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return Page(path, _stage(lines), tuple(_steps(lines)))


def all_pages() -> list[Path]:
    """The README and the pages below docs/ and examples/ that have something to type."""
    found = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    found += sorted(ROOT.glob("examples/*/README.md"))
    return [path for path in found if "_build" not in path.parts and read(path).steps]


@dataclass(frozen=True)
class Shown:
    """An `sh` block that is not typed in the order of its page: the note before it, and its text.

    `kind` is "typed by" or "not typed", "" where there is no note.
    """

    kind: str
    reason: str
    text: str


def untyped(path: Path, language: str = "sh") -> list[Shown]:
    """The page's blocks of a language that no step types, or writes: they show what cannot be done
    in the lab, or what is done by another test."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for of, block, _, note in _blocks(lines):
        kind = "" if note is None or note["kind"] == "lab" else note["kind"]
        if of == language and kind in ("", "typed by", "not typed"):
            reason = note["text"] if note is not None and kind else ""
            found.append(Shown(kind, reason, "\n".join(block) + "\n"))
    return found


def typed_by(page: str, test: str) -> list[str]:
    """The blocks of a page, by its path in the repository, that a test is to type (`__file__`)."""
    name = str(Path(test).resolve().relative_to(ROOT))
    found = [shown.text for shown in untyped(ROOT / page) if shown.reason == name]
    assert found, f"no block of {page} is typed by {name}"
    return found


def same(expected: str, said: str) -> bool:
    """Whether a command said what the page shows, but for times, MACs and the like."""
    parts = [re.escape(_masked(part)) for part in re.split(r"(?m)^\.\.\.$", told(expected))]
    return re.fullmatch(r"\s*.*\s*".join(parts), _masked(told(said)), re.DOTALL) is not None


def _masked(text: str) -> str:
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _stage(lines: list[str]) -> str:
    notes = [match for line in lines if (match := _NOTE.fullmatch(line))]
    return next((note["text"] for note in notes if note["kind"] == "lab"), "")


def _steps(lines: list[str]) -> Iterator[Step]:
    for language, block, first, note in _blocks(lines):
        yield from _block(language, block, first, note)


def _blocks(
    lines: list[str],
) -> Iterator[tuple[str, list[str], int, re.Match[str] | None]]:
    """Each block with its language, the number of its first line, and the note before it; and
    each thing that happens, as a block without lines."""
    note: re.Match[str] | None = None
    number = 0
    while number < len(lines):
        fence = _FENCE.fullmatch(lines[number])
        if fence is None:
            note = _NOTE.fullmatch(lines[number]) or (None if lines[number].strip() else note)
            number += 1
            if note is not None and note["kind"] == "happens":
                yield "", [], number, note
                note = None
            continue
        end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
        block = [line[len(fence["indent"]) :] for line in lines[number + 1 : end]]
        yield fence["language"], block, number + 1, note
        note, number = None, end + 1


def _block(
    language: str, block: list[str], first: int, note: re.Match[str] | None
) -> Iterator[Step]:
    text = "\n".join(block) + "\n"
    if note is not None and note["kind"] == "file":
        where = _FILE.fullmatch(note["text"])
        assert where, f"write <!-- file: HOST: PATH -->, not {note['text']}"
        yield Written(tuple(where["hosts"].split()), where["path"], text)
    elif note is not None and note["kind"] == "happens":
        what = _HAPPENS.fullmatch(note["text"])
        assert what, f"write <!-- happens: HOST: COMMAND -->, not {note['text']}"
        yield Script(tuple(what["hosts"].split()), "~", what["command"] + "\n")
    elif note is not None and note["kind"] == "run":
        hosts, _, folder = note["text"].partition(" in ")
        yield Script(tuple(hosts.split()), folder or "~", text)
    elif language == "console":
        yield from _typed(block, first)


def _typed(block: list[str], first: int) -> Iterator[Typed]:
    at = 0
    while at < len(block):
        prompt = _PROMPT.fullmatch(block[at])
        if prompt is None:
            at += 1
            continue
        command = prompt["command"]
        while command.endswith("\\"):
            at += 1
            command += "\n" + block[at]
        start = at + 1
        at = start
        while at < len(block) and not _PROMPT.fullmatch(block[at]):
            at += 1
        expected = "\n".join(block[start:at])
        yield Typed(prompt["host"], prompt["folder"], command, expected, first + start, first + at)
