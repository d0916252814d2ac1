"""Commands for the PC's own terminal: env."""

from __future__ import annotations

import os

import click

from macvlan_ros.cli.common import quiet_option, shared_options
from macvlan_ros.cli.stacks import open_stack, stack_options
from macvlan_ros.lan_names import host_environment


@click.command()
@stack_options
@click.option("--ros", type=click.Choice(["1", "2"]), help="The version [ROS_VERSION, else 1].")
@click.option(
    "--shell", type=click.Choice(host_environment.SHELLS), help="Whose lines to print [SHELL]."
)
@quiet_option("Say nothing beside the lines.")
@shared_options
@click.pass_context
def env(
    context: click.Context,
    *,
    ros: str | None,
    shell: str | None,
) -> None:
    """Print what this PC's own ROS needs to be one of the stack's nodes, or its master.

    \b
    eval "$(macvlan-ros env)"       in sh, bash, zsh
    macvlan-ros env | source        in fish
    """
    app, report, stack = open_stack(context, forgive=True)
    found = app.host_environment(stack, wanted=ros or "", environ=os.environ)
    for note in found.notes:
        report.note(note)
    if report.as_json:
        report.json(
            {
                "host": found.host,
                "address": found.address,
                "ros": found.ros,
                "variables": dict(found.variables),
            }
        )
        return
    chosen = shell or host_environment.shell_of(os.environ.get("SHELL", ""))
    for line in host_environment.lines(found, chosen):
        report.line(line)


COMMANDS = (env,)
