"""Network namespaces: do one thing inside another one, without a process of its own."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from macvlan_ros.errors import Forbidden, KernelRefused, NotFound

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000


def inside(path: Path | None, action: Callable[[], T]) -> T:
    """What `action` returns, run in the network namespace at `path` (None is this one).

    A socket that it opens stays in that namespace. It runs in a thread that ends with it:
    setns(2) moves one thread, and no thread that moved is ever used again. Raises what `action`
    raises, NotFound when nothing is at `path`, Forbidden without CAP_SYS_ADMIN.
    """
    if path is None:
        return action()

    def visit() -> T:
        enter(path)
        return action()

    with ThreadPoolExecutor(1, thread_name_prefix="namespace") as one:
        return one.submit(visit).result()


def enter(path: Path) -> None:
    """Move the calling thread, and no other, to the namespace at `path`, for the rest of its life.

    Raises NotFound when nothing is there, Forbidden without CAP_SYS_ADMIN, KernelRefused.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"no network namespace at {path}; does the container run?") from error
    except PermissionError as error:
        raise Forbidden(f"may not open the network namespace {path}; run as root") from error
    try:
        # os.setns came with Python 3.12 only
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET):
            number = ctypes.get_errno()
            if number == 1:
                raise Forbidden(
                    f"may not enter the network namespace {path}; it takes CAP_SYS_ADMIN: "
                    "run as root"
                )
            raise KernelRefused(
                f"cannot enter the network namespace {path}: {os.strerror(number)}", number
            )
    finally:
        os.close(handle)
