"""Python packages from PyPI as a folder, for the Python in the lab's images; made once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import debian
from .errors import LabError

#: The Python of Debian bookworm, which ros_image.py has.
PYTHON = "3.11"
#: Cyclone DDS and zenoh, on which ROS 2 stands.
ROS2 = ("cyclonedds==11.0.1", "eclipse-zenoh==1.10.2")
LIMIT = 150.0


def folder(packages: Sequence[str]) -> Path:
    """A folder for PYTHONPATH with these packages, without what they depend on.

    Raises LabError when they cannot be had.
    """
    recipe = repr((sorted(packages), PYTHON))
    made = debian.KEPT / f"wheels-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    debian.KEPT.mkdir(exist_ok=True)
    with debian.one_at_a_time(made):
        if not made.exists():
            work = made.with_suffix(".work")
            shutil.rmtree(work, ignore_errors=True)
            try:
                _fetch(work, packages)
                work.rename(made)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return made


def _fetch(work: Path, packages: Sequence[str]) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    pip += ["--no-deps", "--no-compile", "--only-binary", ":all:", "--python-version", PYTHON]
    command = [*pip, "--target", str(work), *packages]
    failed = f"the packages {' '.join(packages)} cannot be fetched"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"{failed}: no end after {LIMIT:g} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise LabError(f"{failed}: {said[-1]}")


if __name__ == "__main__":
    sys.stdout.write(f"{folder(ROS2)}\n")
