"""The command that shows what the services of a stack say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from macvlan_ros.cli import everywhere, inside
from macvlan_ros.cli.common import quiet_option, shared_options
from macvlan_ros.cli.stacks import (
    all_hosts_option,
    open_stack,
    open_stack_if_any,
    stack_options_but_f,
)
from macvlan_ros.cli.usage import WholeNumber

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.errors import MacvlanRosError
    from macvlan_ros.launching.logs import LogLine, Source
    from macvlan_ros.models.stacks import Stack
    from macvlan_ros.report import Report

#: What a shell says of a command that ended by Ctrl-C.
_INTERRUPTED = 130


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options_but_f
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written, until Ctrl-C.")
@click.option("-n", "--tail", type=WholeNumber(0), metavar="N", help="The last N lines of each.")
@click.option("--since", metavar="WHEN", help="How long ago (10m, 1h30m), or a time.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was written.")
@click.option("--no-prefix", is_flag=True, help="Do not show who wrote it.")
@all_hosts_option
@quiet_option("Say nothing beside the lines.")
@shared_options
@click.pass_context
def logs(
    context: click.Context,
    *,
    services: tuple[str, ...],
    follow: bool,
    tail: int | None,
    since: str | None,
    timestamps: bool,
    no_prefix: bool,
    all_hosts: bool,
) -> int:
    """Show what the services write, each line after the name of its service.

    A container that is no service's goes by its own name. The stack file is named with --file, or
    before the command: macvlan-ros -f FILE logs. With --json each line is an object of its own.
    """
    from macvlan_ros.launching import logs as readers

    alone = services and not all_hosts
    opened = open_stack_if_any if alone else open_stack
    app, report, stack = opened(context, forgive=True)
    start = readers.parse_since(since, now=time.time()) if since else ""
    troubles: Sequence[MacvlanRosError] = ()
    if all_hosts and stack is not None:
        sources, troubles = everywhere.log_sources(app, stack, services)
    else:
        sources = _sources(app, report, stack, services)
    reader = readers.follow if follow else readers.read
    lines = reader(sources, tail=tail, since=start, note=report.note)
    try:
        _show(report, lines, sources, timestamps=timestamps, prefix=not no_prefix)
    except KeyboardInterrupt:
        return _INTERRUPTED
    everywhere.complain(troubles)
    return 0


def _sources(
    app: App, report: Report, stack: Stack | None, names: tuple[str, ...]
) -> tuple[Source, ...]:
    """The containers to read, in the file's order, then those that are no services'; a note for
    what has none here."""
    from macvlan_ros.launching.logs import Source

    host = app.settings.host_name
    services = [name for name in names if stack is not None and name in stack.services]
    others = {name: inside.standing(app, stack, name) for name in names if name not in services}
    found = {}
    if stack is not None and (services or not names):
        found = {one.service: one for one in app.running.containers(stack, services)}
        for name in services:
            if name not in found:
                report.note(app.running.absent(stack.services[name], else_="add --all-hosts"))
        if not found and not names:
            report.note(f"the stack '{stack.name}' has no container on '{host}'")
        order = [*stack.services, *found]
        found = {name: found[name] for name in sorted(found, key=order.index)}
    found |= others
    return tuple(Source(app.engine, one.name, name, host) for name, one in found.items())


def _show(
    report: Report,
    lines: Iterable[LogLine],
    sources: tuple[Source, ...],
    *,
    timestamps: bool,
    prefix: bool,
) -> None:
    width = max((len(one.service) for one in sources), default=0)
    colours = {one.service: number for number, one in enumerate(sources)}
    for line in lines:
        text = f"{line.time[:23]}Z {line.text}" if timestamps else line.text
        if report.as_json:
            report.json_line(asdict(line))
        elif prefix:
            report.prefixed(f"{line.service:<{width}} |", text, colour=colours[line.service])
        else:
            report.line(text)


COMMANDS = (logs,)
