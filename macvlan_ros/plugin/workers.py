"""Workers: threads that run one piece of work each, for callers that wait only so long.

A piece of work may get stuck (a kernel lock, a disk that does not answer); its caller must not.
The threads are daemons, so that a stuck one cannot keep the process alive, and they stay, so
that what a thread holds open (its SQLite connection) is opened once and not for every request.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Broken", "TooLate", "Workers"]

T = TypeVar("T")


class TooLate(TimeoutError):
    """The work did not end in time. `begun` is False when no thread was free to begin it."""

    def __init__(self, begun: bool) -> None:
        super().__init__("the work did not end in time")
        self.begun = begun


class Broken(RuntimeError):
    """The work ended with an error of the program's own; its thread has reported it."""


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Callable[[], T]
    undo: Callable[[T], None] | None
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    begun: bool = False
    given_up: bool = False
    results: list[T] = field(default_factory=list)

    def begin(self) -> bool:
        with self.lock:
            self.begun = not self.given_up
            return self.begun

    def end(self, result: T) -> None:
        with self.lock:
            late = self.given_up
            self.results.append(result)
        if late and self.undo is not None:
            self.undo(result)

    def give_up(self) -> bool:
        """Tell the work that nobody waits for it; False when it ended just now."""
        with self.lock:
            if self.results:
                return False
            self.given_up = True
            return True


class Workers:
    """At most `most` threads, started when needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[_Job[object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0

    def run(
        self, work: Callable[[], T], *, seconds: float, undo: Callable[[T], None] | None = None
    ) -> T:
        """The result of `work()`, waited for that many seconds.

        Raises `TooLate`; if the work had begun it goes on, and what it returns later is given to
        `undo`, on its own thread. Raises `Broken` when the work raised.
        """
        job = _Job(work, undo)
        self._hand_over(job)
        if not job.ended.wait(seconds) and job.give_up():
            raise TooLate(job.begun)
        if not job.results:
            raise Broken("the program has an error of its own; its log has the details")
        return job.results[0]

    def begin(self, work: Callable[[], object]) -> None:
        """Have the work done; it is not waited for."""
        self._hand_over(_Job(work, None))

    def _hand_over(self, job: _Job[T]) -> None:
        with self._lock:
            self._busy += 1
            start = self._busy > self._threads and self._threads < self._most
            self._threads += start
        self._jobs.put(job)  # type: ignore[arg-type]  # the queue holds jobs of every kind
        if start:
            threading.Thread(target=self._serve, name="macvlan-ros worker", daemon=True).start()

    def _serve(self) -> None:
        # An error in a piece of work ends this thread through threading.excepthook, which
        # reports it with its traceback; the next piece of work starts another thread.
        try:
            while True:
                self._do(self._jobs.get())
        finally:
            with self._lock:
                self._threads -= 1

    def _do(self, job: _Job[object]) -> None:
        try:
            if job.begin():
                job.end(job.work())
        finally:
            with self._lock:
                self._busy -= 1
            job.ended.set()
