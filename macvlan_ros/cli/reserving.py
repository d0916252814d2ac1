"""Commands about addresses: allocate, release, list.

Scripts call `list -q` and `allocate -q` again and again, so what these can do without is imported
by the functions that need it.
"""

from __future__ import annotations

import click

from macvlan_ros.cli.common import (
    bare_store,
    dry_run_option,
    open_app,
    pool_option,
    probe_options,
    quiet_option,
    shared_options,
)
from macvlan_ros.errors import InvalidRequest


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pool_option
@click.option("--address", metavar="ADDRESS", help="This very address (with one NAME only).")
@probe_options
@quiet_option("Print the address alone.")
@dry_run_option
@shared_options
@click.pass_context
def allocate(
    context: click.Context, names: tuple[str, ...], pool_name: str | None, address: str | None
) -> None:
    """Reserve an address for each NAME, for good; a NAME that has one keeps it.

    \b
    IP=$(macvlan-ros allocate -q talker)
    """
    if address and len(set(names)) > 1:
        raise InvalidRequest("--address goes with one NAME; run allocate once for each name")
    store = bare_store(context)
    if store and not address:
        from macvlan_ros.stores import glance

        known = glance.addresses(store, names, pool_name)
        if known is not None:
            click.echo("\n".join(known))
            return
    from macvlan_ros import notation
    from macvlan_ros.output import views

    wanted = {names[0]: notation.parse_address(address)} if address else None
    app, report = open_app(context)
    with app.pool_to_use(pool_name) as pool:
        done = app.ipam.allocate(pool.name, names, addresses=wanted)
    held = [one.reservation for one in done]
    report.table(views.RESERVATIONS, held, name=lambda one: one.address)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pool_option
@click.option("--force", is_flag=True, help="Also while a container runs with the address.")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def release(
    context: click.Context, names: tuple[str, ...], pool_name: str | None, force: bool
) -> None:
    """Give up what each NAME holds. A NAME that holds nothing is fine.

    Refused while a container runs with the address: the next owner would get it too.
    """
    from macvlan_ros.near import did_you_mean
    from macvlan_ros.output import views

    app, report = open_app(context)
    pool, gone = app.release(pool_name, names, force=force)
    for name in sorted(set(names) - {held.owner for held in gone}, key=names.index):
        owners = [held.owner for held in app.store.reservations(pool.name)] if pool else []
        where = f" in the pool '{pool.name}'" if pool else ""
        report.note(f"'{name}' held nothing{where}{did_you_mean(name, owners)}")
    if report.as_json or (gone and not report.quiet):
        report.table(views.RESERVATIONS, gone)


@click.command(name="list")
@click.option("--pool", "pool_name", metavar="POOL", help="Of this pool only.")
@quiet_option("Print the names alone.")
@shared_options
@click.pass_context
def list_(context: click.Context, pool_name: str | None) -> None:
    """Show who holds which address."""
    store = bare_store(context)
    if store:
        from macvlan_ros.stores import glance

        names = glance.owners(store, pool_name)
        if names is not None:
            click.echo("".join(f"{name}\n" for name in names), nl=False)
            return
    from macvlan_ros.output import views

    app, report = open_app(context)
    held = app.store.reservations(pool_name)
    report.table(views.RESERVATIONS, held, name=lambda one: one.owner)
    for text in () if report.quiet else app.membership.silent(held):
        report.note(text)


COMMANDS = (allocate, release, list_)
