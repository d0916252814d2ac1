"""Running something without privileges, from tests that run as root."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def unprivileged() -> list[str]:
    """The words before a command that take every capability from it.

    It runs as the owner of this working tree, who can read it wherever it lies: nobody can not,
    and neither can root without capabilities when it is in somebody's home.
    """
    owner = ROOT.stat()
    whose = [f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
    return ["setpriv", *whose, "--bounding-set=-all", "--inh-caps=-all"]
