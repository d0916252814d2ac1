"""What --all-hosts does: the commands about a stack, on all its hosts from this PC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from macvlan_ros.output import views

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.chair.run import Step
    from macvlan_ros.errors import MacvlanRosError
    from macvlan_ros.launching.logs import Source
    from macvlan_ros.launching.running import ServiceStatus
    from macvlan_ros.models.stacks import Stack
    from macvlan_ros.report import Board, Report
    from macvlan_ros.verify import Check, Wishes


def launch(
    app: App,
    report: Report,
    stack: Stack,
    names: Sequence[str],
    seconds: tuple[float, float],
    *,
    rebuild: bool = False,
) -> None:
    """Start everything everywhere; `seconds` are how long to wait for conditions, and for the
    master. What was not reached is an error, after the table."""
    with report.board(("HOST", "SERVICE", "STATE", "")) as board:
        desk = app.desk(stack, told=lambda step: _show(board, step))
        done = desk.launcher.up(
            stack, names, wait_seconds=seconds[0], master_seconds=seconds[1], rebuild=rebuild
        )
    if report.as_json or not report.quiet:
        report.table(views.LAUNCHED, done.rows)
    complain(done.troubles)


def stop(app: App, report: Report, stack: Stack, names: Sequence[str]) -> None:
    """Stop services on all hosts."""
    found = app.desk(stack, told=_nobody).overseer.stop(stack, names)
    if report.as_json:
        report.json({"stopped": list(found.values)})
    complain(found.troubles)


def down(app: App, report: Report, stack: Stack, names: Sequence[str], *, release: bool) -> None:
    """Remove services on all hosts."""
    found = app.desk(stack, told=_nobody).overseer.down(stack, names, release=release)
    if report.as_json:
        report.json({"removed": list(found.values)})
    complain(found.troubles)


def ps(app: App, report: Report, stack: Stack) -> None:
    """Show the services of all hosts."""
    found = app.desk(stack, told=_nobody).overseer.status(stack)
    show_statuses(app, report, found.values)
    complain(found.troubles)


def verify(app: App, stack: Stack | None, wishes: Wishes) -> tuple[Check, ...]:
    """What holds between the services of all hosts. Raises InvalidRequest without a stack."""
    from macvlan_ros.chair.proving import verify_everywhere
    from macvlan_ros.errors import InvalidRequest

    if stack is None:
        raise InvalidRequest(
            "--all-hosts is about a stack, whose file names the hosts, and there is none here; go"
            " to its folder, or name it with -f FILE"
        )
    return verify_everywhere(app, stack, wishes)


def log_sources(
    app: App, stack: Stack, names: Sequence[str]
) -> tuple[tuple[Source, ...], tuple[MacvlanRosError, ...]]:
    """The containers on all hosts whose logs are to be read, in the file's order, and why some
    hosts did not say."""
    from macvlan_ros.launching.logs import Source

    found = app.desk(stack, told=_nobody).overseer.containers(stack, names)
    order = [*stack.services, *(one.service for _, one in found.values)]
    sources = [
        Source(seat.engine, one.name, one.service or one.name, seat.name)
        for seat, one in found.values
    ]
    return tuple(sorted(sources, key=lambda one: order.index(one.service))), found.troubles


def show_statuses(app: App, report: Report, found: Sequence[ServiceStatus]) -> None:
    """The table, or with -q the running containers' names."""
    if report.quiet and not report.as_json:
        for one in found:
            if one.state == "running":
                report.line(one.container)
    else:
        from macvlan_ros.launching.status_rows import with_answers, with_kept_addresses

        report.table(views.STATUSES, with_answers(with_kept_addresses(found, app.ipam)))


def _show(board: Board, step: Step) -> None:
    board.set((step.host, step.service), step.what, step.detail)


def _nobody(_step: Step) -> None:
    return None


def complain(troubles: Sequence[MacvlanRosError]) -> None:
    """Raise all of them as one error, of the first one's kind."""
    if troubles:
        first = troubles[0]
        first.args = ("; ".join(str(each) for each in troubles),)
        raise first
