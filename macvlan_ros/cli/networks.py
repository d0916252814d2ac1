"""Commands about Docker's macvlan networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from macvlan_ros.app import App
from macvlan_ros.cli.common import (
    dry_run_option,
    open_app,
    pool_option,
    quiet_option,
    shared_options,
)
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.links import NETWORK_MODES
from macvlan_ros.near import did_you_mean
from macvlan_ros.output import views
from macvlan_ros.settings import is_shared

if TYPE_CHECKING:
    from macvlan_ros.docker_api.swarm import SwarmNetwork
    from macvlan_ros.models.pools import Pool

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
@click.option("--swarm", is_flag=True, help="One that spans the swarm; on every node, please.")
@click.option("--owner", default="", metavar="NAME", help="With --swarm: for this service alone.")
@quiet_option("Print nothing.")
@dry_run_option
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
    swarm: bool,
    owner: str,
) -> None:
    """Make the network NAME [ros_lan] over the parent. Making the same one twice is fine.

    With --swarm it spans the swarm: on each node this says what its parent there is, and on a
    manager it makes the network. Its addresses come from the plugin's service and the shared
    store. With --owner they are one address, reserved under that name: it goes wherever the
    swarm starts the service.
    """
    app, report = open_app(context)
    if owner and not swarm:
        raise InvalidRequest("--owner goes with --swarm; elsewhere docker run --ip does it")
    shown = report.as_json or not report.quiet
    if swarm:
        spanning = make_swarm_network(app, name, pool_name, parent, owner)
        if shown:
            report.detail(views.SWARM_NETWORKS, spanning)
        return
    made = app.make_network(name, pool_name, parent=parent, mode=mode, pool6_name=pool6_name)
    if shown:
        report.detail(views.NETWORKS, made)


def make_swarm_network(
    app: App, name: str, pool_name: str | None, parent: str, owner: str
) -> SwarmNetwork:
    """This node's part of it, and on a manager the network; the owner's address is reserved."""
    link = app.parent(parent)
    with app.pool_to_use(pool_name, over=link, version=4) as pool:
        if not is_shared(app.settings.store):
            app.note(
                "this node's reservations are its own: nodes that share no store give out the same"
                " addresses; share one (docs/etcd.md)"
            )
        made = _spanning(app, name, pool, link.name, owner)
    if not made.spans:
        command = f"macvlan-ros network create --swarm {name}" + (owner and f" --owner {owner}")
        app.note(f"now make it on a manager too, with: {command}")
    return made


def _spanning(app: App, name: str, pool: Pool, parent: str, owner: str) -> SwarmNetwork:
    from macvlan_ros.notation import check_name
    from macvlan_ros.undo import all_or_nothing

    with all_or_nothing(app.note) as undo:
        if owner and app.ipam.allocate(pool.name, [check_name(owner, kind="owner")])[0].new:
            undo.add(app.ipam.release, pool.name, [owner])
        return app.engine.ensure_swarm_network(name, pool, parent=parent, owner=owner)


@network.command(name="list")
@quiet_option("Print the names alone.")
@shared_options
@click.pass_context
def network_list(context: click.Context) -> None:
    """Show the networks that macvlan-ros made."""
    app, report = open_app(context)
    report.table(views.NETWORKS, app.engine.networks(), name=lambda one: one.name)


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
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def rm(context: click.Context, name: str) -> None:
    """Remove a network that no container uses; its reservations stay, but for the shim's."""
    app, report = open_app(context)
    removed = app.remove_network(name)
    if report.as_json:
        report.json({"removed": [name] if removed else []})
    elif not removed:
        near = did_you_mean(name, [one.name for one in app.engine.networks()])
        report.note(f"there was no network '{name}'{near}")


COMMANDS = (network,)
