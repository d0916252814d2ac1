"""Images: what a stack's services are made from, found, built or pulled before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from macvlan_ros.docker_api.values import Image
from macvlan_ros.engine import Engine
from macvlan_ros.errors import ImageNotFound
from macvlan_ros.models.containers import Service


@runtime_checkable
class Rehearsing(Protocol):
    """An engine that only writes down what it would be told."""

    def build(self, name: str) -> None:
        """An image would be built."""


class Images:
    """Sees to the images of one engine. `docker` names that engine for Docker's own command line,
    which builds; `meter` hears how far a pull is."""

    def __init__(
        self,
        engine: Engine,
        *,
        docker: str,
        note: Callable[[str], None],
        progress: Callable[[str], None],
        meter: Callable[[str], None],
        quiet: bool = False,
    ) -> None:
        self._engine = engine
        self._docker = docker
        self._note = note
        self._progress = progress
        self._meter = meter
        self._quiet = quiet

    def ensure(self, services: Sequence[Service], *, rebuild: bool = False) -> dict[str, Image]:
        """The image of each service, by its name: one that is missing is built or pulled.

        `rebuild` builds again what is built. Raises ImageNotFound, NotFound, EngineRefused,
        Unavailable.
        """
        images: dict[str, Image] = {}
        for service in services:
            if service.image not in images:
                images[service.image] = self._image(service, rebuild=rebuild)
        return images

    def known(self, services: Sequence[Service]) -> dict[str, Image]:
        """What is known of each image, by its name; of one that is not there yet, nothing."""
        images: dict[str, Image] = {}
        for service in services:
            try:
                images[service.image] = self._engine.image(service.image)
            except ImageNotFound:
                images[service.image] = Image("", {}, None, None, {})
        return images

    def build(self, services: Sequence[Service]) -> tuple[str, ...]:
        """Build the images of those services that have a `build`, each once; their names."""
        built = {one.image: one for one in services if one.build}
        for service in built.values():
            self._build(service)
        return tuple(built)

    def pull(self, services: Sequence[Service]) -> tuple[str, ...]:
        """Pull the images of those services that are not built here, each once; their names."""
        pulled = {one.image: one for one in services if not one.build}
        for service in pulled.values():
            self._pull(service)
        return tuple(pulled)

    def _image(self, service: Service, *, rebuild: bool) -> Image:
        if service.build and rebuild:
            return self._build(service)
        try:
            found = self._engine.image(service.image)
        except ImageNotFound:
            if service.build:
                return self._build(service)
            if service.pull_policy == "never":
                raise
            return self._pull(service)
        if service.build:
            self._note(
                f"{service.name}: the image {service.image} is used as it was built"
                " (anew with: --build)"
            )
        elif service.pull_policy == "always":
            return self._pull(service)
        return found

    def _build(self, service: Service) -> Image:
        if isinstance(self._engine, Rehearsing):
            self._engine.build(service.image)
            return self._engine.image(service.image)
        from macvlan_ros.docker_cli import finding
        from macvlan_ros.docker_cli.building import build_image

        cli = finding.find(self._docker, needed_for="building an image")
        self._progress(f"{service.name}: building {service.image}")
        build_image(cli, service, quiet=self._quiet)
        return self._engine.image(service.image)

    def _pull(self, service: Service) -> Image:
        self._progress(f"{service.name}: pulling {service.image}")
        self._engine.pull(service.image, progress=self._meter, platform=service.platform)
        return self._engine.image(service.image)
