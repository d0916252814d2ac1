"""A LAN of network namespaces round a bridge, and strangers that answer as a test wants."""

from __future__ import annotations

import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.wire import frames
from macvlan_ros.wire.frames import Heard
from tests.netns.namespace import Namespace, cable, namespaces, run

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4


@dataclass(frozen=True)
class Machine(Namespace):
    """One machine of the LAN. Its interface is eth0."""

    mac: str


class Lan:
    """A switch, and the machines that hang off it."""

    def __init__(self, switch: Namespace, stack: ExitStack) -> None:
        self.switch = switch
        self._stack = stack
        self._ports = 0
        self._containers = 0

    def add(self, *addresses: str) -> Machine:
        """A machine with these addresses (with prefix length) on its eth0."""
        (space,) = self._stack.enter_context(namespaces("m"))
        self._ports += 1
        port = f"p{self._ports}"
        cable(space, "eth0", self.switch, port)
        space.ip(f"link set eth0 address 02:00:00:00:00:{self._ports:02x} up")
        self.switch.ip(f"link set {port} master lan up")
        give(space, addresses)
        return Machine(space.name, f"02:00:00:00:00:{self._ports:02x}")

    def contain(self, host: Namespace, *addresses: str) -> Machine:
        """What Docker makes of a container on a macvlan network over the host's eth0."""
        (space,) = self._stack.enter_context(namespaces("c"))
        self._containers += 1
        name, mac = f"c{self._containers}", f"02:00:00:00:01:{self._containers:02x}"
        host.ip(f"link add link eth0 name {name} address {mac} type macvlan mode bridge")
        host.ip(f"link set {name} netns {space.name}")
        space.ip(f"link set {name} name eth0 up")
        give(space, addresses)
        return Machine(space.name, mac)


def give(space: Namespace, addresses: tuple[str, ...]) -> None:
    """Addresses for eth0, usable at once: no wait for duplicate address detection."""
    for address in addresses:
        nodad = " nodad" if ":" in address else ""
        space.ip(f"address add {address} dev eth0{nodad}")


@contextmanager
def make_lan() -> Iterator[Lan]:
    """A LAN that forwards from the first frame on (no spanning tree, no snooping)."""
    with ExitStack() as stack:
        (switch,) = stack.enter_context(namespaces("switch"))
        switch.ip("link add lan type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        switch.ip("link set lan up")
        yield Lan(switch, stack)


def packet_socket(machine: Machine | Namespace, interface: str = "eth0") -> socket.socket:
    """All frames of an interface, both ways."""
    sock = inside(
        machine.path,
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)),
    )
    sock.bind((interface, ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    return sock


@contextmanager
def stranger(machine: Machine, reply: Callable[[Heard], bytes | None]) -> Iterator[list[Heard]]:
    """While it lasts, `machine` sends what `reply` makes of each ARP or ND frame that it hears.

    Yields the list of what it heard, which grows.
    """
    sock, heard_all, stop = packet_socket(machine), list[Heard](), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if not select.select([sock], [], [], 0.02)[0]:
                continue
            frame, origin = sock.recvfrom(2048)
            heard = frames.parse(frame) if origin[2] != PACKET_OUTGOING else None
            if heard is None:
                continue
            heard_all.append(heard)
            answer = reply(heard)
            if answer is not None:
                sock.send(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard_all
    finally:
        stop.set()
        thread.join()
        sock.close()


@contextmanager
def repeating(machine: Machine, made: Callable[[int], bytes], *, rate: float) -> Iterator[None]:
    """While it lasts, `machine` sends `rate` frames a second; `made` gets their number."""
    sock, stop = packet_socket(machine), threading.Event()

    def send() -> None:
        start, number = time.monotonic(), 0
        while not stop.is_set():
            sock.send(made(number))
            number += 1
            ahead = start + number / rate - time.monotonic()
            if ahead > 0.005:
                time.sleep(ahead)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sock.close()


class Capture:
    """Frames on an interface as tshark reads them."""

    def __init__(self, machine: Namespace, interface: str, folder: Path) -> None:
        self._file = folder / "capture.pcapng"
        command = ["nsenter", f"--net={machine.path}", "tshark", "-q", "-i", interface]
        self._process = subprocess.Popen(
            [*command, "-w", str(self._file)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "Capture started" in line or "Capturing on" in line:
                break
        time.sleep(0.3)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fields(self, what: str, *names: str) -> list[tuple[str, ...]]:
        """End the capture; the named fields of each frame that the display filter `what` shows."""
        time.sleep(0.3)
        self.stop()
        words = [word for name in names for word in ("-e", name)]
        out = run("tshark", "-r", str(self._file), "-Y", what, "-T", "fields", *words)
        # tshark 4.2 and later write booleans as words
        numbers = {"True": "1", "False": "0"}
        lines = (line.split("\t") for line in out.splitlines())
        return [tuple(numbers.get(field, field) for field in line) for line in lines]

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        if self._process.stderr is not None:
            self._process.stderr.close()


def at(last: int, version: int = 4) -> IPAddress:
    """An address of the LAN."""
    return IPAddress(f"192.168.50.{last}") if version == 4 else IPAddress(f"fd00:50::{last}")
