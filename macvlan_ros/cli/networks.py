"""Commands about Docker's macvlan networks."""

from __future__ import annotations

import click

from macvlan_ros import views
from macvlan_ros.cli.common import open_app, shared_options
from macvlan_ros.cli.pools import pool_option
from macvlan_ros.models import NETWORK_MODES

DEFAULT_NETWORK = "ros_lan"


@click.group()
def network() -> None:
    """Docker's macvlan networks over a parent."""


@network.command()
@click.argument("name", default=DEFAULT_NETWORK)
@pool_option
@click.option("--pool6", "pool6_name", metavar="POOL", help="An IPv6 pool beside it.")
@click.option("--parent", default="", metavar="LINK", help="Interface: name, MAC or subnet.")
@click.option("--mode", type=click.Choice(NETWORK_MODES), default="bridge", show_default=True)
@shared_options
@click.pass_context
def create(
    context: click.Context,
    name: str,
    *,
    pool_name: str | None,
    pool6_name: str | None,
    parent: str,
    mode: str,
) -> None:
    """Make the network NAME [ros_lan] over the parent. Making the same one twice is fine."""
    app, report = open_app(context)
    made = app.make_network(name, pool_name, parent=parent, mode=mode, pool6_name=pool6_name)
    report.detail(views.NETWORKS, made)


@network.command(name="list")
@shared_options
@click.pass_context
def network_list(context: click.Context) -> None:
    """Show the networks that macvlan-ros made."""
    app, report = open_app(context)
    report.table(views.NETWORKS, app.engine.networks())


@network.command()
@click.argument("name", default=DEFAULT_NETWORK)
@shared_options
@click.pass_context
def show(context: click.Context, name: str) -> None:
    """Show one network."""
    app, report = open_app(context)
    report.detail(views.NETWORKS, app.engine.network(name))


@network.command()
@click.argument("name", default=DEFAULT_NETWORK)
@shared_options
@click.pass_context
def rm(context: click.Context, name: str) -> None:
    """Remove a network that no container uses; its reservations stay, but for the shim's."""
    app, report = open_app(context)
    if not app.remove_network(name):
        report.note(f"there was no network '{name}'")


COMMANDS = (network,)
