"""The border that every call to Docker crosses: what `engine.Engine` lends to its parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any

from macvlan_ros.docker_api.plain import PlainClient

#: Seconds for a call that only looks something up.
QUICK = 5
#: Seconds for a call that changes something.
SLOW = 60


class Calls(ABC):
    """Base of the groups of calls; `Engine` is all of them together."""

    #: The names of containers by their id, for messages: nobody knows a container by its id.
    names: dict[str, str]

    @abstractmethod
    def asking(self, doing: str, *, quick: bool = False) -> AbstractContextManager[PlainClient]:
        """Lend what asks Docker, and turn all that this may raise into our errors.

        `doing` ends the sentence "Docker cannot …". `quick` calls last at most `QUICK` seconds
        each, others at most `SLOW`.
        """

    def list_networks(self, **wanted: Any) -> list[dict[str, Any]]:
        """GET /networks; `wanted` is what `PlainClient.networks` takes."""
        with self.asking("list its networks", quick=True) as client:
            return client.networks(**wanted)

    def list_containers(self, **wanted: Any) -> list[dict[str, Any]]:
        """GET /containers/json; `wanted` is what `PlainClient.containers` takes."""
        with self.asking("list its containers", quick=True) as client:
            return client.containers(**wanted)

    @abstractmethod
    def streaming(self, doing: str) -> AbstractContextManager[Any]:
        """The same with the Docker SDK's `APIClient`, for what Docker tells bit by bit; no silence
        lasts longer than `SLOW` seconds, if the call says no other number."""
