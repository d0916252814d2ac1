"""The scene as a web page: the picture, what is wrong, and all of it as tables, in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from macvlan_ros.picture import svg
from macvlan_ros.picture.scene import Scene

_STYLE = """
:root{color-scheme:light dark}
body{margin:1.5rem;font-family:"DejaVu Sans",Verdana,"Segoe UI",sans-serif;font-size:14px;
background:Canvas;color:CanvasText}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
.wide{overflow-x:auto}
svg.map{max-width:100%;min-width:34rem;height:auto}
table{border-collapse:collapse}
th,td{text-align:left;padding:.25rem .9rem .25rem 0;vertical-align:top}
th{border-bottom:1px solid GrayText;font-weight:600}
p.bad,ul.bad,tr.bad td{color:#c62828;font-weight:600}.fine{color:#2f8a50}
@media (prefers-color-scheme:dark){p.bad,ul.bad,tr.bad td{color:#ff6b6b}.fine{color:#55b878}}
.stale{opacity:.45}
""".strip()

#: Asks for the newest body again and again. What is shown stays as it is, so that it can be
#: selected and read out, until something but the time is another; a server that is away, or does
#: not know, leaves the last one, faded, and a sentence.
_LIVE = """
const here = document.getElementById('scene'), trouble = document.getElementById('trouble');
const time = text => (text.match(/as seen at [^<]*/) || [''])[0];
let shown = here.innerHTML;
function say(problem) {
  here.classList.toggle('stale', problem !== '');
  if (trouble.textContent !== problem) trouble.textContent = problem;
}
async function look() {
  try {
    const answer = await fetch('scene', {cache: 'no-store'}), text = await answer.text();
    if (answer.ok && text.replace(time(text), '') !== shown.replace(time(shown), '')) {
      here.innerHTML = text;
    }
    if (answer.ok) {
      here.querySelector('.taken').textContent = time(text);
      shown = text;
    }
    say(answer.ok ? '' : text);
  } catch (problem) {
    say('macvlan-ros map does not answer any more; this is what it saw last');
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
""".strip()


def render(scene: Scene, *, nonce: str = "") -> str:
    """The whole page; with a `nonce` it keeps itself current, and its script carries the nonce
    (Content Security Policy Level 3, section 6.7)."""
    live = f'<script nonce="{escape(nonce)}">\n{_LIVE}\n</script>\n' if nonce else ""
    trouble = '<p id="trouble" class="bad" role="status"></p>\n' if nonce else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>macvlan-ros: {escape(scene.lan)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f'<body>\n{trouble}<main id="scene">\n{body(scene)}</main>\n{live}</body>\n</html>\n'
    )


def body(scene: Scene) -> str:
    """What changes from one look to the next."""
    return "\n".join(_body(scene)) + "\n"


def _body(scene: Scene) -> Iterator[str]:
    yield f"<h1>The LAN {escape(scene.lan)}</h1>"
    if scene.troubles:
        yield '<ul class="bad">'
        yield from (f"<li>{escape(trouble)}</li>" for trouble in scene.troubles)
        yield "</ul>"
    else:
        yield '<p class="fine">No conflict is known.</p>'
    yield f"{_scrolls('The picture')}\n{svg.render(scene)}</div>"
    boxes = [(box, pc) for pc in scene.pcs for box in pc.boxes]
    yield from _table(
        "Containers",
        ("name", "address", "MAC", "PC", "state", "ROS nodes"),
        (
            (box.name, box.address, box.mac, pc.name, box.state, ", ".join(box.nodes))
            for box, pc in boxes
        ),
        bad=[bool(box.trouble) for box, _ in boxes],
    )
    yield from _table(
        "Who talks to whom",
        ("from", "to", "topics"),
        ((talk.source, talk.target, ", ".join(talk.topics)) for talk in scene.talks),
    )
    yield from _table(
        "Others on the LAN",
        ("address", "MAC", "vendor", "what"),
        ((o.address, o.mac, o.vendor, o.trouble or o.whose) for o in scene.others),
        bad=[bool(other.trouble) for other in scene.others],
    )


def _table(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    bad: Sequence[bool] = (),
) -> Iterator[str]:
    found = list(rows)
    if not found:
        return
    yield f"<h2>{escape(title)}</h2>\n{_scrolls(title)}\n<table>\n<thead><tr>"
    yield "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    yield "</tr></thead>\n<tbody>"
    for number, row in enumerate(found):
        style = ' class="bad"' if bad and bad[number] else ""
        yield f"<tr{style}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody>\n</table>\n</div>"


def _scrolls(title: str) -> str:
    """What is wider than the screen, and is scrolled by the keyboard, too."""
    return f'<div class="wide" role="region" aria-label="{escape(title)}" tabindex="0">'
