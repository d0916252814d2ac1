"""Commands about what is wrong: doctor."""

from __future__ import annotations

import click

from macvlan_ros import views
from macvlan_ros.cli.common import open_app, quiet_option, shared_options


@click.command()
@click.option("--no-dhcp", is_flag=True, help="Do not look for DHCP servers, which takes 4 s.")
@quiet_option("Print what is wrong alone.")
@shared_options
@click.pass_context
def doctor(context: click.Context, no_dhcp: bool) -> int:
    """Say what is wrong with this PC and its LAN, each finding with its remedy.

    Changes nothing. The exit code is 1 when something is bad, 0 when not.
    """
    from macvlan_ros import doctor as doctors

    app, report = open_app(context)
    report.progress("looking: the store, Docker, the parent, the LAN, DHCP servers ...")
    found = list(doctors.examine(app, dhcp=not no_dhcp))
    shown = [one for one in found if one.level != doctors.OK] if report.quiet else found
    report.table(views.FINDINGS, shown)
    return int(any(one.level == doctors.BAD for one in found))


COMMANDS = (doctor,)
