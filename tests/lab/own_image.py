"""Our own image, as the Dockerfile describes it, made of what this machine has: nothing can be
pulled into a lab. Its Python is the one that runs the tests."""

from __future__ import annotations

import functools
import importlib.util
import io
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

from .host import ROOT, Host

NAME = "macvlan-ros"
#: What `shim`, `scan`, `interfaces` and `verify` import.
PACKAGES = frozenset(
    {
        *("click", "netaddr", "pyroute2"),
        "ruamel.yaml",
        *("docker", "requests", "urllib3", "certifi", "idna", "charset_normalizer"),
    }
)
#: Of the standard library, what only takes room.
LEFT_OUT = frozenset(
    {
        *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"),
        *("pydoc_data", "site-packages", "dist-packages", "distutils"),
    }
)
_ENTRY = '#!/bin/sh\nPYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 exec {python} -m macvlan_ros "$@"\n'


def import_own_image(host: Host) -> None:
    """Makes the image in the host's engine, with the program `macvlan-ros`."""
    if NAME not in host.docker("images", "--format", "{{.Repository}}").split():
        host.run("/usr/bin/docker", "import", "-", NAME, input=_file_system())


@functools.cache
def _file_system() -> bytes:
    from .images import root_filesystem

    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    entry = _ENTRY.format(python=python)
    base = root_filesystem((("usr/bin/macvlan-ros", entry),))
    buffer = io.BytesIO(base)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        archive.add(python, str(python).lstrip("/"))
        archive.add(library, str(library).lstrip("/"), filter=_wanted)
        for file in sorted({*_libraries(python), *_modules_libraries(library)}):
            archive.add(file.resolve(), str(file).lstrip("/"))
        for name in sorted(PACKAGES):
            found = importlib.util.find_spec(name)
            assert found and found.origin, f"the tests need {name}; run: make setup"
            archive.add(Path(found.origin).parent, f"app/{name.replace('.', '/')}", filter=_wanted)
        archive.add(ROOT / "macvlan_ros", "app/macvlan_ros", filter=_wanted)
    return buffer.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    return None if name in LEFT_OUT or name.endswith(".a") or "config-3" in name else entry


def _modules_libraries(library: Path) -> Iterator[Path]:
    for name in ("_ssl", "_sqlite3", "_ctypes", "_bz2", "_lzma", "zlib", "_uuid"):
        for file in (library / "lib-dynload").glob(f"{name}.*.so"):
            yield from _libraries(file)


def _libraries(program: Path) -> Iterator[Path]:
    """The shared libraries that a program is linked with (ldd(1))."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        words = line.replace("=>", " ").split()
        for word in words:
            if word.startswith("/"):
                yield Path(word)
