import time

import grpc
import pytest
from multidict import CIMultiDict

from tests.support.raised import malformed, misconfigured
from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.http.headers import (
    HttpMetadata,
    deadline_of,
    fixed_headers,
    http_code,
    initial_headers,
    trailer_headers,
)


def metadata(*headers: tuple[str, str], forward_cookies: bool = False) -> HttpMetadata:
    return HttpMetadata(CIMultiDict(headers), request_id="r1", forward_cookies=forward_cookies)


@cases(
    "headers, expected",
    {
        "own name": ([("Authorization", "Bearer x")], [("authorization", "Bearer x")]),
        "repeated": ([("X-A", "1"), ("X-A", "2")], [("x-a", "1"), ("x-a", "2")]),
        "prefix is taken off": ([("Grpc-Metadata-Abc", "1")], [("abc", "1")]),
        "header beats prefix": ([("Grpc-Metadata-Abc", "1"), ("Abc", "2")], [("abc", "2")]),
        "prefix cannot bring in host": ([("Grpc-Metadata-Host", "h")], []),
        "prefix cannot bring in cookies": ([("Grpc-Metadata-Cookie", "a=b")], []),
        "prefix cannot bring in grpc-": ([("Grpc-Metadata-Grpc-Status", "0")], []),
        "prefix cannot name the request": ([("Grpc-Metadata-X-Request-Id", "z")], []),
        "grpc- stays out": ([("Grpc-Timeout", "1S"), ("Grpc-Encoding", "gzip")], []),
        "content- stays out": ([("Content-Type", "a/b"), ("Content-Length", "3")], []),
        "of the connection": ([("Host", "h"), ("TE", "trailers"), ("Expect", "x")], []),
        "named by Connection": (
            [("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-End", "2")],
            [("x-end", "2")],
        ),
        "named by a second Connection": (
            [("Connection", "close"), ("Connection", "X-Hop,X-Hip"), ("X-Hop", "1"), ("X-Hip", "")],
            [],
        ),
        "grpc- stays out unread": ([("Grpc-Status-Details-Bin", "!")], []),
        "accept": ([("Accept", "*/*"), ("Accept-Encoding", "br")], [("accept", "*/*")]),
        "prefix of nothing": ([("Grpc-Metadata-", "1")], []),
        "binary, prefixed": ([("Grpc-Metadata-X-Bin", "AQI")], [("x-bin", b"\x01\x02")]),
        "empty": ([("X-A", "")], [("x-a", "")]),
        "cookies stay out": ([("Cookie", "a=b")], []),
        "value not ASCII": ([("X-A", "caf\u00e9")], []),
        "name not a metadata key": ([("X!A", "1")], []),
        "binary, padded": ([("X-Bin-Bin", "AQI=")], [("x-bin-bin", b"\x01\x02")]),
        "binary, unpadded": ([("X-Bin", "AQI")], [("x-bin", b"\x01\x02")]),
        "binary, joined": ([("X-bIN", "AQ==,Ag==")], [("x-bin", b"\x01"), ("x-bin", b"\x02")]),
    },
)
def test_headers_become_metadata(
    headers: list[tuple[str, str]], expected: list[tuple[str, str | bytes]]
) -> None:
    assert [*metadata(*headers)] == [*expected, ("x-request-id", "r1")]


@cases(
    "key, expected",
    {
        "header": ("authorization", "Bearer x"),
        "prefixed": ("abc", "1"),
        "binary": ("x-data-bin", b"\x01"),
        "request id is the answer's": ("x-request-id", "r1"),
        "of the connection": ("host", None),
        "cookie": ("cookie", None),
        "named by Connection": ("x-hop", None),
        "absent": ("x-none", None),
    },
)
@pytest.mark.parametrize("is_built", [False, True])
def test_a_look_up_says_what_iteration_says(
    key: str, expected: str | bytes | None, is_built: bool
) -> None:
    subject = metadata(
        ("Host", "h"),
        ("Authorization", "Bearer x"),
        ("Grpc-Metadata-Abc", "1"),
        ("Cookie", "a=b"),
        ("Connection", "x-hop"),
        ("X-Hop", "1"),
        ("X-Bad", "caf\u00e9"),
        ("X-Request-Id", "their own"),
        *([("X-Data-Bin", "AQ==")] if is_built or key == "x-data-bin" else []),
    )
    assert subject.get(key) == expected


@pytest.mark.parametrize("value", ["caf\u00e9", "a\tb", "a\x7f"], ids=ascii)
@pytest.mark.parametrize("name", ["X-Org", "Grpc-Metadata-X-Org"])
@pytest.mark.parametrize("is_built", [False, True])
def test_a_value_that_metadata_cannot_have_is_refused_when_it_is_asked_for(
    name: str, value: str, is_built: bool
) -> None:
    subject = metadata((name, value), *([("X-Data-Bin", "AQ==")] if is_built else []))
    with pytest.raises(TranscodeError) as caught:
        subject.get("x-org")
    assert isinstance(caught.value, ValueError)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.message == "header x-org: expected printable ASCII characters"
    assert subject.get("x-other") is None


