"""The border that every call to Docker crosses: what `engine.Engine` lends to its parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any

#: Seconds for a call that only looks something up.
QUICK = 5
#: Seconds for a call that changes something.
SLOW = 60


class Calls(ABC):
    """Base of the groups of calls; `Engine` is all of them together."""

    #: The names of containers by their id, for messages: nobody knows a container by its id.
    names: dict[str, str]

    @abstractmethod
    def asking(self, doing: str, *, quick: bool = False) -> AbstractContextManager[Any]:
        """Lend the Docker SDK's `APIClient`, and turn all that Docker may raise into our errors.

        `doing` ends the sentence "Docker cannot …". `quick` calls last at most `QUICK` seconds
        for each answer, others at most `SLOW`.
        """
