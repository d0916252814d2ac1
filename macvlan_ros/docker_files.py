"""Files for a container, in the form that the engine takes them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping


def archive(files: Mapping[str, str]) -> bytes:
    """What `APIClient.put_archive` takes for the container's root: text files by absolute path,
    which everybody may read. The same files make the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            content = text.encode()
            entry.mode, entry.size = 0o644, len(content)
            made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
