"""Commands that change a reservation: rename, move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from macvlan_ros import notation
from macvlan_ros.cli.common import (
    dry_run_option,
    no_probe_option,
    open_app,
    pool_option,
    quiet_option,
    shared_options,
)
from macvlan_ros.errors import NotFound
from macvlan_ros.output import views

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.models.pools import Pool


@click.command()
@click.argument("name")
@click.argument("new_name")
@pool_option
@no_probe_option
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def rename(context: click.Context, name: str, new_name: str, pool_name: str | None) -> None:
    """Keep the address of NAME under NEW_NAME. No container may have it meanwhile."""
    app, report = open_app(context)
    done = app.reassigner.rename(_pool(app, name, pool_name), name, new_name)
    if report.as_json or not report.quiet:
        report.table(views.RESERVATIONS, [done])


@click.command()
@click.argument("name")
@click.argument("address")
@pool_option
@no_probe_option
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def move(context: click.Context, name: str, address: str, pool_name: str | None) -> None:
    """Give NAME another ADDRESS of its pool. No container may have the old one meanwhile."""
    wanted = notation.parse_address(address, said="ADDRESS")
    app, report = open_app(context)
    done = app.reassigner.move(_pool(app, name, pool_name), name, wanted)
    if report.as_json or not report.quiet:
        report.table(views.RESERVATIONS, [done])


def _pool(app: App, owner: str, name: str | None) -> Pool:
    pool = app.ipam.pool_of([owner], name)
    if pool is None:
        raise NotFound(
            f"'{owner}' holds nothing, for there is no pool yet; reserve an address with:"
            f" macvlan-ros allocate {owner}"
        )
    return pool


COMMANDS = (rename, move)
