"""The socket that the service listens on: made by itself, or handed over by systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from pathlib import Path

from macvlan_ros.errors import Conflict, Forbidden, InvalidRequest, MacvlanRosError, Unavailable

__all__ = ["bind", "inherited"]

# 5, the standard library's default, lets a burst of connections fail with EAGAIN.
_BACKLOG = 128

# sd_listen_fds(3): the first one that is handed over.
_FIRST_FD = 3


def bind(path: Path) -> socket.socket:
    """A listening socket at `path` that root alone may use.

    A socket that a killed service left behind is replaced. Raises `Conflict` when a service
    listens there or something else is in the way, `Forbidden` or `Unavailable` when it cannot be
    made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except PermissionError as error:
        listener.close()
        raise Forbidden(
            f"no right to make the socket {path}: run as root, or name another with --socket"
        ) from error
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"the socket {path} cannot be made: {error.strerror or error}; "
            "name another with --socket"
        ) from error
    except MacvlanRosError:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Make way for the socket: its folder exists, and nothing that lives is there."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket():
        raise Conflict(f"{path} is there and is no socket; remove it or name another with --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(1)
        try:
            knock.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass
    raise Conflict(f"another service listens on {path}; stop it first or name another socket")


def inherited(environ: MutableMapping[str, str]) -> socket.socket | None:
    """The listening socket that systemd opened for this process, or None.

    The variables are taken out of `environ`, as sd_listen_fds(3) asks, so that no child takes
    them for its own. Raises `InvalidRequest` when it is not one listening Unix stream socket.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count:
        return None
    if count != "1":
        raise InvalidRequest(
            f"systemd handed over {count} sockets; macvlan-ros.socket must have one ListenStream="
        )
    os.set_inheritable(_FIRST_FD, False)
    handed = socket.socket(fileno=_FIRST_FD)
    listening = handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if handed.family != socket.AF_UNIX or handed.type != socket.SOCK_STREAM or not listening:
        raise InvalidRequest(
            "the socket that systemd handed over is no listening Unix stream socket; "
            "macvlan-ros.socket must have ListenStream= with a path and Accept=no"
        )
    return handed
