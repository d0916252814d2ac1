"""Lean imports: modules of a package without all that the package's own __init__ gathers.

pyroute2's loads everything that the library has, from conntrack to 9P: 30 ms and 6 MiB for a
service that needs one socket of it.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

__all__ = ["without_init"]

# Held by the one thread that imports; whoever else wants something of a package waits for it.
_lock = threading.RLock()


class _Bare(ModuleType):
    """A package whose __init__ has not run. It runs when it is asked for what only it has, so that
    nobody else in the process finds less in the package than is there."""

    __whole = False

    def __getattr__(self, name: str) -> object:
        with _lock:
            if not self.__whole and not name.startswith("__") and not _importing:
                self.__whole = True
                assert self.__spec__ is not None
                assert self.__spec__.loader is not None
                self.__spec__.loader.exec_module(self)
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


# The packages whose modules are being imported just now, all by the thread that has the lock.
_importing: list[str] = []


@contextmanager
def without_init(package: str) -> Iterator[None]:
    """Within the block modules of the package are imported without its __init__.

    Nothing changes when that has run already. Raises ModuleNotFoundError.
    """
    with _lock:
        if package not in sys.modules:
            spec = importlib.util.find_spec(package)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)
            bare = importlib.util.module_from_spec(spec)
            bare.__class__ = _Bare
            sys.modules[package] = bare
        _importing.append(package)
        try:
            yield
        finally:
            _importing.remove(package)
