"""What all commands share: the options that choose store, engine and form, and the App."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

import click

from macvlan_ros import settings
from macvlan_ros.cli.usage import Number
from macvlan_ros.report import Report

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.dry.app import DryApp

F = TypeVar("F", bound=Callable[..., Any])


#: The variable by which a shell's script asks (click's documentation, "Shell Completion").
COMPLETE = "_MACVLAN_ROS_COMPLETE"


@dataclass
class Choices:
    """What the options said, on the group or on the command (which wins)."""

    store: str = ""
    docker: str = ""
    host: str = ""
    no_probe: bool = False
    rfc5227: bool = False
    no_shim: bool = False
    as_json: bool = False
    quiet: bool = False
    dry_run: bool = False
    verbose: bool = False
    files: tuple[Path, ...] = ()
    profiles: tuple[str, ...] = ()
    project_name: str = ""


def choices(context: click.Context) -> Choices:
    """The choices of this invocation."""
    return context.ensure_object(Choices)


@runtime_checkable
class Rehearsed(Protocol):
    """An App that changes nothing; see `dry.app.DryApp`."""

    changes: list[str]


def open_app(context: click.Context) -> tuple[App, Report]:
    """The App and the Report of this invocation; the App is closed with the context."""
    chosen = choices(context)
    report = Report(as_json=chosen.as_json, quiet=chosen.quiet)
    found = _settings(chosen)
    if chosen.verbose:
        report.talk(str(found))
    if chosen.dry_run:
        return _open_dry(context, found, report, as_host=chosen.host), report
    from macvlan_ros.app import App

    app = App(
        found,
        note=report.note,
        progress=report.progress,
        meter=report.meter,
        quiet=chosen.quiet,
        as_host=chosen.host,
    )
    return context.with_resource(app), report


def bare_store(context: click.Context) -> str:
    """The store's URL, for a command that shall print bare values and nothing else; else ""."""
    chosen = choices(context)
    if not chosen.quiet or chosen.as_json or chosen.dry_run or chosen.verbose:
        return ""
    return _settings(chosen).store


def open_rehearsal(context: click.Context) -> tuple[DryApp, Report]:
    """An App that changes nothing, for whoever wants to know what it would change."""
    from macvlan_ros.dry.app import DryApp

    chosen = choices(context)
    app = DryApp(_settings(chosen), note=lambda _text: None, as_host=chosen.host)
    context.with_resource(app)
    return app, Report(as_json=chosen.as_json, quiet=chosen.quiet)


def _settings(chosen: Choices) -> settings.Settings:
    found = settings.load()
    return replace(
        found,
        store=chosen.store or found.store,
        docker=chosen.docker or found.docker,
        host=chosen.host or found.host,
        probe="none" if chosen.no_probe else "rfc5227" if chosen.rfc5227 else found.probe,
        shim="no" if chosen.no_shim else found.shim,
    )


def _open_dry(
    context: click.Context, found: settings.Settings, report: Report, *, as_host: str
) -> App:
    """An App that changes nothing; what it would have changed is shown at the end, and no more."""
    from macvlan_ros.dry.app import DryApp

    app = DryApp(found, note=report.note, as_host=as_host)
    context.with_resource(app)
    say = report.rehearse()

    def show() -> None:
        if sys.exc_info()[0] is None:
            say(app.changes)

    context.call_on_close(show)
    return app


dry_run_option = click.option(
    "--dry-run",
    "dry_run",
    is_flag=True,
    expose_value=False,
    callback=lambda context, parameter, value: _remember(context, parameter, value),
    help="Change nothing; show what would be changed.",
)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and parameter.name:
        chosen = choices(context)
        if parameter.name == "profiles":  # the group's and the command's
            value = (*chosen.profiles, *cast("tuple[str, ...]", value))
        setattr(chosen, parameter.name, value)


def shared(*names: str, **attributes: Any) -> Callable[[F], F]:
    """An option that goes into the choices of the invocation, not to the command."""
    return click.option(*names, expose_value=False, callback=_remember, **attributes)


def shared_options(command: F) -> F:
    """Options of the group that every command takes too."""
    for option in (
        shared("--json", "as_json", is_flag=True, help="Print JSON for programs to read."),
        shared("--verbose", is_flag=True, help="Tell what is asked and answered, on stderr."),
        shared("--docker", metavar="URL", help="The Docker Engine [DOCKER_HOST, context]."),
        shared(
            "--store",
            metavar="URL",
            help="Where reservations are kept [MACVLAN_ROS_STORE; /var/lib/macvlan-ros/state.db].",
        ),
    ):
        command = option(command)
    return command


def group_options(command: F) -> F:
    """What may stand before the command too, as people write it who come from Compose."""
    for option in (
        shared("-p", "--project-name", metavar="NAME", hidden=True),
        shared("--profile", "profiles", multiple=True, metavar="NAME", hidden=True),
        shared(
            "-f",
            "--file",
            "files",
            multiple=True,
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="The stack file, for the commands about a stack.",
        ),
    ):
        command = option(command)
    return command


def quiet_option(help_text: str) -> Callable[[F], F]:
    """-q, with what it means for this command."""
    return shared("-q", "--quiet", "quiet", is_flag=True, help=help_text)


def interval_option(default: float, help_text: str) -> Callable[[F], F]:
    """How often what goes on for ever looks, in seconds."""
    return click.option(
        "--interval",
        type=Number(0.1, 3600),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=help_text,
    )


host_option = shared("--host", metavar="NAME", help="Which host of the stack this PC is.")


no_probe_option = shared("--no-probe", "no_probe", is_flag=True, help="Do not ask the LAN.")


def probe_options(command: F) -> F:
    """How the LAN is asked before an address is first used."""
    for option in (
        shared(
            "--no-probe", "no_probe", is_flag=True, help="Do not ask the LAN who has an address."
        ),
        shared(
            "--rfc5227",
            "rfc5227",
            is_flag=True,
            help="Ask with the full timing of RFC 5227: 4 to 7 s instead of 0.6.",
        ),
    ):
        command = option(command)
    return command


no_shim_option = shared(
    "--no-shim",
    "no_shim",
    is_flag=True,
    help="Leave this PC and its containers without a way to each other.",
)


pool_option = click.option("--pool", "pool_name", metavar="POOL", help="The pool [the only one].")
