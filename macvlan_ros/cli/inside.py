"""Into a container: which one a name means, and on which engine it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import click

from macvlan_ros.errors import Conflict, DockerDown, Forbidden, NotFound

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.chair.run import Step
    from macvlan_ros.docker_values import Container
    from macvlan_ros.models.stacks import Stack


def become_docker(
    context: click.Context, app: App, place: tuple[str, str], *flags: str, words: tuple[str, ...]
) -> NoReturn:
    """Become `docker FLAGS CONTAINER WORDS` at a `place`, which is an engine and a container there:
    its terminal, signals and exit code are the user's."""
    from macvlan_ros.docker_cli import finding, passing

    engine, container = place
    cli = finding.find(engine, needed_for=f"macvlan-ros {context.info_name}")
    app.close()
    passing.become([*cli.words, *flags, container, *words])


def find(app: App, stack: Stack | None, name: str) -> tuple[str, str]:
    """The engine, and the running container there, that a name means: a service's, on whichever
    host the stack puts it, else this engine's container of that very name.

    Raises NotFound and its kin, Conflict for one that does not run, and what keeps another host
    from being asked.
    """
    if stack is not None and name in stack.services:
        return _of_service(app, stack, name)
    found = standing(app, stack, name)
    if not found.running:
        raise Conflict(
            f"the container '{name}' does not run ({found.state}); start it with: docker start"
            f" {name}, see why with: docker logs {name}"
        )
    return app.settings.docker, found.name


def standing(app: App, stack: Stack | None, name: str) -> Container:
    """This engine's container of that very name, in any state. Raises NotFound."""
    from macvlan_ros import stack as stacks

    try:
        found = app.engine.named([name]).get(name)
    except (DockerDown, Forbidden):
        if stack is None:
            raise
        found = None  # what is no service is told without Docker, too
    if found is not None:
        return found
    if stack is not None:
        stacks.select(stack, [name])  # for its error
    raise NotFound(
        f"there is no container '{name}', and no stack file here that has such a service; name the"
        " file with -f FILE"
    )


def _of_service(app: App, stack: Stack, name: str) -> tuple[str, str]:
    from macvlan_ros import placement

    service = stack.services[name]
    entry = stack.hosts.get(service.host)
    here = placement.is_here(service, app.settings.host_name)
    if here or entry is None or not entry.docker:
        return app.settings.docker, app.running.one(stack, name).name
    # that host alone is asked, not all of them
    desk = app.desk(replace(stack, hosts={entry.name: entry}), told=_nobody)
    return entry.docker, desk.running_on(entry.name).one(stack, name, far=True).name


def _nobody(_step: Step) -> None:
    return None
