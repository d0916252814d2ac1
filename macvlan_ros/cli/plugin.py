"""Commands about Docker's plugin: serve, install, uninstall, status."""

from __future__ import annotations

from pathlib import Path

import click

from macvlan_ros.cli.common import choices, shared_options

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
    "--sandboxes",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the containers' network namespaces are seen [where Docker says].",
)
@shared_options
@click.pass_context
def serve(context: click.Context, path: Path, sandboxes: Path | None) -> None:
    """Serve Docker until SIGTERM. Takes the socket that systemd hands over, if it does."""
    from macvlan_ros import settings
    from macvlan_ros.links import Links
    from macvlan_ros.plugin import parts, service
    from macvlan_ros.stores import open_store

    service.log_to_stderr()
    found = settings.load()
    store = open_store(choices(context).store or found.store)
    context.call_on_close(store.close)
    links = context.with_resource(Links())
    assembled = parts.Parts(store, links, host=found.host_name, sandboxes=sandboxes)
    context.call_on_close(assembled.close)
    service.serve(assembled, path=path)


COMMANDS = (plugin,)
