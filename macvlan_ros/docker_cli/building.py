"""Building images, by Docker's own command line: it has BuildKit, and knows what to send where."""

from __future__ import annotations

import os
import posixpath
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from macvlan_ros.docker_cli.finding import DockerCli, cannot_run
from macvlan_ros.errors import EngineRefused, NotFound
from macvlan_ros.models.containers import Build, Service

#: Flags that only BuildKit has.
_NEEDING = ("--secret", "--ssh", "--cache-to", "--build-context")


def build_image(
    cli: DockerCli,
    service: Service,
    *,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Build a service's image under its name; Docker's own progress goes to stderr.

    Raises NotFound when the folder or the Dockerfile is not there, EngineRefused when the build
    fails, Unavailable when docker cannot be run.
    """
    recipe = service.recipe or Build(".")
    _check(service, recipe)
    words = [*cli.words, "build", *arguments(service.image, recipe)]
    sys.stderr.flush()
    try:
        done = subprocess.run(
            words,
            input=recipe.inline.encode() if recipe.inline else None,
            stdin=None if recipe.inline else subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else sys.stderr.fileno(),
            stderr=subprocess.STDOUT if quiet else None,
            check=False,
            env={**_buildkit(recipe), **environ, **recipe.variables},
        )
    except OSError as error:
        raise cannot_run(cli.program, error) from None
    if done.returncode:
        said = f": {_last(done.stdout)}" if quiet else "; its output says why"
        raise EngineRefused(
            f"services.{service.name}: the image {service.image} was not built: docker build ended"
            f" with {done.returncode}{said}"
        )


def arguments(image: str, recipe: Build) -> list[str]:
    """What stands after `docker build`."""
    words = ["--tag", image]
    if recipe.inline:
        words += ["--file", "-"]
    elif recipe.dockerfile:
        words += ["--file", posixpath.join(recipe.context, recipe.dockerfile)]
    for name, value in recipe.arguments.items():
        words += ["--build-arg", name if value is None else f"{name}={value}"]
    for flag, value in recipe.options:
        words += [flag] if value == "true" and flag in ("--no-cache", "--pull") else [flag, value]
    return [*words, recipe.context]


def _buildkit(recipe: Build) -> dict[str, str]:
    """Docker before 23 builds without BuildKit, unless it is told to."""
    return {"DOCKER_BUILDKIT": "1"} if any(flag in _NEEDING for flag, _ in recipe.options) else {}


def _check(service: Service, recipe: Build) -> None:
    """Docker's own words for these do not name the service."""
    if not recipe.context.startswith("/"):
        return  # a URL
    place = f"services.{service.name}.build"
    if not Path(recipe.context).is_dir():
        raise NotFound(f"{place}: there is no folder {recipe.context}")
    file = posixpath.join(recipe.context, recipe.dockerfile or "Dockerfile")
    for flag, value in recipe.options:
        source = value.partition(",src=")[2]
        if flag == "--secret" and source and not Path(source).is_file():
            raise NotFound(f"{place}.secrets: there is no file {source}")
    if not recipe.inline and not Path(file).exists():
        raise NotFound(f"{place}: there is no {file}; write one, or name it at 'dockerfile'")


def _last(output: bytes) -> str:
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
