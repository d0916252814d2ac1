"""Commands about whether it works: verify."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from macvlan_ros import views
from macvlan_ros.app import App
from macvlan_ros.cli.common import choices, open_app, quiet_option, shared_options
from macvlan_ros.cli.stacks import open_stack, stack_options

if TYPE_CHECKING:
    from macvlan_ros.models import Stack
    from macvlan_ros.report import Report
    from macvlan_ros.verify import Check


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@click.option("--master", metavar="URI", default="", help="The ROS 1 master [the stack's].")
@click.option("--traffic", is_flag=True, help="Send real messages through a topic, both ways.")
@click.option("--clean", is_flag=True, help="Let the master forget stale registrations.")
@click.option("--all", "everything", is_flag=True, help="A line for each check that holds, too.")
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0), default=5.0, show_default=True, help="Seconds between."
)
@quiet_option("Print what does not hold alone.")
@shared_options
@click.pass_context
def verify(
    context: click.Context,
    *,
    services: tuple[str, ...],
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    project_name: str | None,
    master: str,
    traffic: bool,
    clean: bool,
    everything: bool,
    watch: bool,
    every: float,
) -> int:
    """Prove that the stack works, from where its containers are.

    Between each pair of services: address, name, any TCP port, full MTU, multicast. Then the ROS 1
    master and each registered node, asked from this PC and from each container. Takes 15 s at most.
    The exit code is 1 when something does not hold, 0 when all does.
    """
    from macvlan_ros import verify as verifying

    app, report, stack = _open(context, files, profiles, project_name)
    wishes = verifying.Wishes(services, master, clean, traffic)
    while True:
        found = verifying.verify(app, stack, wishes)
        if watch and not report.as_json:
            report.clear()
        _show(report, found, everything=everything)
        if not watch:
            return int(any(one.level == verifying.BAD for one in found))
        time.sleep(every)


def _open(
    context: click.Context,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    project_name: str | None,
) -> tuple[App, Report, Stack | None]:
    """With the stack of this folder; without a file, it is about whatever runs here."""
    if files or choices(context).files or _is_stack_here():
        return open_stack(context, files, profiles, project_name)
    return (*open_app(context), None)


def _is_stack_here() -> bool:
    from macvlan_ros import stack
    from macvlan_ros.errors import StackFileError

    try:
        return bool(stack.find_files(Path.cwd(), os.environ))
    except StackFileError:
        if Path(".env").exists():  # which may say that there is one elsewhere
            raise
        return False


def _show(report: Report, found: tuple[Check, ...], *, everything: bool) -> None:
    from macvlan_ros import verify as verifying

    if report.quiet:
        shown = [one for one in found if one.level != verifying.OK]
    elif everything or report.as_json:
        shown = list(found)
    else:
        shown = verifying.summarize(found)
    report.table(views.CHECKS, shown)


COMMANDS = (verify,)
