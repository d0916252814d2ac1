"""Resolving: what names mean in each place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.verify.names import as_address, look_up, read_book
from macvlan_ros.verify.place import Vantage

Meanings = dict[str, tuple[IPAddress, ...]]

#: Questions that this PC's own resolver is asked at a time.
_AT_ONCE = 32


def everywhere(
    vantages: Sequence[Vantage], names: Collection[str], *, until: float, version: int = 4
) -> dict[str, Meanings]:
    """For each place, by its name: the addresses of that version of IP that each name has there,
    () for none.

    An address is its own meaning. Returns at `until` (time.monotonic) at the latest.
    """
    known: Meanings = {
        name: (address,) for name in names if (address := as_address(name)) is not None
    }
    unknown = [name for name in names if name not in known]
    if not unknown or not vantages:
        return {one.name: dict(known) for one in vantages}
    with ThreadPoolExecutor(len(vantages), thread_name_prefix="resolve") as side_by_side:
        found = side_by_side.map(
            partial(resolve, names=unknown, until=until, version=version), vantages
        )
        return {
            one.name: {**known, **meanings} for one, meanings in zip(vantages, found, strict=True)
        }


def resolve(
    vantage: Vantage, names: Collection[str], *, until: float, version: int = 4
) -> Meanings:
    """The addresses that each name has at one place, on this PC itself always those of IPv4."""
    if vantage.is_host:
        return _resolve_here(names, until)
    book = read_book(Path(f"/proc/{vantage.place.pid}/root"))
    with vantage.socket(socket.SOCK_DGRAM) as sock:
        return look_up(names, book, sock, until=until, version=version)


def _resolve_here(names: Collection[str], until: float) -> Meanings:
    """By this PC's own resolver, which may ask whom it likes, and for as long as it likes: nobody
    waits for the threads that ask it, not even the end of the process."""
    found: Meanings = dict.fromkeys(names, ())
    waiting = list(names)

    def work() -> None:
        while waiting and time.monotonic() < until:
            try:
                name = waiting.pop()
            except IndexError:
                return
            meaning = _ask_system(name)
            if meaning:
                found[name] = meaning

    threads = [
        threading.Thread(target=work, name="resolve", daemon=True)
        for _ in range(min(_AT_ONCE, len(waiting)))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(max(0.0, until - time.monotonic()))
    return dict(found)


def _ask_system(name: str) -> tuple[IPAddress, ...]:
    try:
        answers = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(IPAddress(answer[4][0]) for answer in answers))
