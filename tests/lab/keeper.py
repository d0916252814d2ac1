"""The keeper: ends what a lab started, also when the lab's owner dies without a word.

It runs as a process of its own, outside the owner's session: `python keeper.py FOLDER OWNER_PID`.
When its standard input ends or the owner is gone it kills the lab's processes, and removes the
lab's control groups and its folder. Namespaces, links and mounts need no removal: none of them has
a name, so they vanish with the last process that uses them.

A process is the lab's if it carries the lab's mark in its environment (every process that the lab
starts does, and passes it on: dockerd, containerd, the shims), if it is in the lab's control group
(every container is), or if it descends from one of those.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "MACVLAN_ROS_LAB"
PREFIX = "macvlan-ros-lab-"
PATIENCE = 30.0


@dataclass(frozen=True)
class Process:
    """One process; `started` (clock ticks since boot) tells it from a later one of the same id."""

    pid: int
    parent: int
    started: int
    state: str

    @classmethod
    def read(cls, pid: int) -> Process | None:
        """The process of that id, or None if there is none (proc(5), /proc/PID/stat)."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return None
        fields = text[text.rindex(")") + 2 :].split()  # a command's name may hold anything
        return cls(pid=pid, state=fields[0], parent=int(fields[1]), started=int(fields[19]))

    def kill(self) -> None:
        """Ends the process, unless its id has passed to another one."""
        with handle_of(self.pid) as handle, contextlib.suppress(ProcessLookupError):
            now = Process.read(self.pid)
            if handle is not None and now is not None and now.started == self.started:
                signal.pidfd_send_signal(handle, signal.SIGKILL)


@contextlib.contextmanager
def handle_of(pid: int) -> Iterator[int | None]:
    """A process's descriptor (pidfd_open(2)), readable when it has ended; None if it is gone.

    While somebody else has a descriptor of a process that is buried, the kernel says EINVAL.
    """
    try:
        handle = os.pidfd_open(pid)
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EINVAL):
            raise
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def processes() -> dict[int, Process]:
    """All living processes of the machine by their ids."""
    found = (Process.read(int(path.name)) for path in Path("/proc").glob("[1-9]*"))
    return {process.pid: process for process in found if process and process.state not in "ZX"}


def marked(pid: int, mark: str) -> bool:
    """Whether a process carries the mark `LAB` or `LAB/HOST` itself, or one below it."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    label = f"{MARK}={mark}".encode()
    return any(entry == label or entry.startswith(label + b"/") for entry in environment)


def control_groups(mark: str) -> list[Path]:
    """The folders of the control groups made for a mark, one in each hierarchy."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = (line.split(" - ", 1) for line in lines)
    roots = [Path(left.split()[4]) for left, right in mounts if right.startswith("cgroup")]
    return [root / (PREFIX + mark) for root in roots if (root / (PREFIX + mark)).is_dir()]


def members(group: Path) -> set[int]:
    """The processes in a control group and in the groups below it."""
    pids: set[int] = set()
    for folder, _, files in os.walk(group):
        if "cgroup.procs" in files:
            with contextlib.suppress(OSError):
                pids.update(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
    return pids


def processes_of(mark: str, *, spare: Iterable[int] = ()) -> list[Process]:
    """The living processes of a lab, or of one host in it, with their descendants."""
    everyone = processes()
    found = {pid for pid in everyone if marked(pid, mark)}
    for group in control_groups(mark):
        found |= members(group)
    return descendants(found, everyone, spare={os.getpid(), *spare})


def descendants(
    found: set[int], everyone: dict[int, Process], *, spare: Iterable[int] = ()
) -> list[Process]:
    """These of all processes, and what they have started, but those to spare."""
    found, spared = found & everyone.keys(), set(spare)
    while True:
        children = {p.pid for p in everyone.values() if p.parent in found - spared} - found
        if not children:
            return [everyone[pid] for pid in found - spared]
        found |= children


def end(mark: str, *, spare: Iterable[int] = (), patience: float = PATIENCE) -> None:
    """Kills a lab's processes and removes its control groups.

    Raises TimeoutError when something would not end within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while alive := processes_of(mark, spare=spare):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(p.pid for p in alive)} of the lab do not end")
        for process in alive:
            process.kill()
        time.sleep(0.005)
    while left := [group for group in control_groups(mark) if not remove_group(group)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"control group {left[0]} of the lab cannot be removed")
        time.sleep(0.01)  # a group is busy until the kernel has buried its last process


def remove_group(group: Path) -> bool:
    """Removes a control group with those below it; False while one of them is busy."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def remove_stale(parent: Path) -> list[str]:
    """Ends the labs whose keeper was killed too, and returns their marks.

    A folder that names no keeper and is younger than a minute may be a lab that is just being
    set up: it is left alone.
    """
    ended = []
    for folder in parent.glob(PREFIX + "*"):
        try:
            status = folder.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            continue
        if keeper_lives(folder, young=time.time() - status.st_mtime < 60):
            continue
        mark = folder.name.removeprefix(PREFIX)
        end(mark)
        shutil.rmtree(folder, ignore_errors=True)
        ended.append(mark)
    return ended


def keeper_lives(folder: Path, *, young: bool) -> bool:
    """Whether a lab's folder still has its keeper; `young` is the answer while it names none."""
    try:
        pid, started = map(int, (folder / "keeper").read_text().split())
    except (OSError, ValueError):
        return young
    keeper = Process.read(pid)
    return keeper is not None and keeper.started == started and keeper.state not in "ZX"


def wait_for_end(owner: int) -> None:
    """Returns when standard input ends or the process `owner` is gone."""
    with handle_of(owner) as handle:
        if handle is None:
            return
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(0, select.POLLIN)
        while not any(fd == handle or not os.read(0, 4096) for fd, _ in poller.poll()):
            pass


def main() -> None:
    folder, owner = Path(sys.argv[1]), int(sys.argv[2])
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    wait_for_end(owner)
    end(folder.name.removeprefix(PREFIX), spare=(owner,))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
