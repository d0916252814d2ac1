"""Our command line in a host without the time that Python takes to import it.

Most tests give several commands, and a process that begins anew spends nine tenths of its time on
imports. So one process per session, the template, has imported all there is, and for each command
it forks: the child enters the host's namespaces, gets the command's environment, working folder and
outputs, and does what `python -m macvlan_ros` does. What has no part in that begins anew (see
Host.macvlan_ros), as do all that run in the background.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .errors import LabError

ROOT = Path(__file__).resolve().parents[2]
#: What commands import when they need it, beside our own modules.
LATER = ("docker", "pyroute2", "rich.console", "rich.table", "ruamel.yaml")
#: A request: the command's words and surroundings, in one packet.
LARGEST = 1 << 17
NAMESPACES = ("mnt", "net", "uts")
BEGIN = "from tests.lab import template; template.main()"


# -- the tests' side ------------------------------------------------------------------------------


@functools.cache
def _template() -> socket.socket:
    """The template's end of a socket over which it is asked; it ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)},
            cwd="/",
            start_new_session=True,
        )
    return ours


def run(
    argv: Sequence[str], *, host: int, env: Mapping[str, str], cwd: str, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Our command line with these arguments, in the namespaces of process `host`, to its end.

    Raises subprocess.TimeoutExpired when it has not ended after `timeout` seconds; it is killed.
    """
    deadline = time.monotonic() + timeout
    answers, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    out, its_out = os.pipe()
    err, its_err = os.pipe()
    with answers, os.fdopen(out, "rb", 0) as stdout, os.fdopen(err, "rb", 0) as stderr:
        request = {"argv": list(argv), "host": host, "env": dict(env), "cwd": cwd}
        try:
            socket.send_fds(
                _template(), [json.dumps(request).encode()], [its.fileno(), its_out, its_err]
            )
        finally:
            its.close()
            os.close(its_out)
            os.close(its_err)
        pid = _number(answers)
        try:
            said = _read_to_end([stdout, stderr], deadline)
            answers.settimeout(max(0.1, deadline - time.monotonic()))
            code = _number(answers)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            if isinstance(error, TimeoutError):
                raise subprocess.TimeoutExpired(list(argv), timeout) from None
            raise
    return subprocess.CompletedProcess(argv, code, *said)


def _number(answers: socket.socket) -> int:
    said = answers.recv(32)
    if not said:
        raise LabError("the process that our command line is forked off has ended")
    return int(said)


def _read_to_end(files: Sequence[Any], deadline: float) -> list[bytes]:
    """What comes out of each of the pipes. Raises TimeoutError."""
    said = dict.fromkeys(files, b"")
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                said[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
    return list(said.values())


# -- the template's side --------------------------------------------------------------------------


def main() -> None:
    asked = socket.socket(fileno=int(sys.argv[1]))
    _import_all()
    request = _serve(asked)
    if request is not None:
        _become(request)
        _run()


def _run() -> NoReturn:
    from macvlan_ros.cli import main as command_line

    code = 1
    try:
        command_line()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        _end(code)


def _end(code: int) -> NoReturn:
    """As Python ends, but for taking all that was imported to pieces: that takes 40 ms."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _import_all() -> None:
    package = importlib.import_module("macvlan_ros")
    for module in pkgutil.walk_packages(package.__path__, "macvlan_ros."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that no child looks at all of that, and so copies it


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Forks at each request. Returns it in the child, and None when nobody is there to ask."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        waited: list[Any] = [asked, *running]
        ready, _, _ = select.select(waited, [], [])
        for handle in [each for each in running if each in ready]:
            pid, answers = running.pop(handle)
            _, status = os.waitpid(pid, 0)
            os.close(handle)
            with answers, contextlib.suppress(OSError):
                answers.send(b"%d" % os.waitstatus_to_exitcode(status))
        if asked not in ready:
            continue
        data, fds, _, _ = socket.recv_fds(asked, LARGEST, 3)
        if not data:
            for pid, _ in running.values():
                os.killpg(pid, signal.SIGKILL)
            return None
        answers, out, err = socket.socket(fileno=fds[0]), *fds[1:]
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for handle, (_, other) in running.items():
                os.close(handle)
                other.close()
            asked.close()
            answers.close()
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(out)
            os.close(err)
            _open_streams()
            request: dict[str, Any] = json.loads(data)
            return request
        os.close(out)
        os.close(err)
        running[os.pidfd_open(pid)] = pid, answers
        with contextlib.suppress(OSError):
            answers.send(b"%d" % pid)


def _open_streams() -> None:
    """As Python does at its start. The template's own may have been files, and what takes these
    pipes for such asks where it stands in them."""
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        raw = open(number, "wb", closefd=False)  # noqa: SIM115
        line = name == "stderr"
        stream = io.TextIOWrapper(raw, sys.stdout.encoding, errors, line_buffering=line)
        setattr(sys, name, stream)


def _become(request: Mapping[str, Any]) -> None:
    """Makes this process the command that was asked for: where it is, and what it knows."""
    libc = ctypes.CDLL(None, use_errno=True)
    handles = [os.open(f"/proc/{request['host']}/ns/{kind}", os.O_RDONLY) for kind in NAMESPACES]
    for handle in handles:
        if libc.setns(handle, 0):
            raise OSError(ctypes.get_errno(), "a host's namespaces cannot be entered")
        os.close(handle)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = [str(ROOT / "macvlan_ros/__main__.py"), *request["argv"]]
