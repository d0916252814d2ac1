"""A ROS 1 graph without ROS: a master and nodes over the standard library's XML-RPC, as they are or
broken in ways that real ones are seldom seen in. Run: python -m tests.netns.ros_graph ADDRESS MODE.

What real ones say is tested with real ones (tests/e2e/test_verify.py).
"""

from __future__ import annotations

import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

PORT = 11311
READY = "ready"
DEAD = 500


class Server(socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    """As rosgraph's: threads, and a short queue."""

    daemon_threads = True


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/", "/RPC2")
    protocol_version = "HTTP/1.1"


def serve(address: str, port: int, functions: dict[str, Callable[..., Any]]) -> str:
    """An XML-RPC server in a thread; its URI."""
    server = Server((address, port), Handler, logRequests=False, allow_none=True)
    for name, function in functions.items():
        server.register_function(function, name)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{address}:{server.server_address[1]}/"


def node(address: str, topics: list[str], *, delay: float = 0.0, pid: int = 0) -> str:
    def get_pid(_caller: str) -> list[Any]:
        time.sleep(delay)
        return [1, "", pid or os.getpid()]

    return serve(
        address,
        0,
        {
            "getPid": get_pid,
            "getPublications": lambda _caller: [1, "", [[name, "t/T"] for name in topics]],
            "getSubscriptions": lambda _caller: [1, "", []],
        },
    )


def master(address: str, nodes: dict[str, str]) -> str:
    """Nodes are registered by name with their URIs, each as the publisher of NAME_topic."""

    def state(_caller: str) -> list[Any]:
        return [1, "", [[[f"{name}_topic", [name]] for name in nodes], [], []]]

    def look_up(_caller: str, name: str) -> list[Any]:
        return [1, "", nodes[name]] if name in nodes else [-1, "unknown node", ""]

    def unregister(caller: str, _topic: str, uri: str) -> list[Any]:
        known = nodes.get(caller) == uri
        nodes.pop(caller, None) if known else None
        return [1, "", int(known)]

    return serve(
        address,
        PORT,
        {
            "getPid": lambda _caller: [1, "", os.getpid()],
            "getSystemState": state,
            "lookupNode": look_up,
            "unregisterPublisher": unregister,
        },
    )


def raw(address: str, port: int, act: Callable[[socket.socket], None]) -> str:
    """Something that takes connections and does `act` with each."""
    door = socket.create_server((address, port))

    def loop() -> None:
        while True:
            visitor, _ = door.accept()
            threading.Thread(target=act, args=(visitor,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return f"http://{address}:{door.getsockname()[1]}/"


def hang(_visitor: socket.socket) -> None:
    time.sleep(3600)


def drip(visitor: socket.socket) -> None:
    """A byte now and then, for ever."""
    while True:
        visitor.send(b"H")
        time.sleep(0.5)


def speak_ssh(visitor: socket.socket) -> None:
    visitor.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    time.sleep(0.2)
    visitor.close()


def speak_http(visitor: socket.socket) -> None:
    visitor.recv(65536)
    visitor.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    visitor.close()


def speak_xml(visitor: socket.socket) -> None:
    visitor.recv(65536)
    body = b"<?xml version='1.0'?><methodResponse><params><param><value><int>x"
    visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    visitor.close()


def speak_nonsense(visitor: socket.socket) -> None:
    visitor.recv(65536)
    body = b"<methodResponse><params><param><value><int>3</int></value></param></params>"
    body += b"</methodResponse>"
    visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    visitor.close()


#: What takes connections on a port and is no ROS.
STRANGE = {
    "hang": hang,
    "drip": drip,
    "ssh": speak_ssh,
    "http": speak_http,
    "xml": speak_xml,
    "nonsense": speak_nonsense,
}


def odd_graph(address: str) -> dict[str, str]:
    """One node of each kind."""
    found = {
        "/good": node(address, ["/good_topic"]),
        "/slow": node(address, ["/slow_topic"], delay=1.5),
        "/other": node(address, ["/somebody_elses"]),
        "/scheme": "rosrpc://192.168.50.11:4711/",
        "/nothing": "",
        "/refused": f"http://{address}:1/",
        "/nowhere": "http://192.168.50.99:4711/",
        "/nameless": "http://no-such-host.invalid:4711/",
    }
    return found | {f"/{name}": raw(address, 0, act) for name, act in STRANGE.items()}


def dead_graph(address: str) -> dict[str, str]:
    """Many that are gone: some at an address that is silent, some that hang, some that refuse."""
    hanging = raw(address, 0, hang)
    kinds = (f"http://{address}:{{}}/", "http://192.168.50.99:{}/", hanging.replace("{", "{{"))
    found = {f"/dead{n}": kinds[n % 3].format(2000 + n) for n in range(DEAD)}
    return found | {f"/live{n}": node(address, [f"/live{n}_topic"]) for n in range(4)}


def main() -> None:
    address, mode = sys.argv[1:]
    if mode in STRANGE:
        raw(address, PORT, STRANGE[mode])
    else:
        master(address, odd_graph(address) if mode == "odd" else dead_graph(address))
    print(READY, flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
