"""The command that says what is not as the stack wants it."""

from __future__ import annotations

import click

from macvlan_ros.cli.common import no_shim_option, open_rehearsal, quiet_option, shared_options
from macvlan_ros.cli.stacks import load_stack, stack_options
from macvlan_ros.output import views


@click.command()
@stack_options
@no_shim_option
@quiet_option("Print nothing: the exit code says it.")
@shared_options
@click.pass_context
def status(context: click.Context) -> int:
    """Say what on this PC is not as the stack wants it; `launch` mends just that.

    Changes nothing. The exit code is 1 when something is to be done, 0 when not.
    """
    from macvlan_ros.dry.deviations import find_deviations

    stack = load_stack(context, forgive=True)
    app, report = open_rehearsal(context)
    found = find_deviations(app, stack)
    if report.as_json or not report.quiet:
        report.table(views.DEVIATIONS, found)
    return int(bool(found))


COMMANDS = (status,)