def test_fixed_headers_are_taken_as_they_are() -> None:
    assert fixed_headers({"Cache-Control": "no-store", "X-Robots-Tag": "none"}) == [
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "none"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Set Cookie", "a", "expected a name and a value that HTTP allows, got 'a'"),
        ("", "a", "expected a name and a value that HTTP allows, got 'a'"),
        ("X-A", "a\r\nX-B: b", r"expected a name and a value that HTTP allows, got 'a\r\nX-B: b'"),
        ("X-A", "caf\u00e9", "expected a name and a value that HTTP allows, got 'caf\u00e9'"),
        ("Content-Type", "text/html", "is not the same for every answer"),
        ("Transfer-Encoding", "chunked", "is not the same for every answer"),
        ("Access-Control-Allow-Origin", "*", "is not the same for every answer"),
        ("X-Request-Id", "1", "is not the same for every answer"),
        ("vary", "*", "is not the same for every answer"),
    ],
)
def test_header_that_cannot_be_fixed_is_named(name: str, value: str, why: str) -> None:
    with misconfigured(f"response header {name!r}: {why}"):
        fixed_headers({name: value})


def test_cookies_pass_when_asked_for() -> None:
    assert metadata(("Cookie", "a=b"), forward_cookies=True).get("cookie") == "a=b"


def test_metadata_does_what_the_tuple_does_that_grpc_gives() -> None:
    sent = metadata(("X-A", "1"))
    pairs = (("x-a", "1"), ("x-request-id", "r1"))
    assert sent == pairs
    assert sent != (("x-a", "1"),)
    assert hash(sent) == hash(pairs)
    assert sent + (("x-b", "2"),) == (*pairs, ("x-b", "2"))  # noqa: RUF005  what servicers do
    assert repr(sent) == (
        "(Metadatum(key='x-a', value='1'), Metadatum(key='x-request-id', value='r1'))"
    )


def test_items_have_the_names_that_grpc_gives_them() -> None:
    first = metadata(("X-A", "1"))[0]
    assert (first.key, first.value) == ("x-a", "1")


@pytest.mark.parametrize(
    "value",
    ["!", "A", "AQ=A", "AQ=", "AQI==", "AQID=", "AQID====", "A_+B", "A-+B", "AQ\n==", "\u00e9"],
)
def test_a_binary_header_that_is_not_base64_is_refused_by_name(value: str) -> None:
    with malformed(f"header x-data-bin: expected base64, got {value!r}"):
        metadata(("X-Data-Bin", value))


@cases(
    "text, seconds",
    {
        "hours": ("2H", 7200),
        "minutes": ("3M", 180),
        "seconds": ("4S", 4),
        "milliseconds": ("5000m", 5),
        "microseconds": ("6000000u", 6),
        "nanoseconds": ("99999999n", 0.099999999),
        "none left": ("0S", 0),
    },
)
def test_a_timeout_sets_the_deadline(text: str, seconds: float) -> None:
    before = time.monotonic()
    deadline = deadline_of(CIMultiDict({"Grpc-Timeout": text}))
    assert deadline is not None
    assert before + seconds <= deadline <= time.monotonic() + seconds


def test_without_a_timeout_there_is_no_deadline() -> None:
    assert deadline_of(CIMultiDict()) is None


@pytest.mark.parametrize(
    "text", ["", "5", "S", "abcS", "1.5S", "5X", "-5S", "1_0S", "123456789S", " 5S", "\u0665S"]
)
def test_a_garbage_timeout_is_refused_by_name(text: str) -> None:
    expected = "expected 1 to 8 digits and a unit (H M S m u n)"
    with malformed(f"header grpc-timeout: {expected}, got {text!r}"):
        deadline_of(CIMultiDict({"Grpc-Timeout": text}))


@cases(
    "sent, expected",
    {
        "as they are": ([("x-a", "1"), ("x-a", "2")], [("x-a", "1"), ("x-a", "2")]),
        "binary, unpadded": ([("x-bin", b"\x01\x02")], [("x-bin", "AQI")]),
        "text under a binary key": ([("x-bin", "\x01\x02")], [("x-bin", "AQI")]),
        "lone surrogate, binary key": ([("x-bin", "\ud800")], [("x-bin", "Pw")]),
        "bytes under a text key": ([("x-a", b"text")], [("x-a", "text")]),
        "no line breaks": ([("x-a", "1\r\nx-b: 2")], []),
        "ASCII only": ([("x-a", "caf\u00e9")], []),
        "lower case only": ([("X-A", "1")], []),
        "hop by hop": ([("connection", "close"), ("te", "x")], []),
        "HTTP's own": ([("content-length", "3"), ("date", "x"), ("server", "x")], []),
        "gRPC's own": ([("grpc-status", "0")], []),
        "for the protocol alone": ([("x-http-code", "201")], []),
        "sent by the dispatcher": ([("x-request-id", "2")], []),
    },
)
def test_response_metadata_becomes_headers(
    sent: list[tuple[str, str | bytes]], expected: list[tuple[str, str]]
) -> None:
    assert [*initial_headers(sent)] == expected
    assert [*trailer_headers(sent)] == [("grpc-trailer-" + key, text) for key, text in expected]


@cases(
    "sent, expected",
    {
        "by default": ([], 200),
        "created": ([("x-http-code", "201")], 201),
        "redirect": ([("x-http-code", "302")], 302),
        "an error is not an answer": ([("x-http-code", "404")], 200),
        "garbage": ([("x-http-code", "2xx")], 200),
    },
)
def test_initial_metadata_may_set_the_status(
    sent: list[tuple[str, str | bytes]], expected: int
) -> None:
    assert http_code(sent) == expected


def test_a_dropped_key_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert list(metadata(("X!Logged", "1"))) == [("x-request-id", "r1")]
    assert caplog.messages == ["dropped request header 'x!logged': not valid as metadata"]


def test_names_made_up_without_end_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcoder.http.headers.LOGGED_MAX", 0)
    assert list(metadata(("X!New", "1"))) == [("x-request-id", "r1")]
    assert caplog.messages == []
