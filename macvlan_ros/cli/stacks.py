"""Commands about a stack: launch, stop, down, ps."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from macvlan_ros import interrupts
from macvlan_ros.cli import everywhere
from macvlan_ros.cli.common import (
    choices,
    dry_run_option,
    host_option,
    no_shim_option,
    open_app,
    probe_options,
    quiet_option,
    shared,
    shared_options,
)
from macvlan_ros.cli.usage import Number
from macvlan_ros.output import views

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.models.stacks import Stack
    from macvlan_ros.report import Report

F = TypeVar("F", bound=Callable[..., Any])


def stack_options(command: F) -> F:
    """Which stack, and which of its hosts this is."""
    for option in (*_STACK, file_option("-f")):
        command = option(command)
    return command


def stack_options_but_f(command: F) -> F:
    """The same for a command whose -f means something else; `macvlan-ros -f FILE` goes there."""
    for option in (*_STACK, file_option()):
        command = option(command)
    return command


def file_option(*short: str) -> Callable[[F], F]:
    """Which files the stack is in."""
    return shared(
        *short,
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The stack file; later ones over earlier ones [compose.yaml, COMPOSE_FILE].",
    )


_STACK = (
    host_option,
    shared("-p", "--project-name", metavar="NAME", help="The stack's name [the folder]."),
    shared(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        help="Also the services of this profile.",
    ),
)

all_hosts_option = click.option(
    "--all-hosts", is_flag=True, help="On all hosts of the stack, from this PC."
)


def open_stack(context: click.Context, *, forgive: bool = False) -> tuple[App, Report, Stack]:
    """The App, the Report and the stack of this invocation; `forgive` as `stack.load` has it."""
    loaded = load_stack(context, forgive=forgive)
    return (*open_app(context), loaded)


def load_stack(context: click.Context, *, forgive: bool = False) -> Stack:
    """The stack of this invocation. Who only looks at containers, stops or starts them forgives
    what `launch` does not honour: Compose may have made them."""
    from macvlan_ros import stack

    chosen = choices(context)
    paths = chosen.files or stack.find_files(Path.cwd(), os.environ)
    return stack.load(
        paths,
        environ=os.environ,
        profiles=chosen.profiles,
        project_name=chosen.project_name or None,
        forgive=forgive,
    )


def open_stack_if_any(
    context: click.Context, *, forgive: bool = False
) -> tuple[App, Report, Stack | None]:
    """The same for a command that does without a stack, too: None where there is no file."""
    loaded = load_stack_if_any(context, forgive=forgive)
    return (*open_app(context), loaded)


def load_stack_if_any(context: click.Context, *, forgive: bool = False) -> Stack | None:
    """The stack of this invocation; None where there is no file."""
    if choices(context).files or _is_stack_here():
        return load_stack(context, forgive=forgive)
    return None


def _is_stack_here() -> bool:
    from macvlan_ros import stack
    from macvlan_ros.errors import StackFileError

    try:
        return bool(stack.find_files(Path.cwd(), os.environ))
    except StackFileError:
        if Path(".env").exists():  # which may say that there is one elsewhere
            raise
        return False


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@click.option(
    "--wait-timeout",
    metavar="SECONDS",
    type=Number(min=0.1),
    default=120.0,
    show_default=True,
    help="Seconds to wait until a dependency is healthy or completed.",
)
@click.option(
    "--master-timeout",
    metavar="SECONDS",
    type=Number(min=0),
    default=30.0,
    show_default=True,
    help="Seconds to wait for the ROS master with --all-hosts.",
)
@all_hosts_option
@click.option("--build", "rebuild", is_flag=True, help="Build images again that are there.")
@probe_options
@no_shim_option
@quiet_option("Say nothing but errors.")
@dry_run_option
@shared_options
@click.pass_context
def launch(
    context: click.Context,
    *,
    services: tuple[str, ...],
    wait_timeout: float,
    master_timeout: float,
    all_hosts: bool,
    rebuild: bool,
) -> None:
    """Start the services of the stack that belong to this PC, each with its own LAN address.

    Launching again changes nothing, unless the file has changed. If one service cannot start,
    everything is as it was before. With --all-hosts the services of all hosts are started, in the
    order that they depend on one another, the ROS master first.
    """
    app, report, stack = open_stack(context)
    interrupts.as_ctrl_c()
    if all_hosts:
        seconds = (wait_timeout, master_timeout)
        everywhere.launch(app, report, stack, services, seconds, rebuild=rebuild)
        return
    app.membership.enter()
    done = app.launcher.up(stack, services, wait_seconds=wait_timeout, rebuild=rebuild)
    if report.as_json or not report.quiet:
        report.table(views.LAUNCHED, done)


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@quiet_option("Say nothing but errors.")
@all_hosts_option
@dry_run_option
@shared_options
@click.pass_context
def stop(
    context: click.Context,
    *,
    services: tuple[str, ...],
    all_hosts: bool,
) -> None:
    """Stop services here (all, when none is named); their containers and addresses stay."""
    app, report, stack = open_stack(context, forgive=True)
    if all_hosts:
        everywhere.stop(app, report, stack, services)
        return
    stopped = app.running.stop(stack, services)
    _note_others(app, report, stack, services)
    if report.as_json:
        report.json({"stopped": list(stopped)})


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@click.option("--release", is_flag=True, help="Give up their addresses too.")
@quiet_option("Say nothing but errors.")
@all_hosts_option
@dry_run_option
@shared_options
@click.pass_context
def down(
    context: click.Context,
    *,
    services: tuple[str, ...],
    release: bool,
    all_hosts: bool,
) -> None:
    """Stop and remove the services' containers here; their addresses stay reserved."""
    app, report, stack = open_stack(context, forgive=True)
    if all_hosts:
        everywhere.down(app, report, stack, services, release=release)
        return
    removed = app.running.down(stack, services, release=release)
    _note_others(app, report, stack, services)
    if report.as_json:
        report.json({"removed": list(removed)})


def _note_others(app: App, report: Report, stack: Stack, names: tuple[str, ...]) -> None:
    """Say which of the named services are not this PC's."""
    from macvlan_ros.launching import placement

    for name in names:
        if not placement.is_here(stack.services[name], app.settings.host_name):
            report.note(app.running.absent(stack.services[name], else_="add --all-hosts"))


@click.command()
@stack_options
@quiet_option("Print the running containers' names alone.")
@all_hosts_option
@shared_options
@click.pass_context
def ps(context: click.Context, *, all_hosts: bool) -> None:
    """Show the stack's services with address, MAC, host and state."""
    app, report, stack = open_stack(context, forgive=True)
    if all_hosts:
        everywhere.ps(app, report, stack)
        return
    found = app.running.status(stack)
    everywhere.show_statuses(app, report, found)


COMMANDS = (launch, stop, down, ps)
