"""A table that the kernel marks as changed during the reading (NLM_F_DUMP_INTR, netlink(7))."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

import pytest

from macvlan_ros.errors import Unavailable
from macvlan_ros.kernel import rtnetlink
from macvlan_ros.kernel.rtnetlink import HEADER, dump

MULTI, CHANGED = 0x2, 0x10
LINK, ERROR, DONE = 16, 2, 3


def message(kind: int, content: bytes = b"\0\0\0\0", *, flags: int = MULTI) -> bytes:
    return HEADER.pack(HEADER.size + len(content), kind, flags, 1, 0) + content


class Kernel:
    """A socket that gives one answer after another, each in the parts in which it comes."""

    def __init__(self, answers: Iterable[Iterable[bytes]]) -> None:
        self._answers = iter(answers)
        self._parts: Iterable[bytes] = ()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_error: object) -> None:
        self._parts = ()

    def send(self, _request: bytes) -> None:
        self._parts = iter(next(self._answers))

    def recv(self, _size: int) -> bytes:
        return next(iter(self._parts))


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[bytes]) -> None:
    kernel = Kernel(answers)
    monkeypatch.setattr(rtnetlink, "_socket", lambda: kernel)


def test_it_is_read_until_the_kernel_has_no_mark_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = message(LINK, b"old."), message(LINK, b"new.")
    answering(
        monkeypatch,
        [message(LINK, b"eth0") + message(LINK, b"old.", flags=CHANGED), message(DONE)],
        [old + message(DONE, flags=CHANGED)],
        [message(LINK, b"eth0"), new + message(DONE)],
    )
    found = dump(18, b"")
    assert [each[HEADER.size :] for each in found] == [b"eth0", b"new."]


def test_one_that_never_keeps_still_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, *([message(DONE, flags=CHANGED)] for _ in range(100)))
    with pytest.raises(Unavailable, match="faster than they can be read"):
        dump(18, b"")


def test_what_the_kernel_refuses_is_an_error_with_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, [message(ERROR, struct.pack("=i", -errno.EPERM))])
    with pytest.raises(PermissionError):
        dump(18, b"")
