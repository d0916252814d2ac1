"""What a line begins with before its flags: docker run, sudo docker container run … Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from macvlan_ros.errors import InvalidRequest

#: Programs that take what `docker run` takes, and the flags that each adds to it.
_PROGRAMS: dict[str, tuple[str, ...]] = {
    "docker": (),
    "podman": (),
    # NVIDIA's wrapper of years ago: nothing but a run with its runtime
    "nvidia-docker": ("--runtime=nvidia",),
    "macvlan-ros": (),
}
_WITH_VALUE = ("-H", "--host", "-c", "--context", "--config", "-l", "--log-level")


def after_run(words: Sequence[str]) -> tuple[str, ...]:
    """The flags of a whole line, and what follows them. Raises InvalidRequest for another line."""
    names = [posixpath.basename(word) for word in words]
    at = next((number for number, name in enumerate(names) if name in _PROGRAMS), None)
    if at is None:
        raise _wrong("there is none in what is given")
    left = list(words[at + 1 :])
    while left and (left[0] == "container" or left[0].startswith("-")):
        # flags of docker itself, as `--context robot`
        left = left[2 if left[0] in _WITH_VALUE else 1 :]
    if not left or left[0] != "run":
        raise _wrong(f"'{' '.join([names[at], *left[:1]])}' is another")
    return (*_PROGRAMS[names[at]], *left[1:])


def _wrong(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"import takes a `docker run` line, and {why}; write it as it is: macvlan-ros import --"
        " docker run --name talker ros:noetic"
    )
