"""What SQLite's and the system's errors mean for a store's file, and what to do about them."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from macvlan_ros.errors import Forbidden, StoreDown, Unavailable

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain_sqlite(error: sqlite3.Error, path: Path, *, writing: bool) -> Unavailable:
    """The error to raise for one of SQLite's. Known by their texts, which are the same in every
    version; Python tells their codes only from 3.11 on."""
    text = str(error)
    if "locked" in text:
        return locked(path)
    if "disk is full" in text:
        return full(path)
    if "readonly" in text:
        return forbidden(path, writing=writing)
    if "unable to open" in text:
        return _explain_unopened(path, text, writing=writing)
    if isinstance(error, sqlite3.OperationalError) and "I/O" in text:
        return StoreDown(f"store {path}: {text}; look at the disk (dmesg), then try again")
    return damaged(path, text)


def explain_system(error: OSError, path: Path, *, writing: bool) -> Unavailable:
    """The error to raise for one of the system's, met around the file."""
    if error.errno in _REFUSED:
        return forbidden(path, writing=writing)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(path)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        blocking = next((each for each in path.parents if each.is_file()), path.parent)
        return StoreDown(
            f"store {path}: {blocking} is not a folder; name another path with --store or "
            "MACVLAN_ROS_STORE"
        )
    return StoreDown(f"store {path}: {error.strerror}; name another path with --store")


def locked(path: Path) -> StoreDown:
    """Another process has been writing for longer than anyone should."""
    return StoreDown(
        f"store {path}: another process keeps it locked; try again, and see which one with: "
        f"fuser -v {path}"
    )


def full(path: Path) -> StoreDown:
    """No room to write."""
    return StoreDown(
        f"store {path}: no space left on its disk, nothing was changed; free some, then try again"
    )


def forbidden(path: Path, *, writing: bool) -> Forbidden:
    """The user may not."""
    return Forbidden(
        f"store {path}: no right to {'write' if writing else 'read'} it; use sudo, or a store of "
        "your own: --store ~/.local/share/macvlan-ros/state.db (or MACVLAN_ROS_STORE)"
    )


def damaged(path: Path, reason: str) -> StoreDown:
    """What is in the file is not what was written."""
    return StoreDown(
        f"store {path}: damaged ({reason}); put a backup in its place, or begin anew after: "
        f"mv {path} {path}.damaged"
    )


def foreign(path: Path) -> StoreDown:
    """A sound database, of somebody else's."""
    return StoreDown(
        f"store {path}: is another program's database, left as it is; name another path with "
        "--store or MACVLAN_ROS_STORE"
    )


def no_file(path: Path) -> StoreDown:
    """Something that keeps nothing."""
    return StoreDown(f"store {path}: is a device or a pipe; name a file with --store")


def newer(path: Path, *, found: int, known: int) -> StoreDown:
    """From a later release."""
    return StoreDown(
        f"store {path}: has schema version {found}, and this macvlan-ros knows up to {known}; "
        "upgrade it with: pip install --upgrade macvlan-ros"
    )


def older(path: Path, *, found: int, known: int) -> StoreDown:
    """From an earlier release, met by a user who may not migrate it."""
    return StoreDown(
        f"store {path}: has schema version {found}, this macvlan-ros reads {known}; bring it up "
        "to date once with: sudo macvlan-ros list"
    )


def _explain_unopened(path: Path, text: str, *, writing: bool) -> Unavailable:
    if path.is_dir():
        return StoreDown(
            f"store {path}: is a folder; name a file in it, like --store {path}/state.db"
        )
    # A log that this user may not open or make is no different from the file itself.
    folder_mode = os.W_OK | os.X_OK if writing else os.X_OK
    file_mode = os.R_OK | os.W_OK if writing else os.R_OK
    if not os.access(path.parent, folder_mode) or not os.access(path, file_mode):
        return forbidden(path, writing=writing)
    return StoreDown(f"store {path}: {text}; name another path with --store")
