"""Writing: values as the YAML that Compose and we read."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final


class _Reset:
    """What Compose writes `!reset null`: away with what the files before this one say."""

    def __repr__(self) -> str:
        return "RESET"


RESET: Final = _Reset()


@dataclass(frozen=True, slots=True)
class Override:
    """What Compose writes `!override`: these items in place of those that the files before have."""

    items: tuple[str, ...]


def escape(value: object) -> object:
    """The value with every `$` doubled, so that reading it puts no variable in."""
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [escape(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def to_yaml(value: object) -> str:
    """A document of plain values, in their order; what YAML 1.1 would misread is quoted."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = False
    yaml.width = 4096
    stream = io.StringIO()
    yaml.dump(_quoted(value), stream)
    return stream.getvalue()


def _quoted(value: object) -> Any:
    """Texts that another reader takes for something else (`yes`, `22:22`, an all-digit MAC)."""
    from ruamel.yaml.comments import CommentedSeq, TaggedScalar
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString
    from ruamel.yaml.tag import Tag

    if value is RESET:
        return TaggedScalar("null", style=None, tag="!reset")
    if isinstance(value, Override):
        items = CommentedSeq(value.items)
        items.yaml_set_ctag(Tag(suffix="!override"))
        return items

    if isinstance(value, dict):
        return {str(key): _quoted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_quoted(item) for item in value]
    if isinstance(value, str) and _misread(value):
        return DoubleQuotedScalarString(value)
    return value


def _misread(text: str) -> bool:
    words = ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "~")
    return text.lower() in words or (text[:1].isdigit() and ":" in text)
