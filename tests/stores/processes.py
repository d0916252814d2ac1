"""Child processes for tests: as another user, many at once, or to be killed."""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any, TypeVar

from macvlan_ros.errors import MacvlanRosError

T = TypeVar("T")

NOBODY = 65534


@dataclass(slots=True)
class Child:
    """A forked process and the end of the pipe that it reports to."""

    pid: int
    reports: int
    status: int | None = None

    def read(self, *, seconds: float = 60.0) -> bytes:
        """All that it reports until it ends. Raises TimeoutError."""
        deadline, found = time.monotonic() + seconds, bytearray()
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.reports], [], [], left)[0]:
                raise TimeoutError(f"child {self.pid} does not end")
            piece = os.read(self.reports, 65536)
            if not piece:
                return bytes(found)
            found += piece

    def read_some(self, *, seconds: float = 60.0) -> bytes:
        """What it reports first. Raises TimeoutError."""
        if not select.select([self.reports], [], [], seconds)[0]:
            raise TimeoutError(f"child {self.pid} says nothing")
        return os.read(self.reports, 65536)

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status, negative for a signal."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


@contextmanager
def fork(work: Callable[[int], None]) -> Iterator[Child]:
    """Run `work` in a child, with a descriptor to report to; the child ends with the block."""
    reports, reporting = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reports)
            work(reporting)
            status = 0
        finally:
            if sys.exc_info()[0]:
                traceback.print_exc()
            os._exit(status)
    os.close(reporting)
    child = Child(pid, reports)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        os.close(reports)


def run_all(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run each job in a process of its own, all at once; return or raise what they do."""

    def begin(index: int, running: list[Child]) -> list[bytes]:
        if index == len(jobs):
            return [child.read(seconds=150) for child in running]
        with fork(lambda reporting: _report(jobs[index], reporting)) as child:
            return begin(index + 1, [*running, child])

    found = begin(0, [])
    assert all(found), "a child died of what it could not report; see its traceback"
    outcomes = [pickle.loads(each) for each in found]
    for error in (outcome for outcome in outcomes if isinstance(outcome, BaseException)):
        raise error
    return outcomes


def as_nobody(job: Callable[[], T]) -> T:
    """Run the job as a user without rights of its own; return or raise what it does."""

    def demoted() -> T:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        return job()

    return run_all([demoted])[0]


def die_after(steps: int, *modules: ModuleType) -> None:
    """Kill this process by SIGKILL before its next `steps`-th line of these modules runs."""
    watched = {module.__file__ for module in modules}
    left = steps

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in watched:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def _report(job: Callable[[], Any], reporting: int) -> None:
    try:
        outcome = job()
    except (MacvlanRosError, OSError, AssertionError) as error:
        outcome = error
    with os.fdopen(reporting, "wb") as pipe:
        pickle.dump(outcome, pipe)
