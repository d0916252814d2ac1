"""A small ROS 1 node: publishes one message on each of its topics, and notes what it hears.

It says its message again and again, for whoever passes it on may not be heard yet.

It stands in a network namespace as a container's own node would: its sockets are there, and what it
registers is the container's address. One thread serves all its connections.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
import xmlrpc.client
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError

from macvlan_ros.verify import tcpros
from macvlan_ros.verify.place import Vantage
from macvlan_ros.verify.tcpros import Topic

_BACKLOG = 64
_TICK = 0.05
#: Seconds between two times that the message is sent.
_REPEAT = 0.3
#: Seconds in which a neighbour must take or say what it has to.
_PATIENCE = 3.0


@dataclass(slots=True)
class _Guest:
    """Somebody who has connected, or to whom this node has: `topic` is what it is about."""

    socket: socket.socket
    kind: str
    topic: str = ""
    data: bytes = b""
    parts: list[bytes] = field(default_factory=list)


class RosNode:
    """A node called `name` that publishes `outgoing` (topic, message) and hears topics when told
    to. Usable once made; `close` ends its thread. Raises OSError when it cannot listen."""

    def __init__(self, vantage: Vantage, name: str, outgoing: dict[Topic, bytes]) -> None:
        self.name = name
        self.vantage = vantage
        self._outgoing = {topic.name: (topic, message) for topic, message in outgoing.items()}
        self._heard: list[bytes] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._api = self._listen("api")
        try:
            self._door = self._listen("tcpros")
        except BaseException:
            self._api.close()
            raise
        self.uri = f"http://{vantage.address}:{self._api.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def heard(self, token: bytes) -> bool:
        """Whether a message with these bytes in it has come."""
        with self._lock:
            return any(token in message for message in self._heard)

    def hear(self, topic: Topic, address: str, port: int) -> None:
        """Connect to a publisher of a topic. Raises OSError."""
        line = self.vantage.socket(socket.SOCK_STREAM)
        try:
            line.settimeout(_PATIENCE)
            line.connect((address, port))
            fields = {
                "callerid": self.name,
                "topic": topic.name,
                "type": topic.kind,
                "md5sum": topic.checksum,
                "message_definition": topic.definition,
                "tcp_nodelay": "1",
            }
            line.sendall(tcpros.pack_header(fields))
            line.setblocking(False)
            self._selector.register(line, selectors.EVENT_READ, _Guest(line, "publisher"))
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """Closing twice is fine."""
        self._ended.set()
        self._thread.join(_PATIENCE)

    def _listen(self, kind: str) -> socket.socket:
        made = self.vantage.socket(socket.SOCK_STREAM)
        try:
            made.bind((str(self.vantage.address), 0))
            made.listen(_BACKLOG)
            self._selector.register(made, selectors.EVENT_READ, _Guest(made, f"door of {kind}"))
        except BaseException:
            made.close()
            raise
        return made

    def _serve(self) -> None:
        repeat = time.monotonic() + _REPEAT
        try:
            while not self._ended.is_set():
                for key, _ in self._selector.select(_TICK):
                    self._attend(key.data)
                if time.monotonic() >= repeat:
                    self._repeat()
                    repeat = time.monotonic() + _REPEAT
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
            self._selector.close()

    def _repeat(self) -> None:
        for key in list(self._selector.get_map().values()):
            guest: _Guest = key.data
            if guest.topic:
                with suppress(OSError):  # one that has left, or does not listen
                    guest.socket.send(self._outgoing[guest.topic][1])

    def _attend(self, guest: _Guest) -> None:
        if guest.kind.startswith("door of "):
            with suppress(OSError):
                visitor, _ = guest.socket.accept()
                visitor.setblocking(False)
                kind = guest.kind.removeprefix("door of ")
                self._selector.register(visitor, selectors.EVENT_READ, _Guest(visitor, kind))
            return
        try:
            part = guest.socket.recv(1 << 16)
            guest.data += part
            done = not part or self._read(guest)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            done = True
        if done:
            self._selector.unregister(guest.socket)
            guest.socket.close()

    def _read(self, guest: _Guest) -> bool:
        """Deal with what has come; whether the connection is over."""
        if guest.kind == "api":
            return self._answer(guest)
        parts, guest.data = tcpros.split(guest.data)
        if guest.kind == "publisher":
            guest.parts += parts
            with self._lock:  # the first part is the publisher's header
                self._heard = [*self._heard, *guest.parts[1:]][-100:]
            del guest.parts[1:]
            return False
        for header in parts[:1]:
            self._publish(guest, tcpros.read_header(header))
        return False

    def _publish(self, guest: _Guest, header: dict[str, str]) -> None:
        """Send the subscriber its message; it would come again if the connection did not stay."""
        found = self._outgoing.get(header.get("topic", ""))
        if found is None:
            raise ValueError("no such topic")
        topic, message = found
        fields = {"callerid": self.name, "type": topic.kind, "md5sum": topic.checksum}
        fields |= {"topic": topic.name, "message_definition": topic.definition, "latching": "1"}
        guest.socket.settimeout(_PATIENCE)
        guest.socket.sendall(tcpros.pack_header(fields) + message)
        guest.socket.setblocking(False)
        guest.topic = topic.name

    def _answer(self, guest: _Guest) -> bool:
        """Answer a question of the node's API, when it has come whole."""
        head, found, body = guest.data.partition(b"\r\n\r\n")
        length = _content_length(head)
        if not found or len(body) < length:
            return False
        try:
            parameters, method = xmlrpc.client.loads(body[:length])
        except (xmlrpc.client.Error, ExpatError, ValueError, LookupError, TypeError):
            return True
        value = self._say(str(method), parameters)
        said = xmlrpc.client.dumps(((1, "", value),), methodresponse=True, allow_none=True).encode()
        reply = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(said)}\r\n\r\n"
        guest.socket.settimeout(_PATIENCE)
        guest.socket.sendall(reply.encode() + said)
        guest.socket.setblocking(False)
        guest.data = body[length:]
        return False

    def _say(self, method: str, parameters: tuple[Any, ...]) -> Any:
        if method == "requestTopic" and len(parameters) > 1 and parameters[1] in self._outgoing:
            return ["TCPROS", str(self.vantage.address), self._door.getsockname()[1]]
        topics = [[topic.name, topic.kind] for topic, _ in self._outgoing.values()]
        return {"getPid": 1, "getPublications": topics, "getSubscriptions": []}.get(method, 0)


def wait_until_heard(pairs: list[tuple[RosNode, bytes]], *, until: float) -> list[bool]:
    """Whether each node has heard its token; returns when all have, or at `until`."""
    while True:
        found = [node.heard(token) for node, token in pairs]
        if all(found) or time.monotonic() >= until:
            return found
        time.sleep(_TICK)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length" and value.strip().isdigit():
            return min(int(value), 1 << 20)
    return 0
