"""Commands about what is wrong: doctor."""

from __future__ import annotations

from functools import partial

import click

from macvlan_ros.cli.common import open_app, quiet_option, shared_options
from macvlan_ros.cli.stacks import load_stack_if_any, stack_options
from macvlan_ros.output import views


@click.command()
@click.option("--no-dhcp", is_flag=True, help="Do not look for DHCP servers, which takes 4 s.")
@click.option("--fix", is_flag=True, help="Do what is safe to do, and say what.")
@stack_options
@quiet_option("Print what is wrong alone.")
@shared_options
@click.pass_context
def doctor(
    context: click.Context,
    *,
    no_dhcp: bool,
    fix: bool,
) -> int:
    """Say what is wrong with this PC and its LAN, each finding with its remedy.

    Changes nothing without --fix, which sets the shim and its routes right and leaves all else to
    you. In a folder with a stack file, that is read, and the clocks of the stack's other PCs are
    looked at, too. The exit code is 1 when something is bad, 0 when not.
    """
    from macvlan_ros import doctor as doctors

    app, report = open_app(context)
    report.progress("looking: the store, Docker, the parent, the LAN, DHCP servers ...")
    read_stack = partial(load_stack_if_any, context)
    found = list(doctors.examine(app, dhcp=not no_dhcp, read_stack=read_stack))
    mended = [doctors.cure(one) for one in found] if fix else found
    shown = [
        now
        for before, now in zip(found, mended, strict=True)
        if not report.quiet or now.level != doctors.OK or now != before
    ]
    report.table(views.FINDINGS, shown)
    return int(any(one.level == doctors.BAD for one in mended))


COMMANDS = (doctor,)
