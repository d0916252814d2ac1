"""Commands about the store itself: copy, check, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from macvlan_ros.cli.common import dry_run_option, open_app, quiet_option, shared_options
from macvlan_ros.errors import Conflict, InvalidRequest
from macvlan_ros.output import views

if TYPE_CHECKING:
    from macvlan_ros.report import Report
    from macvlan_ros.stores.transfer import Content

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


def _or_dash(file: Path, stream: str) -> Path:
    """The file; "-" is what is printed or typed, as elsewhere."""
    return Path(stream) if str(file) == "-" else file


@click.group()
def store() -> None:
    """The store: move it, check it, back it up.

    \b
    macvlan-ros store copy /var/lib/macvlan-ros/state.db etcd://192.168.50.10:2379/macvlan-ros
    """


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def copy(context: click.Context, source: str, target: str) -> None:
    """Add what the store FROM holds to the store TO.

    Nothing is written when anything contradicts what TO holds. FROM stays as it is.
    """
    from macvlan_ros.stores import transfer

    app, report = open_app(context)
    if source == target:
        raise InvalidRequest("FROM and TO are the same store; name two")
    content = transfer.read_content(app.opened(source))
    transfer.copy_into(app.opened(target), content)
    _tell(report, "copied", content)


@store.command()
@quiet_option("Print nothing when all is well.")
@shared_options
@click.pass_context
def check(context: click.Context) -> int:
    """Verify that the store contradicts itself nowhere.

    Every address lies in its pool and is held once, and what is written in several places agrees.
    The exit code is 1 when something is wrong, 0 when not.
    """
    from macvlan_ros.stores import audit

    app, report = open_app(context)
    faults = audit.find_faults(app.store)
    report.table(views.FAULTS, faults)
    return int(bool(faults))


@store.command()
@file_argument
@quiet_option("Print nothing.")
@shared_options
@click.pass_context
def backup(context: click.Context, file: Path) -> None:
    """Write all that the store holds into FILE (- prints it), as JSON."""
    from macvlan_ros.stores import transfer

    app, report = open_app(context)
    report.as_json = report.as_json and str(file) != "-"  # stdout is the backup's then
    file = _or_dash(file, "/dev/stdout")
    content = transfer.read_content(app.store)
    transfer.write_backup(file, content)
    _tell(report, "wrote", content, f" into {file}")


@store.command()
@file_argument
@click.option("--force", is_flag=True, help="First take out what the store holds.")
@quiet_option("Print nothing.")
@dry_run_option
@shared_options
@click.pass_context
def restore(context: click.Context, file: Path, force: bool) -> None:
    """Write what FILE (- reads it from stdin) holds into the store, which has to be empty."""
    from macvlan_ros.stores import transfer

    app, report = open_app(context)
    file = _or_dash(file, "/dev/stdin")
    content = transfer.read_backup(file)
    store = app.opened(app.settings.store) if report.rehearsing else app.store
    standing = transfer.read_content(store)
    if standing and standing != content:
        if not force:
            raise Conflict(
                f"store {app.settings.store}: is not empty ({_amount(standing)}); replace that with"
                " --force, or name another --store"
            )
        transfer.clear(store)
    transfer.copy_into(store, content)
    _tell(report, "restored", content, f" from {file}")


def _tell(report: Report, done: str, content: Content, where: str = "") -> None:
    report.progress(f"{done} {_amount(content)}{where}")
    if report.as_json:
        report.json({f"{word}s": number for word, number in _counted(content).items()})


def _amount(content: Content) -> str:
    counted = _counted(content).items()
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in counted)


def _counted(content: Content) -> dict[str, int]:
    return {
        "pool": len(content.pools),
        "reservation": len(content.reservations),
        "record": len(content.records),
    }


COMMANDS = (store,)
