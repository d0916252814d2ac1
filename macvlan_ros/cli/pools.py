"""Commands about pools, and what other programs are told of them."""

from __future__ import annotations

import click

from macvlan_ros import notation
from macvlan_ros.cli.common import (
    dry_run_option,
    no_probe_option,
    open_app,
    quiet_option,
    shared_options,
)
from macvlan_ros.lan_names import export as export_forms
from macvlan_ros.near import did_you_mean
from macvlan_ros.output import views


@click.command()
@click.argument("form", type=click.Choice(["table", "json", *export_forms.FORMS]), metavar="FORM")
@click.option("--pool", "pool_name", metavar="POOL", help="Of this pool only.")
@click.option("--domain", metavar="DOMAIN", help="Full names, as in talker.DOMAIN.")
@quiet_option("Say nothing beside the file.")
@shared_options
@click.pass_context
def export(context: click.Context, *, form: str, pool_name: str | None, domain: str | None) -> None:
    """Print the reservations as another program's file: a router or a DNS server can be told.

    \b
    table    as list prints it
    json     likewise, for programs
    csv      for a spreadsheet
    hosts    lines for /etc/hosts
    dnsmasq  dhcp-host and host-record, for /etc/dnsmasq.d
    isc      host statements of ISC dhcpd
    kea      host reservations of Kea's IPv4 server; kea6 of the other
    ansible  an inventory, with a group for each pool and each host

    \b
    macvlan-ros export hosts --domain lab.lan
    """
    app, report = open_app(context)
    held = app.store.reservations(pool_name)
    if form in export_forms.FORMS:
        wanted = export_forms.entries(held, domain=domain or "")
        report.text(export_forms.render(form, wanted))
    else:
        report.as_json = report.as_json or form == "json"
        report.table(views.RESERVATIONS, held)


@click.group()
def pool() -> None:
    """Pools: which part of a subnet may be handed out."""


@pool.command()
@click.argument("name")
@click.option("--subnet", required=True, metavar="CIDR", help="The LAN, as in 192.168.50.0/24.")
@click.option(
    "--range", "ranges", multiple=True, metavar="FROM-TO|CIDR", help="What may be handed out [all]."
)
@click.option(
    "--exclude", multiple=True, metavar="A|FROM-TO|CIDR", help="What may not be handed out."
)
@click.option("--gateway", metavar="A", help="The LAN's router; never handed out.")
@click.option(
    "--order",
    type=click.Choice(["hashed", "sequential"]),
    default="hashed",
    show_default=True,
    help="Where the search for a free address starts: at a place made from the name, so that PCs"
    " that share no store rarely choose the same, or at the lowest.",
)
@click.option(
    "--dhcp", is_flag=True, help="Also take each address as a lease from the LAN's DHCP server."
)
@no_probe_option
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def add(
    context: click.Context,
    *,
    name: str,
    subnet: str,
    ranges: tuple[str, ...],
    exclude: tuple[str, ...],
    gateway: str | None,
    order: str,
    dhcp: bool,
) -> None:
    """Add a pool. Adding the same one twice is fine.

    The LAN is asked for its DHCP (DHCPv6) server, for that must not hand out the same addresses.
    """
    wanted = notation.parse_pool(
        name,
        subnet=subnet,
        ranges=ranges,
        excludes=exclude,
        gateway=gateway,
        order=order,
        dhcp=dhcp,
    )
    app, report = open_app(context)
    made = app.add_pool(wanted)
    if report.as_json or not report.quiet:
        report.detail(views.POOLS, made)


@pool.command(name="list")
@quiet_option("Print the names alone.")
@shared_options
@click.pass_context
def pool_list(context: click.Context) -> None:
    """Show all pools."""
    app, report = open_app(context)
    report.table(views.POOLS, app.store.pools(), name=lambda one: one.name)


@pool.command()
@click.argument("name")
@shared_options
@click.pass_context
def show(context: click.Context, name: str) -> None:
    """Show one pool."""
    app, report = open_app(context)
    report.detail(views.POOLS, app.store.pool(name))


@pool.command()
@click.argument("name")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def rm(context: click.Context, name: str) -> None:
    """Remove a pool that holds no reservation."""
    app, report = open_app(context)
    removed = app.ipam.remove_pool(name)
    if report.as_json:
        report.json({"removed": [name] if removed else []})
    elif not removed:
        near = did_you_mean(name, [one.name for one in app.store.pools()])
        report.note(f"there was no pool '{name}'{near}")


COMMANDS = (export, pool)
