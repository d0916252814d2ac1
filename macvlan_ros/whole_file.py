"""A file that is written wholly or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from macvlan_ros.errors import Forbidden, InvalidRequest, MacvlanRosError, Unavailable

__all__ = ["cannot_write", "is_stream", "write_whole"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_REFUSED = (errno.EACCES, errno.EPERM)


def write_whole(path: Path, text: str, *, mode: int = 0o644, new: bool = False) -> None:
    """Write the text into the file, which is replaced and keeps its owner, or with `new` must not
    be there. What is no file (/dev/stdout, a pipe) is written to, and a link leads to its file.

    Raises FileExistsError, BrokenPipeError, Forbidden, Unavailable (a full disk), InvalidRequest.
    """
    try:
        if new:
            _place(path, text, mode, put=os.link)
        elif is_stream(path):
            path.write_text(text, encoding="utf-8")
        else:
            _place(path.resolve(), text, mode, put=os.replace)
    except (FileExistsError, BrokenPipeError):
        raise
    except OSError as error:
        raise cannot_write(path, error) from error


def is_stream(path: Path) -> bool:
    """Whether a device or a pipe stands there, like /dev/stdout: it is written to, for others would
    miss its node. Raises OSError, and InvalidRequest for a disk or a socket."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        raise InvalidRequest(f"{path} is a disk or a socket; name a file")
    return stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)


def _place(path: Path, text: str, mode: int, *, put: Callable[[str, Path], None]) -> None:
    descriptor, work = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(work).chmod(mode)
        if path.exists() and os.geteuid() == 0:  # what sudo changes stays its owner's
            there = path.stat()
            os.chown(work, there.st_uid, there.st_gid)
        put(work, path)
    finally:
        Path(work).unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> MacvlanRosError:
    """The error to raise for one of the system's."""
    if error.errno == errno.EROFS:
        return Forbidden(f"{path} cannot be written ({error.strerror}); put it elsewhere")
    if error.errno in _REFUSED:
        return Forbidden(f"{path} cannot be written ({error.strerror}); do it as its owner")
    if error.errno in _FULL:
        return Unavailable(
            f"{path} cannot be written ({error.strerror}), and nothing is left of it; make room"
        )
    return InvalidRequest(f"{path} cannot be written ({error.strerror}); name another file")
