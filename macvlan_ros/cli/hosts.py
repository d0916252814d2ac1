"""Commands about this PC."""

from __future__ import annotations

import click

from macvlan_ros import views
from macvlan_ros.cli.common import open_app, shared_options


@click.command()
@shared_options
@click.pass_context
def interfaces(context: click.Context) -> None:
    """Show which interfaces can be the parent of macvlan links, and why others cannot.

    The one that is taken when none is named is marked with a star.
    """
    app, report = open_app(context)
    report.table(views.LINKS, app.links.links())


COMMANDS = (interfaces,)
