"""Images made on the spot: nothing can be pulled into a LAN that has no way out.

An image is one static busybox, a link for each of its programs, and three scripts. It is big
enough to look around (ping, arping, ip, nslookup, wget, nc, httpd) and imports in a blink.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import LabError

#: Waits for ever, and ends at once on SIGTERM, which the shell as process 1 would ignore.
REST = """#!/bin/sh
trap 'exit 0' TERM INT
while :; do sleep 3600 & wait $!; done
"""

#: People's stacks start bash; the shell that is here knows enough of it.
BASH = """#!/bin/sh
exec /bin/sh "$@"
"""

#: Answers every TCP connection on port $1 with line $2.
ANSWER = """#!/bin/sh
trap 'exit 0' TERM INT
while :; do nc -l -p "$1" -e /bin/echo "$2" & wait $!; done
"""

#: Where scripts/setup puts one when the machine's own is another.
UNPACKED = Path(__file__).resolve().parents[2] / ".lab" / "busybox"

SCRIPTS = {"bin/rest": REST, "bin/bash": BASH, "bin/answer": ANSWER}
FOLDERS = ("bin", "etc", "root", "tmp", "var", "usr/bin", "run", "www")


def image_changes(
    *,
    env: Mapping[str, str],
    entrypoint: Sequence[str] | None,
    cmd: Sequence[str] | None,
    changes: Sequence[str] = (),
) -> list[str]:
    """Dockerfile instructions for `docker import -c`, in the order that they apply."""
    lines = [f"ENV {name}={json.dumps(value)}" for name, value in env.items()]
    if entrypoint is not None:
        lines.append(f"ENTRYPOINT {json.dumps(list(entrypoint))}")
    lines.append(f"CMD {json.dumps(list(cmd if cmd is not None else ['/bin/rest']))}")
    return [*lines, *changes]


@functools.cache
def root_filesystem(extra: tuple[tuple[str, str], ...] = ()) -> bytes:
    """A tar archive of the image's files; `extra` are more of them, as (path, text)."""
    busybox = static_busybox()
    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        _add_file(archive, "bin/busybox", busybox.read_bytes())
        for applet in listing.stdout.split():
            if applet not in ("busybox", "bash"):
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
        for path, text in (*SCRIPTS.items(), *extra):
            _add_file(archive, path, text.encode())
    return buffer.getvalue()


def static_busybox() -> Path:
    """A busybox that needs no shared libraries: the machine's, or the one that `make` unpacked.

    Raises LabError if there is none.
    """
    for found in (UNPACKED, shutil.which("busybox", path="/bin:/usr/bin")):
        if found and Path(found).exists() and b"/ld-" not in Path(found).read_bytes()[:4096]:
            return Path(found)
    raise LabError("the lab's images need a static busybox; get it with: make setup-lab")


def _add_file(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.size = 0o755, len(content)
    archive.addfile(entry, io.BytesIO(content))
