"""How a command was written wrongly, as one sentence like every other error, and numbers."""

from __future__ import annotations

import math
from typing import Any

import click


def sentence(error: click.ClickException) -> str:
    """What click found wrong, and where to read on, where it gives no remedy itself."""
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    for remedy in ("Did you mean", "Choose from"):
        text = text.replace(f". {remedy}", f"; {remedy.lower()}")
    if ";" in text:
        return text
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text}; see: {context.command_path if context else 'macvlan-ros'} --help"


class Number(click.FloatRange):
    """A number in a range; "not a number" and "infinite" are none."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Called by click. Fails with a usage error."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return number


class WholeNumber(click.IntRange):
    """A whole number in a range."""

    name = "whole number"
