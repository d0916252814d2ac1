"""Lines of logs out of what Docker sends, and moments out of what people write."""

import pytest

from macvlan_ros.docker_api.logs import Entry, _Frames, _Lines
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.launching.logs import parse_since

TIME = b"2026-11-22T14:00:00.123456789Z"


def frame(stream: int, text: bytes) -> bytes:
    data = TIME + b" " + text
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def test_frames_come_apart_wherever_they_are_cut() -> None:
    data = frame(1, b"hello world\n") + frame(2, b"oh\n") + frame(1, b"no end")
    for size in (1, 3, 7, 64, len(data)):
        reader = _Frames()
        found = [e for at in range(0, len(data), size) for e in reader.feed(data[at : at + size])]
        assert [*found, *reader.end()] == [
            Entry("stdout", TIME.decode(), "hello world"),
            Entry("stderr", TIME.decode(), "oh"),
            Entry("stdout", TIME.decode(), "no end"),
        ]


def test_a_long_line_in_several_frames_is_one_line_with_one_time() -> None:
    reader = _Frames()
    found = list(reader.feed(frame(1, b"a" * 9) + frame(2, b"between\n") + frame(1, b"b c\n")))
    assert [one.text for one in found] == ["between", "a" * 9 + "b c"]


def test_a_terminals_log_is_lines() -> None:
    reader = _Lines()
    found = [*reader.feed(TIME + b" one\r\n" + TIME), *reader.feed(b" t\xff"), *reader.end()]
    assert [one.text for one in found] == ["one", "t\ufffd"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 400.0), ("5m10s", 690.0), ("1.5s", 998.5), ("1970-01-01T00:00:10Z", 10.0)],
)
def test_a_moment_is_how_long_ago_or_a_time(text: str, seconds: float) -> None:
    assert float(parse_since(text, now=1000)) == seconds


@pytest.mark.parametrize("text", ["99999999999999999999d", "1h", "1910-01-01"])
def test_what_was_before_1970_is_the_beginning(text: str) -> None:
    assert float(parse_since(text, now=1000)) == 0


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10m5", "2026-13-01"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no moment"):
        parse_since(text, now=1000)
