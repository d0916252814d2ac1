"""Files for a container, in the form that the engine takes them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping


def archive(files: Mapping[str, bytes], *, mode: int = 0o644) -> bytes:
    """What `APIClient.put_archive` takes for the container's root: files by absolute path. The same
    files make the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size = mode, len(content)
            made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
