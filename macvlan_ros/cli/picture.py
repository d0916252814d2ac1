"""Commands that show: map."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from macvlan_ros.cli.common import choices, no_probe_option, open_app, quiet_option, shared_options
from macvlan_ros.cli.stacks import open_stack, stack_options
from macvlan_ros.errors import InvalidRequest, StackFileError
from macvlan_ros.whole_file import write_whole

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.models.stacks import Stack
    from macvlan_ros.picture.gather import Gatherer
    from macvlan_ros.report import Report

_FORMS = (".svg", ".html")


@click.command(name="map")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it: a name in .svg or .html, or - for an SVG to print.",
)
@click.option(
    "--serve",
    metavar="[ADDRESS:]PORT",
    is_flag=False,
    flag_value="",
    help="Show it live to a browser [127.0.0.1:8311].",
)
@click.option("--pool", "pool_name", metavar="POOL", help="The LAN of this pool [the only one].")
@click.option("--master", default="", metavar="URI", help="The ROS master [the stack's].")
@stack_options
@no_probe_option
@quiet_option("Say nothing but errors.")
@shared_options
@click.pass_context
def map_(
    context: click.Context,
    *,
    output: Path | None,
    serve: str | None,
    pool_name: str | None,
    master: str,
) -> None:
    """Draw the LAN: PCs, containers, who talks to whom; strangers and conflicts in red.

    The other PCs and the master are those of the stack in this folder, if there is one. Changes
    nothing.

    \b
    macvlan-ros map -o lan.svg
    macvlan-ros map --serve
    """
    from macvlan_ros.picture.gather import Gatherer

    if (output is None) == (serve is None):
        raise InvalidRequest("say where the picture is to go: map -o lan.svg, or map --serve")
    if output is not None and str(output) != "-" and output.suffix not in _FORMS:
        raise InvalidRequest(f"{output}: a picture is written as .svg or .html; name it like that")
    app, report, stack = _open(context)
    gatherer = Gatherer(
        app, pool=pool_name, stack=stack, master=master, scan=app.settings.probe != "none"
    )
    if serve is not None:
        _serve(gatherer, serve, report)
    elif output is not None:
        _write(gatherer, output, report)


def _open(context: click.Context) -> tuple[App, Report, Stack | None]:
    from macvlan_ros import stack

    if not choices(context).files:
        try:
            stack.find_files(Path.cwd(), os.environ)
        except StackFileError:
            return (*open_app(context), None)
    return open_stack(context, forgive=True)


def _write(gatherer: Gatherer, path: Path, report: Report) -> None:
    from macvlan_ros.picture import page, svg

    scene = gatherer.take()
    text = page.render(scene) if path.suffix == ".html" else svg.render(scene)
    if str(path) == "-":
        report.text(text)
        return
    write_whole(path, text)
    for note in scene.notes:
        report.note(note)
    if report.as_json:
        report.json({"file": str(path), "troubles": list(scene.troubles)})
    else:
        for trouble in scene.troubles:
            report.line(trouble)
        report.progress(f"wrote {path}")


def _serve(gatherer: Gatherer, listen: str, report: Report) -> None:
    from macvlan_ros.picture import live

    host, port = live.parse_listen(listen)
    with live.open_server(host, port, gatherer.take) as server:
        shown = f"[{host}]" if ":" in host else host
        report.line(f"http://{shown}:{server.server_address[1]}/")
        report.progress("look at it with a browser; Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


COMMANDS = (map_,)
