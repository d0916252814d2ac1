"""Commands about the wire: scan, leases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from macvlan_ros import interrupts
from macvlan_ros.app import App
from macvlan_ros.cli.common import open_app, quiet_option, shared_options
from macvlan_ros.cli.usage import Number
from macvlan_ros.output import views
from macvlan_ros.report import Report

if TYPE_CHECKING:
    from macvlan_ros.wire.census import Sighting


@click.command()
@click.argument("pool", required=False)
@click.option("--subnet", metavar="CIDR", help="Only this part of the LAN.")
@click.option("--rate", type=Number(1), metavar="N", help="So many questions a second.")
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@quiet_option("Print the table alone.")
@shared_options
@click.pass_context
def scan(
    context: click.Context,
    *,
    pool: str | None,
    subnet: str | None,
    rate: float | None,
    watch: bool,
) -> None:
    """Show who is on the LAN, and whose each address is.

    The LAN is that of POOL, else of the only pool, else of the parent. Up to 256 addresses are
    asked for at once and take 0.6 s; of a larger LAN 1000 a second, each twice, unless --rate says
    otherwise. Of a whole IPv6 LAN those are shown who answer a ping of everybody, with one address
    each, and whoever has a reserved address.
    """
    app, report = open_app(context)

    if watch:
        interrupts.end_well()
    while True:
        found = _look(app, report, pool=pool, subnet=subnet, rate=rate)
        if watch and not report.as_json:
            report.clear()
        report.table(views.SIGHTINGS, found)
        if not watch:
            return
        time.sleep(1)


@click.command()
@click.option("--renew", is_flag=True, help="First renew what is due, as the service does.")
@quiet_option("Print the names alone.")
@shared_options
@click.pass_context
def leases(context: click.Context, renew: bool) -> None:
    """Show the leases that were taken from the LAN's DHCP server.

    They are those of the pools that were made with --dhcp. The plugin's service renews them; where
    it does not run, a timer can run this command with --renew.
    """
    app, report = open_app(context)
    found = app.keep_leases() if renew else app.leases.book.everybodys()
    report.table(views.LEASES, found, name=lambda one: one.owner)


def _look(
    app: App, report: Report, *, pool: str | None, subnet: str | None, rate: float | None
) -> tuple[Sighting, ...]:
    def progress(done: int, total: int) -> None:
        if total > 1024:
            report.meter(f"scanning: {done * 100 // total} %, {done} of {total} questions asked")

    return app.scan(pool, subnet=subnet, rate=rate, progress=progress)


COMMANDS = (scan, leases)
