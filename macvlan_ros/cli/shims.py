"""Commands about the shim, by which this PC and its own containers reach each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
from macvlan_ros.settings import is_shared

if TYPE_CHECKING:
    from macvlan_ros.reaching.reach_plugins import Guide

network_argument = click.argument("network", default="", metavar="[NETWORK]")


@click.group()
def shim() -> None:
    """This PC's own macvlan link, by which it and its own containers reach each other.

    launch makes it by itself. NETWORK is one of `macvlan-ros network list`; all, if none is named.
    """


@shim.command()
@network_argument
@click.option("--announce", is_flag=True, help="Tell the LAN where its containers are.")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def up(context: click.Context, network: str, announce: bool) -> None:
    """Make the shim and the routes that are missing. Doing it twice is fine.

    Its address is reserved in the network's pool, under the name shim-HOST.
    """
    app, report = open_app(context)
    reached, networks = [], app.reach.networks(network)
    for one in networks:
        objection = app.reach.objection(one)
        if objection:
            report.note(objection)
            continue
        reached.append(app.reach.up(one, announce=None if announce else ()))
        for refused in reached[-1].refused:
            report.note(refused)
    if not network and app.engine.endpoint.scheme == "unix":
        for refused in _guide(app).lead():
            report.note(refused)
    if report.as_json or not (report.quiet or (networks and not reached)):
        report.table(views.SHIMS, reached)


@shim.command()
@network_argument
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def down(context: click.Context, network: str) -> None:
    """Remove the shim; its address stays reserved until the network goes.

    The service (macvlan-ros shim watch) makes it again: stop that first.
    """
    app, report = open_app(context)
    local = [one for one in app.reach.networks(network) if not app.reach.objection(one)]
    removed = [one.name for one in local if app.reach.down(one)]
    if report.as_json:
        report.json({"removed": removed})
    elif not removed:
        report.note("there was no shim")


@shim.command()
@network_argument
@shared_options
@click.pass_context
def show(context: click.Context, network: str) -> None:
    """Show the shim of each network, the plugin's too, and which containers this PC reaches."""
    from macvlan_ros.reaching import reach_plugins

    app, report = open_app(context)
    found = [app.engine.network(network)] if network else app.engine.networks()
    reached = [app.reach.show(one) for one in found]
    if not network:
        host = app.settings.host_name
        reached += reach_plugins.show(app.store, host=host, engine=app.engine, links=app.links)
    report.table(views.SHIMS, reached)
    for one in reached:
        if one.objection:
            report.note(one.objection)


@shim.command()
@network_argument
@interval_option(2.0, "Seconds between two looks.")
@quiet_option("Say nothing but errors.")
@shared_options
@click.pass_context
def watch(context: click.Context, network: str, interval: float) -> None:
    """Keep shims and routes as they should be, until SIGTERM: for a systemd unit.

    After a reboot, when the parent was down, when containers come, go or restart. One line on
    stderr for each change.
    """
    interrupts.end_well()  # all that a look changes is whole by itself
    app, report = open_app(context)
    _watch(app, report, network, interval)


def _watch(app: App, report: Report, network: str, interval: float) -> None:
    from macvlan_ros.plugin import systemd
    from macvlan_ros.reaching.reach_watch import Watch

    if app.engine.endpoint.scheme != "unix":
        raise InvalidRequest(
            f"the engine at {app.engine.endpoint.url} is not on this PC; run the watch on that PC"
        )
    shared = is_shared(app.settings.store)
    watching = Watch(
        app.reach,
        links=app.links,
        engine=app.engine,
        say=report.progress,
        name=network,
        enter=app.membership.enrolment("shim").enter_when_due,
        names=app.names.refresh if shared else lambda: (),
        lead=_guide(app).lead,
        answer=app.deputy.serve if shared else lambda: 0,
    )
    watching.run(interval, ready=lambda: systemd.notify("READY=1", os.environ))


def _guide(app: App) -> Guide:
    from macvlan_ros.reaching.reach_plugins import Guide

    host = app.settings.host_name
    return Guide(app.store, host=host, engine=app.engine, links=app.links)


COMMANDS = (shim,)
