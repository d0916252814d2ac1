"""The doctor on clocks: ROS stamps its messages, and a stamp of another PC's clock counts here.

The PCs of a stack are asked for their time: by their engines where the stack says where these are,
else by ICMP (timestamp, RFC 792), which Linux answers unless a firewall forbids it.
"""

from __future__ import annotations

import datetime
import secrets
import select
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.doctor.commands import said
from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models.stacks import HostEntry, Stack

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: tf and message_filters begin to complain at about a tenth of a second.
_MUCH, _TOO_MUCH = 0.1, 1.0
_SECONDS = 2.0
_ASK, _REPLY = 13, 14
_PACKET = struct.Struct("!BBHHHIII")
_DAY = 86_400_000
_SYNC = "let both follow one time server: chrony or systemd-timesyncd, then timedatectl"


def check(_app: App) -> Iterator[Finding]:
    """Whether this PC's own clock follows a time server."""
    answer = said("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    if answer is None:
        return
    if answer.strip() == "yes":
        yield Finding("clock", OK, "this PC's clock follows a time server")
    elif answer.strip() == "no":
        yield Finding("clock", WARNING, "this PC's clock follows no time server", _SYNC)


def check_hosts(app: App, stack: Stack) -> Iterator[Finding]:
    """How far the clocks of the stack's other PCs are from this one's."""
    others = [one for name, one in stack.hosts.items() if name != app.settings.host_name]
    with ThreadPoolExecutor(max(1, len(others)), thread_name_prefix="clock") as side_by_side:
        yield from side_by_side.map(_check_host, others)


def _check_host(host: HostEntry) -> Finding:
    try:
        offset = _by_engine(host) if host.docker else _by_icmp(host)
    except MacvlanRosError as error:
        text, _, remedy = str(error).partition("; ")
        return Finding("clock", WARNING, f"{host.name} was not asked for its time: {text}", remedy)
    except OSError as error:
        said = f"{host.name} was not asked for its time: {error.strerror}"
        return Finding("clock", WARNING, said, "run it with sudo")
    if offset is None:
        where = f"x-macvlan-ros.hosts.{host.name}"
        if host.address is None:
            remedy = f"say where it is, with {where}.address or {where}.docker"
            return Finding("clock", OK, f"{host.name} was not asked for its time", remedy)
        remedy = f"say where its engine is, with {where}.docker; or let it answer ICMP timestamps"
        return Finding("clock", WARNING, f"{host.name} does not tell its time", remedy)
    return judge(host.name, offset)


def judge(name: str, offset: float) -> Finding:
    """What an offset in seconds means."""
    if abs(offset) < _MUCH:
        return Finding("clock", OK, f"{name} has this PC's time, to {abs(offset) * 1000:.0f} ms")
    way = "ahead of" if offset > 0 else "behind"
    text = f"the clock of {name} is {abs(offset):.1f} s {way} this PC's"
    return Finding("clock", BAD if abs(offset) > _TOO_MUCH else WARNING, text, _SYNC)


def _by_engine(host: HostEntry) -> float | None:
    from macvlan_ros.engine import Engine

    where = f"x-macvlan-ros.hosts.{host.name}.docker"
    with Engine(host.docker, source=where) as engine:
        engine.info()  # the connection, which may be an ssh, is not to count
        before = time.time()
        told = read_time(engine.info().system_time)
        return None if told is None else told - (before + time.time()) / 2


def read_time(text: str) -> float | None:
    """Docker's time, RFC 3339 with nanoseconds, in seconds since the epoch."""
    day, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :].replace("Z", "+00:00")
    with suppress(ValueError):
        whole = datetime.datetime.fromisoformat((day if dot else day.replace("Z", "")) + zone)
        if whole.tzinfo is None:
            whole = whole.replace(tzinfo=datetime.timezone.utc)
        return whole.timestamp() + (float(f"0.{digits}") if digits else 0.0)
    return None


def _by_icmp(host: HostEntry) -> float | None:
    return ask(host.address, until=time.monotonic() + _SECONDS) if host.address else None


def ask(address: IPAddress, *, until: float) -> float | None:
    """How far a PC's clock is ahead of this one's, in seconds, modulo a day; None when it does not
    answer. Raises OSError without the right to send ICMP."""
    number = secrets.randbits(16)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        while time.monotonic() < until:
            sent = time.time()
            with suppress(OSError):
                sock.sendto(request(number, _millis(sent)), (str(address), 0))
            end = min(until, time.monotonic() + 0.5)
            while (left := end - time.monotonic()) > 0:
                if not select.select([sock], [], [], left)[0]:
                    break
                datagram, sender = sock.recvfrom(2048)
                told = read_reply(datagram, number)
                if told is not None and sender[0] == str(address):
                    return offset(told, (sent + time.time()) / 2)
    return None


def request(number: int, millis: int) -> bytes:
    """A timestamp request; `millis` is the time of day in UTC."""
    packet = _PACKET.pack(_ASK, 0, 0, number, 1, millis, 0, 0)
    total = sum(struct.unpack("!10H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:2] + struct.pack("!H", ~total & 0xFFFF) + packet[4:]


def read_reply(datagram: bytes, number: int) -> int | None:
    """The other side's time of day, in milliseconds; None for anything else."""
    body = datagram[(datagram[0] & 0xF) * 4 :] if datagram else b""
    if len(body) < _PACKET.size:
        return None
    kind, _, _, said_number, _, _, received, _ = _PACKET.unpack_from(body)
    # the highest bit says that it is no UTC
    return received if (kind, said_number) == (_REPLY, number) and received < 1 << 31 else None


def offset(told: int, now: float) -> float:
    """Seconds between a time of day and a moment, the shorter way around midnight."""
    apart = (told - _millis(now) + _DAY // 2) % _DAY - _DAY // 2
    return apart / 1000


def _millis(moment: float) -> int:
    return int(moment * 1000) % _DAY
