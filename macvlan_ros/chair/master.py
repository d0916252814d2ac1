"""The master: whether roscore answers already."""

from __future__ import annotations

import http.client
import time
import xmlrpc.client
from collections.abc import Callable
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from macvlan_ros.errors import MacvlanRosError

_CALLER = "/macvlan_ros"
_PATIENCE = 1.0
_LOOK_EVERY = 0.25


class _Bounded(xmlrpc.client.Transport):
    """A transport that does not wait for ever."""

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = _PATIENCE
        return connection


def answers(uri: str) -> bool:
    """Whether something at the master's URI answers getPid (wiki.ros.org, "ROS/Master_API"), or
    at least serves HTTP there."""
    try:
        if not urlsplit(uri).hostname:
            return False
    except ValueError:
        return False
    try:
        xmlrpc.client.ServerProxy(uri, transport=_Bounded()).getPid(_CALLER)
    except OSError:
        return False
    except (xmlrpc.client.Error, http.client.HTTPException, ExpatError, ValueError):
        return True  # somebody is there, who speaks otherwise
    return True


def wait_for(
    uri: str,
    *,
    listens: Callable[[], bool],
    given_up: Callable[[], bool],
    seconds: float,
) -> bool:
    """Whether the master answers within so many seconds.

    `listens` says whether something in its container listens on its port: from here its address
    may be out of reach. `given_up` ends the waiting.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answers(uri) or listens():
                return True
        except MacvlanRosError:
            pass  # its container may be restarting
        if given_up() or time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)
