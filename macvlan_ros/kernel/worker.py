"""A thread that owns one resource, in a network namespace of its own if need be.

Any number of threads may ask it to do something; it does one thing after another, and nobody waits
for it longer than a given time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from macvlan_ros.errors import Unavailable
from macvlan_ros.kernel import namespaces


class Closeable(Protocol):
    """What a worker can own."""

    def close(self) -> None: ...


R = TypeVar("R", bound=Closeable)
T = TypeVar("T")


class Worker(Generic[R]):
    """Opens the resource at the first call, closes it with `close`. `timeout` is in seconds."""

    def __init__(
        self, opener: Callable[[], R], *, namespace: Path | None, timeout: float, what: str
    ) -> None:
        self._opener = opener
        self._namespace = namespace
        self._timeout = timeout
        self._what = what
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._resource: R | None = None

    def run(self, call: Callable[[R], T]) -> T:
        """Call `call(resource)` in the thread and return what it returns, or raise its error.

        Raises `NotFound` when the namespace is gone, `Forbidden` or `KernelRefused` when it cannot
        be entered, `Unavailable` after the time is up or when the worker is closed.
        """
        with self._lock:
            if self._closed:
                raise Unavailable(f"{self._what} is closed")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="macvlan-ros")
            future = self._pool.submit(self._call, call)
        return self._wait(future)

    def close(self) -> None:
        """Close the resource and end the thread. Closing twice is fine."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            closed = pool.submit(self._close)
            pool.shutdown(wait=False)
            self._wait(closed)

    def _call(self, call: Callable[[R], T]) -> T:
        if self._resource is None:
            if self._namespace is not None:
                namespaces.enter(self._namespace)
            self._resource = self._opener()
        return call(self._resource)

    def _close(self) -> None:
        if self._resource is not None:
            self._resource.close()
            self._resource = None

    def _wait(self, future: Future[T]) -> T:
        try:
            return future.result(timeout=self._timeout)
        except FutureTimeout as error:
            if future.done():  # since Python 3.11 a call's own ETIMEDOUT is this class too
                raise
            future.cancel()
            raise Unavailable(f"{self._what} did not answer in {self._timeout:g} s") from error
