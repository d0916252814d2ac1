"""Commands about PCs: this one, and those that share its store."""

from __future__ import annotations

import click

from macvlan_ros import interrupts
from macvlan_ros.app import App
from macvlan_ros.cli.common import (
    dry_run_option,
    interval_option,
    open_app,
    quiet_option,
    shared_options,
)
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.output import views
from macvlan_ros.report import Report


@click.command()
@quiet_option("Print the names alone.")
@shared_options
@click.pass_context
def interfaces(context: click.Context) -> None:
    """Show which interfaces can be the parent of macvlan links, and why others cannot.

    The one that is taken when none is named is marked with a star.
    """
    app, report = open_app(context)
    report.table(views.LINKS, app.links.links(), name=lambda one: one.name)


@click.group(invoke_without_command=True)
@quiet_option("Print the names alone.")
@shared_options
@click.pass_context
def hosts(context: click.Context) -> None:
    """Show the PCs that share the store: their interfaces, engines, and when each was heard.

    A launch writes its PC down once, a service of ours every few seconds.
    """
    if context.invoked_subcommand is None:
        app, report = open_app(context)
        found = app.membership.judged()
        report.table(views.HOSTS, found, name=lambda one: one.entry.name)
        for each in found:
            if each.trouble:
                report.note(each.trouble)


@hosts.command()
@click.argument("name")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def rm(context: click.Context, name: str) -> None:
    """Forget a PC that is gone for good. Its addresses stay reserved."""
    app, report = open_app(context)
    app.membership.register.forget(name)
    if report.as_json:
        report.json({"removed": [name]})


@click.command()
@click.option(
    "--mdns", is_flag=True, help="Tell the whole LAN by multicast DNS, until Ctrl-C: NAME.local."
)
@interval_option(3.0, "With --mdns: seconds between two looks.")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def names(context: click.Context, *, mdns: bool, interval: float) -> None:
    """Tell the containers of this PC the names of those on other PCs, by the shared store.

    They go into the containers' hosts files. A launch knows those that are reserved already;
    macvlan-ros-shim.service does this again and again, for those that come later.

    With --mdns it publishes the names of this PC's own containers instead, as they come and go, and
    with '-' in the place of '_' too.
    """
    app, report = open_app(context)
    if mdns and report.rehearsing:
        raise InvalidRequest("--dry-run does not go with --mdns, which says what it publishes")
    if mdns:
        _publish(app, report, interval)
    changed = app.names.refresh()
    if report.as_json:
        report.json({"changed": list(changed)})
    else:
        report.progress(f"changed: {', '.join(changed) or 'nothing'}")


def _publish(app: App, report: Report, interval: float) -> None:
    from macvlan_ros.lan_names import mdns, mdns_voice

    mdns_voice.require()
    if app.engine.endpoint.scheme != "unix":
        raise InvalidRequest(
            f"the engine at {app.engine.endpoint.url} is not on this PC; run it on that PC"
        )
    # the goodbyes are said on the way out
    interrupts.end_well()
    with mdns.Publisher(
        app.on_lans.look, links=app.links, say=report.progress, note=report.note
    ) as publisher:
        publisher.run(interval)


COMMANDS = (interfaces, hosts, names)
