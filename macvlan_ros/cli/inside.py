"""Into a container: which one a name means, and on which engine it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import click

from macvlan_ros.errors import Conflict, DockerDown, Forbidden, NotFound

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.chair.run import Step
    from macvlan_ros.docker_api.values import Container
    from macvlan_ros.models.stacks import Stack


#: What sets ROS up in the images of ROS's own, before the program that it is given. `docker exec`
#: goes past it (https://github.com/osrf/docker_images/issues/693).
_SETS_UP = "ros_entrypoint.sh"

#: An engine's URL, and a container there.
Place = tuple[str, "Container"]


def with_ros(place: Place, *words: str) -> tuple[str, ...]:
    """The words as the container's own program is begun: with ROS set up, in an image of ROS's."""
    entrypoint = place[1].entrypoint
    sets_up = len(entrypoint) == 1 and entrypoint[0].rpartition("/")[2] == _SETS_UP
    return (*entrypoint, *words) if sets_up else words


def become_docker(
    context: click.Context, app: App, place: Place, *flags: str, words: tuple[str, ...]
) -> NoReturn:
    """Become `docker FLAGS CONTAINER WORDS` at a `place`, which is an engine and a container there:
    its terminal, signals and exit code are the user's."""
    from macvlan_ros.docker_cli import finding, passing

    engine, container = place
    cli = finding.find(engine, needed_for=f"macvlan-ros {context.info_name}")
    app.close()
    passing.become([*cli.words, *flags, container.name, *words])


def find(app: App, stack: Stack | None, name: str) -> Place:
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
    return app.settings.docker, found


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


def _of_service(app: App, stack: Stack, name: str) -> Place:
    from macvlan_ros.launching import placement

    service = stack.services[name]
    entry = stack.hosts.get(service.host)
    here = placement.is_here(service, app.settings.host_name)
    if here or entry is None or not entry.docker:
        return app.settings.docker, app.running.one(stack, name)
    # that host alone is asked, not all of them
    desk = app.desk(replace(stack, hosts={entry.name: entry}), told=_nobody)
    return entry.docker, desk.running_on(entry.name).one(stack, name, far=True)


def _nobody(_step: Step) -> None:
    return None
