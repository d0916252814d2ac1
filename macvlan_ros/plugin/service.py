"""The service: from the first socket to the last request, with systemd told of both."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import MutableMapping
from contextlib import ExitStack
from pathlib import Path

from macvlan_ros.endpoints import SETTLED
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.plugin import sockets, systemd
from macvlan_ros.plugin.exchange import Limits
from macvlan_ros.plugin.parts import Parts
from macvlan_ros.plugin.routes import routes
from macvlan_ros.plugin.server import Server
from macvlan_ros.plugin.watching import telling

__all__ = ["DEFAULT_SOCKET", "log_to_stderr", "serve"]

DEFAULT_SOCKET = Path("/run/docker/plugins/macvlan-ros.sock")

log = logging.getLogger("macvlan_ros.plugin")

# Seconds after the start, and then between, at which what was left over is looked for. The first
# is for what happened while the service was down.
_FIRST_ROUND = 1.0
_ROUNDS = 60.0

# malloc's option M_ARENA_MAX (malloc.h): a heap for each thread costs memory, and gains nothing
# where one thread runs at a time.
_ARENA_MAX = -8

# Seconds that a thread may compute while others wait. Each of Docker's calls is short.
_SWITCH = 0.001

# What was under way before the start has been given up by Docker after so many seconds.
_FIRST_SETTLED = 5.0


def serve(
    parts: Parts,
    *,
    path: Path,
    environ: MutableMapping[str, str] = os.environ,
) -> None:
    """Serve until SIGTERM or SIGINT; requests that run then are finished.

    The socket is the one that systemd hands over, else one made at `path`, which is removed at the
    end. Raises what `sockets` raises, and Conflict when another machine goes by this host's name.
    """
    _trim_process()
    limits = Limits()
    stop = threading.Event()
    handed = sockets.inherited(environ)
    listener = handed or sockets.bind(path)
    with ExitStack() as undo:
        undo.callback(listener.close)
        if handed is None:
            undo.callback(_remove, path, listener)
        table = telling(
            routes(parts.network, parts.ipam, asking=parts.asking), parts.oversight.tell
        )
        server = Server(listener, table, limits=limits, metrics=parts.metrics)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        server.start()
        threading.Thread(target=_keep_house, args=(parts, stop), daemon=True).start()
        parts.start()
        parts.enrolling.start(stop.set)
        systemd.notify("READY=1", environ)
        log.info("call=- outcome=Serving socket=%s", listener.getsockname())
        systemd.wait(stop, environ)
        systemd.notify("STOPPING=1", environ)
        if not server.stop(limits.read_seconds + limits.work_seconds + limits.write_seconds):
            log.warning("call=- outcome=Stopped detail=%s", '"some requests were still running"')
    if parts.enrolling.refused is not None:
        raise parts.enrolling.refused


def _trim_process() -> None:
    """Little memory, and quick answers: this process has many threads that do little."""
    sys.setswitchinterval(_SWITCH)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(_ARENA_MAX, 1)


def _remove(path: Path, listener: socket.socket) -> None:
    """Remove our socket, unless another service has put its own there meanwhile."""
    try:
        ours = os.fstat(listener.fileno()).st_ino and listener.getsockname() == str(path)
        if ours and path.is_socket():
            path.unlink()
    except OSError as error:
        log.warning("call=- outcome=SocketLeft detail=%s", error)


def _keep_house(parts: Parts, stop: threading.Event) -> None:
    """Collect what was left over, now and then."""
    first = True
    while not stop.wait(_FIRST_ROUND if first else _ROUNDS):
        try:
            if first:
                parts.ipam.prepare()
            found = parts.collector.collect(settled=_FIRST_SETTLED if first else SETTLED)
        except MacvlanRosError as error:
            log.warning(
                "call=gc outcome=%s detail=%s", type(error).__name__, json.dumps(str(error))
            )
            found = ()
        for leak in found:
            log.info("call=gc outcome=Collected kind=%s name=%s", leak.kind, leak.name)
        first = False


def log_to_stderr() -> None:
    """One line for each event, with its time in UTC, on standard error."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger("macvlan_ros")
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.propagate = False
    threading.excepthook = _report


def log_note(text: str) -> None:
    """Something worth knowing about the store."""
    log.warning("call=- outcome=Note detail=%s", json.dumps(text))


def _report(args: threading.ExceptHookArgs) -> None:
    """An error of the program's own ended a thread: the log has it, and the service goes on."""
    if args.exc_value is not None:
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
        log.critical("call=- outcome=Broken", exc_info=trace)
