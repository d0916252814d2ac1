"""Conversations: many TCP connections at once, each from its own place, all of them bounded.

One thread does them all. What answers slowly, by a byte now and then, or never, costs its own
patience and no more.
"""

from __future__ import annotations

import dataclasses
import errno
import math
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from macvlan_ros.values import dataclass
from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage

#: Connections that are open at a time, of the 1024 files that a process usually may have.
_AT_ONCE = 256
#: Connections to one port at a time: a rospy node lets five wait, and the sixth a second.
_EACH = 4
#: The longest answer that is read, in bytes: a graph of ten thousand nodes.
_LONGEST = 16 << 20
_PORTION = 1 << 16


@dataclass(frozen=True, slots=True)
class Call:
    """A connection to be made from `source`. Without a request it is over when it stands."""

    source: Vantage
    address: str
    port: int
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call.

    `code` is 0, or why it failed (errno): ETIMEDOUT when the patience was over, ECANCELED when it
    was never begun. `local` is the own end's address and port.
    """

    code: int
    connected: bool = False
    data: bytes = b""
    seconds: float = 0.0
    local: tuple[str, int] = ("", 0)


@dataclasses.dataclass(slots=True)
class _Line:
    """A connection as it is now; `ends` is the patience that is spent by then."""

    number: int
    call: Call
    socket: socket.socket
    began: float
    ends: float
    connected: bool = False
    unsent: bytes = b""
    data: bytearray = dataclasses.field(default_factory=bytearray)

    def reply(self, code: int) -> Reply:
        local = ("", 0)
        with suppress(OSError):
            local = self.socket.getsockname()[:2]
        spent = time.monotonic() - self.began
        return Reply(code, self.connected, bytes(self.data), spent, local)


def converse(
    calls: Sequence[Call],
    *,
    patience: float,
    until: float,
    total: float = math.inf,
    is_whole: Callable[[bytearray], bool] = lambda _data: False,
) -> list[Reply]:
    """The replies to all calls, in their order.

    Each call has `patience` seconds of waiting, and all together have `total`; none goes on after
    `until` (time.monotonic). An answer ends where `is_whole` says so, or where the other side
    closes.
    """
    time_left = Patience(total, until=until)
    return _Exchange(calls, patience=patience, time_left=time_left, is_whole=is_whole).run()


class _Exchange:
    def __init__(
        self,
        calls: Sequence[Call],
        *,
        patience: float,
        time_left: Patience,
        is_whole: Callable[[bytearray], bool],
    ) -> None:
        self._replies: list[Reply] = [Reply(errno.ECANCELED)] * len(calls)
        self._waiting = deque(enumerate(calls))
        self._patience = patience
        self._time = time_left
        self._is_whole = is_whole
        self._open: dict[int, _Line] = {}
        self._busy: Counter[tuple[str, int]] = Counter()
        self._selector = selectors.DefaultSelector()

    def run(self) -> list[Reply]:
        try:
            over = False
            while (self._waiting or self._open) and not over:
                over = self._time.left <= 0
                if not over:
                    self._begin()
                self._attend()
        finally:
            for line in list(self._open.values()):
                self._end(line, errno.ETIMEDOUT)
            self._selector.close()
        return self._replies

    def _begin(self) -> None:
        """Make as many of the connections that wait as there is room for."""
        for _ in range(len(self._waiting)):
            if len(self._open) >= _AT_ONCE:
                return
            number, call = self._waiting.popleft()
            if self._busy[call.address, call.port] >= _EACH:
                self._waiting.append((number, call))
            else:
                self._connect(number, call)

    def _connect(self, number: int, call: Call) -> None:
        try:
            version = 6 if ":" in call.address else 4
            made = call.source.socket(socket.SOCK_STREAM, version=version)
        except OSError as error:  # this process has too many files open
            self._replies[number] = Reply(error.errno or errno.EMFILE)
            return
        ends = self._time.spent + self._patience
        line = _Line(number, call, made, time.monotonic(), ends, unsent=call.request)
        self._open[number] = line
        self._busy[call.address, call.port] += 1
        self._selector.register(line.socket, selectors.EVENT_WRITE, line)
        try:
            code = line.socket.connect_ex((call.address, call.port))
        except OSError as error:  # no address at all
            code = error.errno or errno.EINVAL
        if code not in (0, errno.EINPROGRESS):
            self._end(line, code)

    def _attend(self) -> None:
        """Go on with whatever can go on; end what has had its time."""
        if not self._open:
            return
        first = min(line.ends for line in self._open.values())
        allowed = max(0.0, min(first - self._time.spent, self._time.left))
        began = time.monotonic()
        ready = self._selector.select(allowed)
        self._time.spend(allowed, began)
        for key, _ in ready:
            line: _Line = key.data
            if line.number in self._open:
                self._step(line)
        for line in [one for one in self._open.values() if one.ends <= self._time.spent]:
            self._end(line, errno.ETIMEDOUT)

    def _step(self, line: _Line) -> None:
        try:
            if not line.connected:
                self._established(line)
            elif line.unsent:
                self._send(line)
            else:
                self._receive(line)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(line, error.errno or errno.EIO)

    def _established(self, line: _Line) -> None:
        code = line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._end(line, code)
            return
        line.connected = True
        if line.unsent:
            self._send(line)
        else:
            self._end(line, 0)

    def _send(self, line: _Line) -> None:
        line.unsent = line.unsent[line.socket.send(line.unsent) :]
        if not line.unsent:
            self._selector.modify(line.socket, selectors.EVENT_READ, line)

    def _receive(self, line: _Line) -> None:
        part = line.socket.recv(_PORTION)
        line.data += part
        if not part or self._is_whole(line.data):
            self._end(line, 0)
        elif len(line.data) > _LONGEST:
            self._end(line, errno.EMSGSIZE)

    def _end(self, line: _Line, code: int) -> None:
        del self._open[line.number]
        self._busy[line.call.address, line.call.port] -= 1
        self._selector.unregister(line.socket)
        self._replies[line.number] = line.reply(code)
        line.socket.close()
