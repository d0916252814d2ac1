"""Commands that take a `docker run` line as it is: run, import."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from macvlan_ros.cli.common import (
    Rehearsed,
    dry_run_option,
    no_shim_option,
    open_app,
    probe_options,
    quiet_option,
    shared_options,
)
from macvlan_ros.errors import DockerDown, Forbidden

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.docker_cli.parsing import RunLine
    from macvlan_ros.docker_cli.runner import Prepared

_LINE = "macvlan_ros.run_line"


class DockerRun(click.Command):
    """A command whose options stand among those of `docker run`, wherever they are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from macvlan_ros.docker_cli import finding, parsing
        from macvlan_ros.docker_cli.flags import Flags, KnownFlags

        own = {
            name[2:]: not parameter.is_flag
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        known = KnownFlags(
            lambda: finding.find("", needed_for="macvlan-ros run").usage("run"), more=Flags(own)
        )
        options, rest = parsing.split(args, known)
        ours, dockers = parsing.without(options, lambda one: one.name not in own)
        if not any(one.name == "help" for one in ours):
            ctx.meta[_LINE] = parsing.line(dockers, rest)
        return super().parse_args(ctx, parsing.render(ours))

    def collect_usage_pieces(self, _ctx: click.Context) -> list[str]:
        return ["[OPTIONS] [FLAGS OF DOCKER RUN] IMAGE [COMMAND] [ARG]..."]


@click.command(cls=DockerRun, context_settings={"help_option_names": ["--help"]})
@click.option("--pool", "pool_name", metavar="POOL", help="The pool [the network's].")
@click.option("--parent", default="", metavar="LINK", help="Interface: name, MAC or subnet.")
@click.option(
    "--master",
    default="",
    metavar="WHO",
    help="Where roscore runs: a container's name, host (this PC), or a URI.",
)
@click.option(
    "--print", "print_only", is_flag=True, help="Do all but run it: print the docker command."
)
@probe_options
@no_shim_option
@dry_run_option
@shared_options
@click.pass_context
def run(
    context: click.Context,
    *,
    pool_name: str | None,
    parent: str,
    master: str,
    print_only: bool,
) -> int:
    """Run a container as `docker run` does, with a LAN address of its own.

    Takes the flags of docker run as they are, and hands them to it. The address is kept for the
    container's --name, for good, also with --rm.

    \b
    macvlan-ros run -it --name talker --device /dev/video0 ros:noetic bash
    """
    from macvlan_ros.docker_cli.places import RunOptions
    from macvlan_ros.docker_cli.runner import Runner
    from macvlan_ros.undo import all_or_nothing

    app, report = open_app(context)
    line: RunLine = context.meta[_LINE]
    options = RunOptions(pool_name, parent, master)
    runner = Runner(app)
    if not (print_only or report.rehearsing):
        return runner.run(line, options, hold=report.holding)
    prepare = runner.rehearse if report.rehearsing and not print_only else runner.prepare
    with all_or_nothing(report.note) as undo:
        ready = prepare(line, options, undo)
    if isinstance(app, Rehearsed):
        app.changes.append(f"run: {_as_typed(ready)}")
    elif report.as_json:
        report.json({"command": list(ready.words), "unset": list(ready.unset)})
    else:
        report.line(_as_typed(ready))
    return 0


def _as_typed(ready: Prepared) -> str:
    """The command for a shell, in which a variable may be set that must not be."""
    before = [word for name in ready.unset for word in ("-u", name)]
    words = ["docker", *ready.words[1:]]
    return shlex.join(["env", *before, *words] if before else words)


@click.command(
    name="import",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- docker run ...")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Add it to this stack file, which is made if need be [stdout].",
)
@click.option("--host", "on_host", default="", metavar="NAME", help="The PC that it belongs to.")
@quiet_option("Say nothing but errors.")
@shared_options
@click.pass_context
def import_(
    context: click.Context, words: tuple[str, ...], output: Path | None, on_host: str
) -> None:
    """Write the stack file's service for a `docker run` line.

    What has no place in a stack file is left out, with a note. Our options go before the line.

    \b
    macvlan-ros import -o compose.yaml -- docker run -it --name talker ros:noetic bash
    """
    from macvlan_ros.docker_cli import finding, parsing, prefixes
    from macvlan_ros.docker_cli.flags import KnownFlags
    from macvlan_ros.docker_cli.importing import imported
    from macvlan_ros.stack import adding, to_yaml, writing

    app, report = open_app(context)
    known = KnownFlags(lambda: finding.find("", needed_for="macvlan-ros import").usage("run"))
    line = parsing.parse(prefixes.after_run(words), known)
    done = imported(
        line,
        host=on_host,
        drivers=_drivers(app, line),
        lan=[pool.subnet for pool in app.ipam.pools()],
        folder=_paths_begin(output),
        names=_names_here(app, on_host),
    )
    for note in done.notes:
        report.note(note)
    if report.as_json:
        report.json(
            {
                "name": done.name,
                "service": done.service,
                "networks": done.networks,
                "volumes": done.volumes,
                "notes": done.notes,
            }
        )
    elif output is None:
        tree = {"services": {done.name: done.service}, **done.sections}
        report.text(to_yaml(writing.escape(tree)))
    if output is not None and not adding.add_to_file(
        output, done.name, done.service, more=done.sections
    ):
        report.note(f"{output} has the service '{done.name}' already")


def _names_here(app: App, host: str) -> dict[str, str]:
    """The names that this PC's containers have by its own network, if the line belongs to it."""
    from macvlan_ros.lan_names import host_gateway, host_names

    if host not in ("", app.settings.host_name):
        return {}
    own = socket.gethostname()
    return host_names.known(host_names.read(), own_name=own, own=host_gateway.WORD)


def _paths_begin(output: Path | None) -> str:
    """The folder for the line's paths, where the stack file stands in another; else ""."""
    here = Path.cwd()
    return "" if output is None or output.resolve().parent == here else str(here)


def _drivers(app: App, line: RunLine) -> dict[str, str]:
    """The drivers of the networks that the line names, as far as Docker is there to tell."""
    from macvlan_ros.docker_cli.rewriting import network_name

    names = {network_name(text) for text in line.values("network")} - {"host", "none", ""}
    try:
        return {name: app.engine.driver_of(name) for name in names}
    except (DockerDown, Forbidden):
        return {}


COMMANDS = (run, import_)
