"""Commands for every day with a stack: into a container, around again, and what it is made from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from macvlan_ros.cli import inside
from macvlan_ros.cli.common import (
    choices,
    dry_run_option,
    no_shim_option,
    quiet_option,
    shared_options,
)
from macvlan_ros.cli.stacks import open_stack, open_stack_if_any, stack_options
from macvlan_ros.errors import InvalidRequest

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.models.containers import Service
    from macvlan_ros.models.stacks import Stack

#: The shell that a container has, bash for choice: it is what sets up ROS.
_SHELL = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"
#: The words after these belong to the program in the container.
_PASSES = {"allow_interspersed_args": False, "ignore_unknown_options": False}


@click.command(name="exec", context_settings=_PASSES)
@click.argument("service", metavar="SERVICE")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="CMD [ARG]...")
@click.option("-T", "no_tty", is_flag=True, help="Without a terminal.")
@click.option("-i", "-t", "--interactive", "--tty", is_flag=True, help="As it is by itself.")
@click.option("-d", "--detach", is_flag=True, help="In the background.")
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="A variable for it.")
@click.option("-u", "--user", metavar="USER", help="As this user.")
@click.option("-w", "--workdir", metavar="FOLDER", help="In this folder.")
@click.option("--privileged", is_flag=True, help="With all rights.")
@stack_options
@shared_options
@click.pass_context
def exec_(
    context: click.Context,
    *,
    service: str,
    words: tuple[str, ...],
    no_tty: bool,
    interactive: bool,  # noqa: ARG001  with a terminal there is one, as fingers that know docker exec
    detach: bool,
    env: tuple[str, ...],
    user: str | None,
    workdir: str | None,
    privileged: bool,
) -> None:
    """Run a command in a service's container. Options go before SERVICE.

    It may be on another host, where the stack says how to reach that one's engine. A container that
    is no service's goes by its own name. In an image of ROS's own (ros:noetic …) ROS is set up, as
    docker exec does not do it.

    \b
    macvlan-ros exec hardware rostopic list
    """
    if not words:
        raise InvalidRequest(
            f"say what to run in it, as in: macvlan-ros exec {service} rostopic list; a shell there"
            f" is: macvlan-ros shell {service}"
        )
    app, _, stack = open_stack_if_any(context, forgive=True)
    flags = ["--detach"] if detach else _terminal(no_tty)
    flags += ["--privileged"] if privileged else []
    for flag, values in (("--env", env), ("--user", (user,)), ("--workdir", (workdir,))):
        flags += [word for value in values if value for word in (flag, value)]
    place = inside.find(app, stack, service)
    inside.become_docker(context, app, place, "exec", *flags, words=inside.with_ros(place, *words))


@click.command()
@click.argument("service", metavar="SERVICE")
@stack_options
@shared_options
@click.pass_context
def shell(context: click.Context, *, service: str) -> None:
    """Open a shell in a service's container: bash where there is one, else sh.

    As with exec, it may be on another host, or be no service's, and ROS is set up in it.
    """
    app, _, stack = open_stack_if_any(context, forgive=True)
    place = inside.find(app, stack, service)
    flags = ("exec", *_terminal(False))
    words = inside.with_ros(place, "sh", "-c", _SHELL)
    inside.become_docker(context, app, place, *flags, words=words)


@click.command()
@click.argument("service", metavar="SERVICE")
@stack_options
@click.option("--detach-keys", metavar="KEYS", help="What leaves it running [ctrl-p,ctrl-q].")
@click.option("--no-stdin", is_flag=True, help="Look on only.")
@shared_options
@click.pass_context
def attach(
    context: click.Context,
    *,
    service: str,
    detach_keys: str | None,
    no_stdin: bool,
) -> None:
    """Join the terminal of a service's own program, as docker attach does."""
    app, _, stack = open_stack_if_any(context, forgive=True)
    flags = ["--detach-keys", detach_keys] if detach_keys else []
    flags += ["--no-stdin"] if no_stdin else []
    place = inside.find(app, stack, service)
    inside.become_docker(context, app, place, "attach", *flags, words=())


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@no_shim_option
@quiet_option("Say nothing but errors.")
@dry_run_option
@shared_options
@click.pass_context
def restart(context: click.Context, *, services: tuple[str, ...]) -> None:
    """Stop and start services here (all, when none is named), as they are."""
    app, report, stack = open_stack(context, forgive=True)
    done = app.restarter.restart(stack, services)
    if report.as_json:
        report.json({"restarted": list(done)})
    elif not done:
        report.note(f"the stack '{stack.name}' has no container here")


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@quiet_option("Say nothing but errors.")
@dry_run_option
@shared_options
@click.pass_context
def pull(context: click.Context, *, services: tuple[str, ...]) -> None:
    """Fetch the images of what runs here, in their newest version."""
    app, report, stack = open_stack(context)
    done = app.images.pull(_here(app, stack, services))
    if report.as_json:
        report.json({"pulled": list(done)})


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@stack_options
@quiet_option("Say nothing but errors.")
@dry_run_option
@shared_options
@click.pass_context
def build(context: click.Context, *, services: tuple[str, ...]) -> None:
    """Build the images of what runs here and has a `build`."""
    app, report, stack = open_stack(context)
    done = app.images.build(_here(app, stack, services))
    if report.as_json:
        report.json({"built": list(done)})
    elif not done:
        report.note("no service here has a 'build'")


@click.command()
@stack_options
@click.option("--services", "names", is_flag=True, help="The services' names alone.")
@quiet_option("Print nothing: check the files.")
@shared_options
@click.pass_context
def config(context: click.Context, *, names: bool) -> None:
    """Show the stack as it is read: files merged, variables put in, `extends` followed."""
    from macvlan_ros import stack as stacks

    _, report, loaded = open_stack(context)
    for note in loaded.notes:
        report.note(note)
    if report.quiet:
        return
    if names:
        report.lines("services", [one.name for one in stacks.enabled(loaded)])
        return
    paths = [Path(file) for file in loaded.files]
    given = choices(context).project_name or None
    tree = stacks.plain(stacks.resolve(paths, project_name=given))
    if report.as_json:
        report.json(tree)
    else:
        report.text(stacks.to_yaml(stacks.escape(tree)))


def _here(app: App, stack: Stack, names: tuple[str, ...]) -> tuple[Service, ...]:
    from macvlan_ros.launching import placement

    return placement.select(stack, names, host=app.settings.host_name)


def _terminal(no_tty: bool) -> list[str]:
    whole = sys.stdin.isatty() and sys.stdout.isatty() and not no_tty
    return ["--interactive", "--tty"] if whole else ["--interactive"]


COMMANDS = (exec_, shell, attach, restart, pull, build, config)
