"""Programs of the system that the doctor asks; each is bounded, and may be missing."""

from __future__ import annotations

import os
import shutil
import subprocess

_SECONDS = 3.0
#: Programs that a user's own PATH may not lead to.
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"


def said(*command: str) -> str | None:
    """What it printed, in English; None when it is not there, failed, or took longer than 3 s."""
    program = shutil.which(command[0]) or shutil.which(command[0], path=_PATH)
    if program is None:
        return None
    try:
        done = subprocess.run(
            (program, *command[1:]),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
