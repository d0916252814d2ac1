"""Commands about PCs: this one, and those that share its store."""

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


@click.group(invoke_without_command=True)
@shared_options
@click.pass_context
def hosts(context: click.Context) -> None:
    """Show the PCs that share the store: their interfaces, engines, and when each was heard.

    A launch writes its PC down once, a service of ours every few seconds.
    """
    if context.invoked_subcommand is None:
        app, report = open_app(context)
        found = app.membership.judged()
        report.table(views.HOSTS, found)
        for each in found:
            if each.trouble:
                report.note(each.trouble)


@hosts.command()
@click.argument("name")
@shared_options
@click.pass_context
def rm(context: click.Context, name: str) -> None:
    """Forget a PC that is gone for good. Its addresses stay reserved."""
    app, report = open_app(context)
    app.membership.register.forget(name)
    if report.as_json:
        report.json({"removed": [name]})


@click.command()
@shared_options
@click.pass_context
def names(context: click.Context) -> None:
    """Tell the containers of this PC the names of those on other PCs, by the shared store.

    They go into the containers' hosts files. A launch knows those that are reserved already;
    macvlan-ros-shim.service does this again and again, for those that come later.
    """
    app, report = open_app(context)
    changed = app.names.refresh()
    if report.as_json:
        report.json({"changed": list(changed)})
    else:
        report.progress(f"changed: {', '.join(changed) or 'nothing'}")


COMMANDS = (interfaces, hosts, names)
