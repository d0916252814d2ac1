"""Where things stand in the picture, and the ways between them, in pixels. Pure."""

from __future__ import annotations

from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: its left, top, width and height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> int:
        return self.y + self.height // 2

    def touches(self, other: Place) -> bool:
        return (
            self.x < other.right
            and other.x < self.right
            and self.y < other.bottom
            and other.y < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Curve:
    """A cubic Bézier curve by its four points."""

    points: tuple[tuple[int, int], ...]

    @property
    def path(self) -> str:
        start, *others = (f"{x} {y}" for x, y in self.points)
        return f"M{start}C{' '.join(others)}"

    def at(self, part: float) -> tuple[int, int]:
        """The point after that part of the way, 0 to 1."""
        back = 1 - part
        weights = (back**3, 3 * back**2 * part, 3 * back * part**2, part**3)
        x, y = (
            sum(w * c for w, c in zip(weights, axis, strict=True))
            for axis in zip(*self.points, strict=True)
        )
        return round(x), round(y)


def curve_between(start: Place, end: Place, shift: int) -> Curve:
    """An arrow's way from one box to the other's nearer side."""
    y1, y2 = start.middle + shift, end.middle + shift
    if start.right < end.x:
        x1, x2, bend1, bend2 = start.right, end.x, 40, -40
    elif end.right < start.x:
        x1, x2, bend1, bend2 = start.x, end.right, -40, 40
    else:
        x1, x2 = start.right, end.right
        bend1 = bend2 = 62 + min(40, abs(y2 - y1) // 8)
    return Curve(((x1, y1), (x1 + bend1, y1), (x2 + bend2, y2), (x2, y2)))
