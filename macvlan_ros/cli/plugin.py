"""Commands about Docker's plugin: serve, install, uninstall, status."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from macvlan_ros.cli.common import (
    Rehearsed,
    choices,
    dry_run_option,
    open_app,
    quiet_option,
    shared_options,
)
from macvlan_ros.cli.usage import Number
from macvlan_ros.errors import Unavailable

if TYPE_CHECKING:
    from macvlan_ros.plugin.counting import Metrics
    from macvlan_ros.stores.base import Store

socket_option = click.option(
    "--socket",
    "path",
    metavar="PATH",
    default="/run/docker/plugins/macvlan-ros.sock",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where Docker looks for the plugin.",
)


@click.group()
def plugin() -> None:
    """The service that Docker asks for networks and addresses.

    \b
    macvlan-ros plugin install
    docker network create -d macvlan-ros --ipam-driver macvlan-ros -o parent=eth0 lan
    docker run --network lan ...
    """


@plugin.command()
@socket_option
@click.option(
    "--metrics",
    metavar="HOST:PORT|PATH",
    help="Give Prometheus its metrics on this loopback port or Unix socket.",
)
@click.option(
    "--sandboxes",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the containers' network namespaces are seen [where Docker says].",
)
@click.option(
    "--no-defend",
    is_flag=True,
    help="Do not answer for reserved addresses whose containers are down.",
)
@click.option(
    "--no-shim",
    is_flag=True,
    help="Do not let this PC and its containers reach each other.",
)
@shared_options
@click.pass_context
def serve(
    context: click.Context,
    path: Path,
    *,
    sandboxes: Path | None,
    metrics: str | None,
    no_defend: bool,
    no_shim: bool,
) -> None:
    """Serve Docker until SIGTERM. Takes the socket that systemd hands over, if it does."""
    from macvlan_ros import settings
    from macvlan_ros.links import Links
    from macvlan_ros.opening import open_for, picture_of
    from macvlan_ros.plugin import parts, service

    service.log_to_stderr()
    found = settings.load()
    found = replace(found, store=choices(context).store or found.store)
    store = open_for(found, note=service.log_note)
    context.call_on_close(store.close)
    picture = picture_of(found, store)
    if picture is not None:
        context.call_on_close(picture.stop)
        picture.start()
    links = context.with_resource(Links())
    assembled = parts.Parts(
        store,
        links,
        host=found.host_name,
        sandboxes=sandboxes,
        metrics=context.with_resource(_exposed(metrics, store)) if metrics else None,
        probe=found.probe,
        defend=found.defend == "yes" and not no_defend,
        shim=found.shim == "yes" and not no_shim,
        shared=settings.is_shared(choices(context).store or found.store),
    )
    context.call_on_close(assembled.close)
    service.serve(assembled, path=path)


def _exposed(where: str, store: Store) -> AbstractContextManager[Metrics]:
    # Imported here, for it brings a web server along.
    from macvlan_ros.plugin.metrics import exposed

    return exposed(where, store)


units_option = click.option(
    "--units",
    "folder",
    metavar="FOLDER",
    default="/etc/systemd/system",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where systemd's units belong.",
)


@plugin.command()
@units_option
@click.option("--no-start", is_flag=True, help="Write the units only.")
@click.option("--no-shim", is_flag=True, help="Without the unit that keeps shims for launch.")
@click.option("--mdns", is_flag=True, help="Publish the containers' names on the LAN: NAME.local.")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def install(
    context: click.Context, folder: Path, *, no_start: bool, no_shim: bool, mdns: bool
) -> None:
    """Have systemd start the service before Docker, and keep the shims of what launch starts. Run
    it again after an upgrade."""
    from macvlan_ros.plugin import install as installing

    app, report = open_app(context)
    if isinstance(app, Rehearsed):
        units = installing.units_of(shim=not no_shim, mdns=mdns)
        app.changes += [f"write {folder / name}" for name in units]
        app.changes += [] if no_start else [f"have systemd enable and start {', '.join(units)}"]
        return
    written = installing.install(folder, start=not no_start, shim=not no_shim, mdns=mdns)
    report.lines("installed", written)


@plugin.command()
@units_option
@click.option("--no-stop", is_flag=True, help="Remove the units only.")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def uninstall(context: click.Context, folder: Path, no_stop: bool) -> None:
    """Stop the service and take it out of systemd. What is reserved stays reserved."""
    from macvlan_ros.plugin import install as installing

    app, report = open_app(context)
    if isinstance(app, Rehearsed):
        there = installing.present(folder)
        stopped = "" if no_stop or not there else ", ".join(path.name for path in there)
        app.changes += [f"have systemd stop and disable {stopped}"] if stopped else []
        app.changes += [f"remove {path}" for path in there]
        return
    removed = installing.uninstall(folder, stop=not no_stop)
    report.lines("removed", removed)
    if not removed:
        report.note(f"the service is not installed in {folder}")


@plugin.command()
@units_option
@socket_option
@quiet_option("Print nothing: the exit code says it.")
@shared_options
@click.pass_context
def status(context: click.Context, folder: Path, path: Path) -> int:
    """Show whether the service is installed, runs and answers. Ends with 6 when it does not."""
    from macvlan_ros.output import views
    from macvlan_ros.plugin import install as installing

    _, report = open_app(context)
    found = installing.status(folder, path)
    if report.as_json or not report.quiet:
        report.detail(views.PLUGIN, found)
    if not found.answers and not report.quiet:
        raise Unavailable(
            f"nobody answers on {path}; start the service with: macvlan-ros plugin install"
        )
    return 0 if found.answers else Unavailable.exit_code


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be collected, and leave it.")
@click.option(
    "--settled",
    metavar="SECONDS",
    type=Number(min=0),
    default=30.0,
    show_default=True,
    help="Leave alone what is younger: Docker may be about to use it.",
)
@quiet_option("Print nothing.")
@shared_options
@click.pass_context
def gc(context: click.Context, dry_run: bool, settled: float) -> None:
    """Collect what containers left over that are no more: endpoints, links, addresses.

    An address is freed when no container of this PC has its MAC and nobody on the LAN answers for
    it. Addresses that are reserved by name stay reserved.
    """
    from macvlan_ros.output import views
    from macvlan_ros.plugin import parts

    app, report = open_app(context)
    made = parts.Parts(app.store, app.links, host=app.settings.host_name)
    context.call_on_close(made.close)
    found = made.collector.collect(dry_run=dry_run, settled=settled)
    if report.as_json or not report.quiet:
        report.table(views.LEAKS, found)


COMMANDS = (plugin, gc)
