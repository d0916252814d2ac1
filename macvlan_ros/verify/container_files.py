"""Files of a container, read from outside, with nothing of the container's own being run."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST = 1 << 20
#: As many links as the kernel follows (path_resolution(7)).
_MOST_LINKS = 40


def read(root: Path, path: str) -> str | None:
    """A small file of the container whose root folder that is, by its absolute path there; None
    where there is none. Links are followed as the container follows them, so never out of it."""
    found = _resolved(root, path)
    if found is None:
        return None
    try:
        # what is there may change meanwhile: a link that came since is not followed
        handle = os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(handle, _LONGEST).decode("utf-8", errors="replace")
    except OSError:  # a folder
        return None
    finally:
        os.close(handle)


def _resolved(root: Path, path: str) -> Path | None:
    """The same path without links, from outside."""
    ahead, behind, links = path.split("/")[::-1], list[str](), 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            behind = behind[:-1]
        elif part not in ("", "."):
            try:
                target = (root.joinpath(*behind) / part).readlink()
            except OSError:  # no link
                behind.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            behind = [] if target.is_absolute() else behind
            ahead += str(target).split("/")[::-1]
    return root.joinpath(*behind)
