"""A `docker run` line, taken apart as Docker takes it apart (github.com/spf13/pflag)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from macvlan_ros.docker_cli.flags import KnownFlags
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.values import dataclass

#: What pflag reads as false (strconv.ParseBool).
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
#: What a whole line begins with that was put behind another `run`.
_NO_IMAGES = ("docker", "podman", "nvidia-docker", "sudo", "macvlan-ros")


@dataclass(frozen=True, slots=True)
class Option:
    """One flag. `name` is its long name of today, `value` None for a switch without one, `words`
    how it was written. Letters that were written together share a `cluster` other than 0."""

    name: str
    value: str | None
    words: tuple[str, ...]
    cluster: int = 0

    @property
    def on(self) -> bool:
        """Whether a switch is switched on."""
        return self.value is None or self.value not in _FALSE


@dataclass(frozen=True, slots=True)
class RunLine:
    """A `docker run` line: its options in their order, the image, and the command in it."""

    options: tuple[Option, ...]
    image: str
    command: tuple[str, ...] = ()

    def value(self, name: str) -> str | None:
        """The value of an option; of several the last, as Docker has it."""
        found = self.values(name)
        return found[-1] if found else None

    def values(self, name: str) -> tuple[str, ...]:
        """All values of an option, in their order."""
        return tuple(one.value for one in self.options if one.name == name and one.value)

    def has(self, name: str) -> bool:
        """Whether a switch is there and on."""
        found = [one.on for one in self.options if one.name == name]
        return bool(found) and found[-1]


def parse(words: Sequence[str], known: KnownFlags) -> RunLine:
    """Take the words after `docker run` apart. Raises InvalidRequest for a flag that Docker does
    not have, a value that is missing, and a line without an image."""
    return line(*split(words, known))


def line(options: Iterable[Option], rest: Sequence[str]) -> RunLine:
    """The line of options and what follows them. Raises InvalidRequest without an image."""
    if not rest:
        raise InvalidRequest(
            "no image is named; write it after the flags, as in: macvlan-ros run --name talker"
            " ros:noetic bash"
        )
    if not rest[0]:
        raise InvalidRequest("the image's name is empty; is a variable not set?")
    if not rest[0].strip():
        raise InvalidRequest(
            "the image's name is a blank; is there one behind a '\\' at the end of a line?"
        )
    found = RunLine(tuple(options), rest[0], tuple(rest[1:]))
    if not found.options and "run" in found.command[:2] and found.image in _NO_IMAGES:
        raise InvalidRequest(
            f"'{found.image} run' is no image; write the flags and the image alone, as behind"
            " docker run"
        )
    return found


def split(words: Sequence[str], known: KnownFlags) -> tuple[list[Option], list[str]]:
    """The options at the beginning, and what follows them. Raises InvalidRequest."""
    left = list(words)
    options: list[Option] = []
    cluster = 0
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            options.append(_long(word, left, known))
            continue
        cluster += 1
        options += _letters(word, left, known, cluster if len(word) > 2 else 0)
    return options, left


def _long(word: str, left: list[str], known: KnownFlags) -> Option:
    name, sign, value = word[2:].partition("=")
    if sign:
        # whatever it is, its value stands with it
        return Option(known.current(name), value, (word,))
    takes = known.long(name)
    if takes is None:
        raise InvalidRequest(f"docker run has no flag --{name}{_near(name, known.names())}")
    if not takes:
        return Option(known.current(name), None, (word,))
    value = _take(word, left)
    return Option(known.current(name), value, (word, value))


def _letters(word: str, left: list[str], known: KnownFlags, cluster: int) -> list[Option]:
    """`-it`, `-e NAME`, `-eNAME`, `-itv /a:/b`, `-d=false`."""
    found: list[Option] = []
    rest = word[1:]
    while rest:
        letter, rest = rest[0], rest[1:]
        name = known.letter(letter)
        if name is None:
            meant = f"; did you mean -{word}?" if known.long(word[1:]) is not None else ""
            raise InvalidRequest(f"docker run has no flag -{letter} (in {word!r}){meant}")
        if rest.startswith("="):
            found.append(Option(name, rest[1:], (f"-{letter}{rest}",), cluster))
            break
        if not known.long(name):
            found.append(Option(name, None, (f"-{letter}",), cluster))
            continue
        if rest:
            found.append(Option(name, rest, (f"-{letter}{rest}",), cluster))
            break
        value = _take(word, left)
        found.append(Option(name, value, (f"-{letter}", value), cluster))
    return found


def _take(word: str, left: list[str]) -> str:
    if not left:
        raise InvalidRequest(f"{word} needs a value, and the line ends there")
    return left.pop(0)


def _near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean --{near[0]}?" if near else " (see: docker run --help)"


def render(options: Iterable[Option]) -> list[str]:
    """The words of options, letters that were written together again together."""
    words: list[str] = []
    open_cluster = 0
    for one in options:
        if one.cluster and one.cluster == open_cluster:
            words[-1] += one.words[0][1:]
            words += one.words[1:]
        else:
            words += one.words
        # nothing can be added to a letter with a value
        open_cluster = one.cluster if len(one.words) == 1 and one.value is None else 0
    return words


def option(name: str, value: str | None = None) -> Option:
    """An option of our own making."""
    words = (f"--{name}",) if value is None else (f"--{name}", value)
    if name == "env" and value is not None:
        words = ("-e", value)
    return Option(name, value, words)


def without(
    options: Iterable[Option], unwanted: Callable[[Option], bool]
) -> tuple[tuple[Option, ...], tuple[Option, ...]]:
    """The options that stay, and those that are taken out."""
    kept: list[Option] = []
    taken: list[Option] = []
    for one in options:
        (taken if unwanted(one) else kept).append(one)
    return tuple(kept), tuple(taken)
