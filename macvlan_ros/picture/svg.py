"""The scene as an SVG: PCs below the LAN's line, the others above it, who talks to whom as arrows.

One file without outside resources; its colours follow the reader's light or dark screen.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from html import escape

from macvlan_ros.picture.geometry import Curve, Place, curve_between
from macvlan_ros.picture.scene import UP, Box, Other, Pc, Scene, Talk
from macvlan_ros.wire.census import GATEWAY, STRANGER

_MARGIN, _GAP = 24, 28
_PC_WIDTH, _PC_HEAD = 268, 52
_BOX_WIDTH, _BOX_HEAD, _LINE = 228, 62, 15
_OTHER_WIDTH, _OTHER_HEIGHT = 172, 50
_PCS_A_ROW, _NODES_SHOWN, _OTHERS_SHOWN = 3, 4, 20
_AISLE = 132  # between PCs, where the arrows run
_IPV6 = 92  # by which a PC with a long address is wider
_LETTER = 6.3  # width of a small one on average
#: Parts of an arrow's way at which its label may stand, the best first.
_ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)

STYLE = """
.map{--paper:#fff;--ink:#1c2733;--soft:#5b6b7c;--line:#8aa0b8;--pc:#eef3fb;--pc-edge:#4a6fa5;
--up:#e6f5ea;--up-edge:#2f8a50;--down:#f1f1f1;--down-edge:#9a9a9a;--bad:#fdeaea;--bad-edge:#c62828;
--master:#b26a00;--talk:#7a4fb5;
font-family:"DejaVu Sans",Verdana,"Segoe UI",sans-serif;font-size:13px}
@media (prefers-color-scheme:dark){.map{--paper:#12181f;--ink:#e6edf5;--soft:#9fb0c3;--line:#5d7590;
--pc:#1a2531;--pc-edge:#6f97cf;--up:#16301f;--up-edge:#55b878;--down:#232a31;--down-edge:#77828e;
--bad:#3a1717;--bad-edge:#ff6b6b;--master:#ffb74d;--talk:#b794f4}}
.map .paper{fill:var(--paper)}.map text{fill:var(--ink)}.map .soft{fill:var(--soft);font-size:11px}
.map .name{font-weight:bold}.map .lan{stroke:var(--line);stroke-width:5;stroke-linecap:round}
.map .wire{stroke:var(--line);stroke-width:2.5;fill:none}
.map .pc rect.body{fill:var(--pc);stroke:var(--pc-edge);stroke-width:1.5}
.map .up rect{fill:var(--up);stroke:var(--up-edge);stroke-width:1.5}
.map .down rect,.map .unknown rect{fill:var(--down);stroke:var(--down-edge);stroke-dasharray:5 3}
.map .elsewhere rect,.map .gateway rect{fill:var(--paper);stroke:var(--line)}
.map .bad rect{fill:var(--bad);stroke:var(--bad-edge);stroke-width:2.5;stroke-dasharray:none}
.map .bad .why{fill:var(--bad-edge);font-size:11px}
.map .empty{font-style:italic}
.map .master{fill:var(--master);font-size:11px;font-weight:bold}
.map .talk path{fill:none;stroke:var(--talk);stroke-width:2}
.map .talk text{fill:var(--talk);font-size:11px;
stroke:var(--paper);stroke-width:4;paint-order:stroke}
.map .tip{fill:var(--talk)}
""".strip()


def render(scene: Scene) -> str:
    """The whole picture as one `<svg>` element."""
    return "\n".join(_Drawing(scene).lines()) + "\n"


class _Drawing:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        columns = max(1, min(_PCS_A_ROW, len(scene.pcs)))
        more = _IPV6 if any(len(address) > 20 for address in _addresses(scene)) else 0
        self._pc_width, self._box_width = _PC_WIDTH + more, _BOX_WIDTH + more
        self._other_width = _OTHER_WIDTH + more
        self._width = max(2 * _MARGIN + columns * (self._pc_width + _AISLE), 560)
        self._labels: list[Place] = []
        self._others = scene.others[:_OTHERS_SHOWN]
        self._a_row = max(1, (self._width - 2 * _MARGIN) // (self._other_width + 16))
        rows = -(-len(self._others) // self._a_row)
        self._lan_y = 64 + rows * (_OTHER_HEIGHT + 18) + 10
        self._pcs = self._place_pcs()
        self._boxes = {
            box.name: place
            for pc in scene.pcs
            for box, place in zip(pc.boxes, self._place_boxes(pc), strict=True)
        }
        bottom = max([place.bottom for place in self._pcs.values()], default=self._lan_y + 30)
        room = int((self._width - 2 * _MARGIN) / _LETTER)
        self._notes = [
            line for note in scene.notes for line in textwrap.wrap(f"note: {note}", room)
        ]
        self._height = bottom + _MARGIN + 18 * len(self._notes)

    def lines(self) -> Iterator[str]:
        scene = self._scene
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="map" role="img"'
            f' viewBox="0 0 {self._width} {self._height}" width="{self._width}"'
            f' height="{self._height}" aria-label="{escape(_summary(scene))}">'
        )
        yield f"<style>{STYLE}</style>"
        yield (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
            ' markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
        )
        yield f'<rect class="paper" width="{self._width}" height="{self._height}" rx="10"/>'
        yield _text(_MARGIN, 30, f"LAN {scene.lan}", "name")
        yield _text(_MARGIN, 48, f"as seen at {scene.taken}", "soft taken")
        yield from self._draw_others()
        yield (
            f'<line class="lan" x1="{_MARGIN}" y1="{self._lan_y}" x2="{self._width - _MARGIN}"'
            f' y2="{self._lan_y}"/>'
        )
        for place in self._pcs.values():
            middle = place.x + place.width // 2
            yield f'<path class="wire" d="M{middle} {place.y}V{self._lan_y}"/>'
        for pc in scene.pcs:
            yield from self._draw_pc(pc)
        for number, talk in enumerate(scene.talks):
            yield from self._draw_talk(talk, number)
        first = self._height - 18 * len(self._notes)
        for number, line in enumerate(self._notes):
            yield _text(_MARGIN, first + 18 * number, line, "soft")
        yield "</svg>"

    def _place_pcs(self) -> dict[str, Place]:
        places, top = {}, self._lan_y + 40
        pcs = self._scene.pcs
        for start in range(0, len(pcs), _PCS_A_ROW):
            row = pcs[start : start + _PCS_A_ROW]
            heights = [_pc_height(pc) for pc in row]
            for column, pc in enumerate(row):
                x = _MARGIN + column * (self._pc_width + _AISLE)
                places[pc.name] = Place(x, top, self._pc_width, heights[column])
            top += max(heights) + _GAP
        return places

    def _place_boxes(self, pc: Pc) -> list[Place]:
        frame = self._pcs[pc.name]
        places, y = [], frame.y + _PC_HEAD + (_LINE if pc.master else 0)
        for box in pc.boxes:
            height = _box_height(box)
            x = frame.x + (frame.width - self._box_width) // 2
            places.append(Place(x, y, self._box_width, height))
            y += height + 12
        return places

    def _draw_others(self) -> Iterator[str]:
        for number, other in enumerate(self._others):
            row, column = divmod(number, self._a_row)
            x = _MARGIN + column * (self._other_width + 16)
            y = 62 + row * (_OTHER_HEIGHT + 18)
            middle = x + self._other_width // 2
            yield f'<path class="wire" d="M{middle} {y + _OTHER_HEIGHT}V{self._lan_y}"/>'
            yield from _other(other, Place(x, y, self._other_width, _OTHER_HEIGHT))
        hidden = len(self._scene.others) - len(self._others)
        if hidden > 0:
            yield _text(self._width - _MARGIN - 130, 30, f"and {hidden} machines more", "soft")

    def _draw_pc(self, pc: Pc) -> Iterator[str]:
        place = self._pcs[pc.name]
        yield '<g class="pc">'
        yield (
            f'<rect class="body" x="{place.x}" y="{place.y}" width="{place.width}"'
            f' height="{place.height}" rx="10"/>'
        )
        yield f"<title>{escape(' '.join(filter(None, (pc.name, pc.parent, pc.address))))}</title>"
        yield _text(place.x + 14, place.y + 22, _clip(pc.name, 21), "name")
        if pc.here:
            yield _text(place.right - 14, place.y + 22, "this PC", "soft", end=True)
        facts = " · ".join(fact for fact in (pc.parent, pc.address) if fact)
        yield _text(place.x + 14, place.y + 40, facts or "not seen from here", "soft")
        y = place.y + _PC_HEAD + 6
        if pc.master:
            yield _text(place.x + 14, y, "ROS master", "master")
        elif not pc.boxes:
            yield _text(place.x + 14, y, "no container", "soft empty")
        yield "</g>"
        for box in pc.boxes:
            yield from _draw_box(box, self._boxes[box.name])

    def _draw_talk(self, talk: Talk, number: int) -> Iterator[str]:
        start = self._boxes.get(talk.source) or self._pcs.get(talk.source)
        end = self._boxes.get(talk.target) or self._pcs.get(talk.target)
        if start is None or end is None:
            return
        curve = curve_between(start, end, 13 * (number % 5) - 26)
        topics = ", ".join(talk.topics)
        yield '<g class="talk">'
        yield f"<title>{escape(talk.source)} to {escape(talk.target)}: {escape(topics)}</title>"
        yield f'<path d="{curve.path}" marker-end="url(#tip)"/>'
        more = f" +{len(talk.topics) - 1}" if len(talk.topics) > 1 else ""
        yield from self._label(_clip(talk.topics[0], 18) + more, curve)
        yield "</g>"

    def _label(self, label: str, curve: Curve) -> Iterator[str]:
        """Along the arrow, where no other stands; none where there is no room, for its title and
        the table have it."""
        width = int(len(label) * _LETTER)
        for part in _ALONG:
            x, y = curve.at(part)
            place = Place(x - width // 2, y - 6, width, 15)
            if not any(map(place.touches, self._labels)):
                self._labels.append(place)
                yield f'<text x="{x}" y="{y + 4}" text-anchor="middle">{escape(label)}</text>'
                return


def _draw_box(box: Box, place: Place) -> Iterator[str]:
    kind = "bad" if box.trouble else box.state
    yield f'<g class="box {kind}">'
    yield f"<title>{escape(_tooltip(box))}</title>"
    yield (
        f'<rect x="{place.x}" y="{place.y}" width="{place.width}" height="{place.height}" rx="7"/>'
    )
    yield _text(place.x + 12, place.y + 21, _clip(box.name, 23), "name")
    yield _text(place.x + 12, place.y + 39, box.address)
    yield _text(place.x + 12, place.y + 54, box.mac, "soft")
    if box.master:
        yield _text(place.right - 12, place.y + 54, "ROS master", "master", end=True)
    elif box.state != UP:
        yield _text(place.right - 12, place.y + 54, box.state, "soft", end=True)
    y = place.y + _BOX_HEAD + 8
    for node in _shown(box.nodes):
        yield _text(place.x + 12, y, _clip(node, 30), "soft")
        y += _LINE
    if box.trouble:
        for line in _wrapped(box.trouble):
            yield _text(place.x + 12, y, line, "why")
            y += _LINE
    yield "</g>"


def _other(other: Other, place: Place) -> Iterator[str]:
    kind = "bad" if other.trouble else "gateway" if other.whose == GATEWAY else "elsewhere"
    said = filter(None, (other.address, other.mac, other.vendor, other.trouble))
    yield f'<g class="other {kind}">'
    yield f"<title>{escape(' '.join(said))}</title>"
    yield (
        f'<rect x="{place.x}" y="{place.y}" width="{place.width}" height="{place.height}" rx="6"/>'
    )
    yield _text(place.x + 10, place.y + 20, other.address, "name")
    what = "stranger with our address" if other.whose == STRANGER else ""
    what = what or ("router" if other.whose == GATEWAY else other.vendor or other.mac)
    style = "why" if other.trouble else "soft"
    yield _text(place.x + 10, place.y + 38, _clip(what, 26), style)
    yield "</g>"


def _addresses(scene: Scene) -> Iterator[str]:
    for pc in scene.pcs:
        yield pc.address
        yield from (box.address for box in pc.boxes)
    yield from (other.address for other in scene.others)


def _pc_height(pc: Pc) -> int:
    more = _LINE if pc.master or not pc.boxes else 0
    return _PC_HEAD + more + sum(_box_height(box) + 12 for box in pc.boxes) + 6


def _box_height(box: Box) -> int:
    more = len(_shown(box.nodes)) + (len(_wrapped(box.trouble)) if box.trouble else 0)
    return _BOX_HEAD + more * _LINE + (4 if more else 0)


def _shown(nodes: Sequence[str]) -> list[str]:
    if len(nodes) <= _NODES_SHOWN:
        return list(nodes)
    return [*nodes[: _NODES_SHOWN - 1], f"and {len(nodes) - _NODES_SHOWN + 1} nodes more"]


def _wrapped(text: str, width: int = 34) -> list[str]:
    return textwrap.wrap(text, width)[:3]


def _tooltip(box: Box) -> str:
    said = (box.name, box.address, box.mac, box.state, *box.nodes, box.trouble)
    return "\n".join(filter(None, said))


def _summary(scene: Scene) -> str:
    boxes = [box.name for pc in scene.pcs for box in pc.boxes]
    pcs = "1 PC" if len(scene.pcs) == 1 else f"{len(scene.pcs)} PCs"
    return f"{pcs} on {scene.lan} with {', '.join(boxes) or 'no container'}"


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(x: int, y: int, text: str, style: str = "", *, end: bool = False) -> str:
    extra = f' class="{style}"' if style else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x}" y="{y}"{extra}{anchor}>{escape(text)}</text>'
