"""Commands about whether it works: verify."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from macvlan_ros import interrupts
from macvlan_ros.cli import everywhere
from macvlan_ros.cli.common import interval_option, quiet_option, shared_options
from macvlan_ros.cli.stacks import all_hosts_option, open_stack_if_any, stack_options
from macvlan_ros.output import views

if TYPE_CHECKING:
    from macvlan_ros.report import Report
    from macvlan_ros.verify import Check


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@click.option("--master", metavar="URI", default="", help="The ROS 1 master [the stack's].")
@click.option("--traffic", is_flag=True, help="Send real messages through a topic, both ways.")
@click.option("--clean", is_flag=True, help="Let the master forget stale registrations.")
@click.option("--all", "everything", is_flag=True, help="A line for each check that holds, too.")
@all_hosts_option
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@interval_option(5.0, "With --watch: seconds between two looks.")
@quiet_option("Print what does not hold alone.")
@shared_options
@click.pass_context
def verify(
    context: click.Context,
    *,
    services: tuple[str, ...],
    master: str,
    traffic: bool,
    clean: bool,
    everything: bool,
    all_hosts: bool,
    watch: bool,
    interval: float,
) -> int:
    """Prove that the stack works, from where its containers are.

    Between each pair of services: address, name, any TCP port, full MTU, multicast; the way that
    ROS 2 finds its peers, if the stack names one. Then the ROS 1 master and each registered node,
    asked from this PC and from each container. Takes 15 s at most. With --all-hosts also from
    the containers of the other PCs, on each of which a container of our image looks around.
    The exit code is 1 when something does not hold, 0 when all does.
    """
    from macvlan_ros import verify as verifying

    app, report, stack = open_stack_if_any(context, forgive=True)
    wishes = verifying.Wishes(services, master, clean, traffic)
    if watch:
        interrupts.end_well()
    while True:
        if all_hosts:
            found = everywhere.verify(app, stack, wishes)
        else:
            found = verifying.verify(app, stack, wishes)
        if watch and not report.as_json:
            report.clear()
        _show(report, found, everything=everything)
        if not watch:
            return int(any(one.level == verifying.BAD for one in found))
        time.sleep(interval)


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
