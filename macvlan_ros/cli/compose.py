"""The command that runs the real Compose on a stack."""

from __future__ import annotations

from pathlib import Path

import click

from macvlan_ros.cli.common import (
    Rehearsed,
    dry_run_option,
    no_shim_option,
    probe_options,
    shared_options,
)
from macvlan_ros.cli.stacks import open_stack, stack_options


@click.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="ARGS...")
@stack_options
@probe_options
@no_shim_option
@dry_run_option
@shared_options
@click.pass_context
def compose(context: click.Context, *, words: tuple[str, ...]) -> int:
    """Run docker compose (or docker-compose) on the stack, with LAN addresses.

    What makes containers gets one more file, an override with network, addresses, MACs and the ROS
    environment. `compose config` prints that override. Our options go before ARGS.

    \b
    macvlan-ros compose up -d
    """
    from macvlan_ros import stack as stacks
    from macvlan_ros.compose.composer import Composer

    app, report, loaded = open_stack(context, forgive=True)
    paths = [Path(file) for file in loaded.files]
    composer = Composer(app, loaded, stacks.resolve(paths, project_name=loaded.name))
    if words == ("config",):
        report.text(composer.config())
        return 0
    if isinstance(app, Rehearsed):
        app.changes.append(f"run: {composer.rehearse(words)}")
        return 0
    return composer.run(words)


COMMANDS = (compose,)
