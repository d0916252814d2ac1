"""The head of a request: what is read, and what is refused within limits."""

from __future__ import annotations

import io

import pytest

from macvlan_ros.plugin.head import BadHttp, Head, read_head


def read(data: bytes) -> Head | None:
    return read_head(io.BytesIO(data))


def test_a_head_as_docker_sends_it_is_read_up_to_its_body() -> None:
    stream = io.BytesIO(
        b"POST /IpamDriver.RequestPool HTTP/1.1\r\nHost: %2Frun%2Fdocker\r\n"
        b"User-Agent: Go-http-client/1.1\r\nContent-Length: 2\r\n"
        b"Accept: application/vnd.docker.plugins.v1.2+json\r\n\r\n{}"
    )
    assert read_head(stream) == Head("/IpamDriver.RequestPool", ("2",), encoded=False)
    assert stream.read() == b"{}"


def test_header_names_are_read_in_any_case_and_lines_with_or_without_return() -> None:
    head = read(b"POST /x HTTP/1.0\ncONTENT-lENGTH:7\nTRANSFER-ENCODING: chunked\n\n")
    assert head == Head("/x", ("7",), encoded=True)


def test_a_length_that_is_said_twice_is_seen_twice() -> None:
    head = read(b"POST /x HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n")
    assert head is not None
    assert head.lengths == ("7", "8")


def test_a_peer_that_leaves_without_a_word_asked_for_nothing() -> None:
    assert read(b"") is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /x\r\n\r\n", 400),
        (b"POST  /x HTTP/1.1\r\n\r\n", 400),
        (b"POST /x y HTTP/1.1\r\n\r\n", 400),
        (b"POST /x HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n\r\n", 501),
        (b"POST /x HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length : 7\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: 7\r\n folded\r\n\r\n", 400),
        (b"POST /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /x HTTP/1.1\r\nA: " + b"x" * 70000 + b"\r\n\r\n", 431),
        (b"POST /x HTTP/1.1\r\n" + b"A: 1\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_what_is_no_request_of_ours_is_refused_with_https_own_number(
    data: bytes, status: int
) -> None:
    with pytest.raises(BadHttp, match=f"HTTP {status}: .*; send POST with a JSON body") as raised:
        read(data)
    assert raised.value.status == status
