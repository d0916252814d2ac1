"""Plots as SVG, with nothing but strings: lines over one axis, each with its own scale's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 36, 44
_COLOURS = ("#1f6f8b", "#c8553d", "#6a994e", "#7b5ea7")


@dataclass(frozen=True, slots=True)
class Curve:
    """A line with its name; `points` are x and y."""

    name: str
    points: Sequence[tuple[float, float]]


def plot(title: str, curves: Sequence[Curve], *, x: str, y: str) -> str:
    """An SVG of curves that share their axes, which begin at zero; `x` and `y` name them."""
    across = _ceiling(max(point[0] for curve in curves for point in curve.points))
    up = _ceiling(max(point[1] for curve in curves for point in curve.points))

    def place(point: tuple[float, float]) -> str:
        right = _LEFT + point[0] / across * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - point[1] / up * (_HEIGHT - _TOP - _BOTTOM)
        return f"{right:.1f},{down:.1f}"

    parts = [_text(_LEFT, 20, title, weight="bold")]
    for step in range(6):
        value = up * step / 5
        start, end = place((0, value)).split(","), place((across, value)).split(",")
        parts.append(
            f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="#ddd"/>'
        )
        parts.append(_text(_LEFT - 6, float(start[1]) + 4, f"{value:g}", anchor="end"))
        foot = place((across * step / 5, 0)).split(",")
        label = f"{across * step / 5:.0f}"
        parts.append(_text(float(foot[0]), _HEIGHT - _BOTTOM + 16, label, anchor="middle"))
    parts.append(_text(_LEFT, _HEIGHT - 8, x))
    parts.append(_text(8, 20, y))
    for number, curve in enumerate(curves):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join(map(place, curve.points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            _text(_WIDTH - _RIGHT + 12, _TOP + 18 * (number + 1), curve.name, colour=colour)
        )
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _ceiling(value: float) -> float:
    """The next round number."""
    steps = (step * 10.0**power for power in range(-2, 8) for step in (1, 2, 3, 4, 5, 6, 8))
    return next((step for step in steps if step >= value), value)


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "", colour: str = "#333"
) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{bold}>'
        f"{escape(words)}</text>"
    )
