import time

import grpc
import pytest
from multidict import CIMultiDict

from transcoder.errors import SchemaError, TranscodeError
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


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(
            [("Authorization", "Bearer x")], [("authorization", "Bearer x")], id="own name"
        ),
        pytest.param([("X-A", "1"), ("X-A", "2")], [("x-a", "1"), ("x-a", "2")], id="repeated"),
        pytest.param([("Grpc-Metadata-Abc", "1")], [("abc", "1")], id="prefix is taken off"),
        pytest.param(
            [("Grpc-Metadata-Abc", "1"), ("Abc", "2")], [("abc", "2")], id="header beats prefix"
        ),
        pytest.param([("Grpc-Metadata-Host", "h")], [], id="prefix cannot bring in host"),
        pytest.param([("Grpc-Metadata-Cookie", "a=b")], [], id="prefix cannot bring in cookies"),
        pytest.param([("Grpc-Metadata-Grpc-Status", "0")], [], id="prefix cannot bring in grpc-"),
        pytest.param(
            [("Grpc-Metadata-X-Request-Id", "z")], [], id="prefix cannot name the request"
        ),
        pytest.param([("Grpc-Timeout", "1S"), ("Grpc-Encoding", "gzip")], [], id="grpc- stays out"),
        pytest.param(
            [("Content-Type", "a/b"), ("Content-Length", "3")], [], id="content- stays out"
        ),
        pytest.param(
            [("Host", "h"), ("TE", "trailers"), ("Expect", "x")], [], id="of the connection"
        ),
        pytest.param(
            [("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-End", "2")],
            [("x-end", "2")],
            id="named by Connection",
        ),
        pytest.param(
            [("Connection", "close"), ("Connection", "X-Hop,X-Hip"), ("X-Hop", "1"), ("X-Hip", "")],
            [],
            id="named by a second Connection",
        ),
        pytest.param([("Grpc-Status-Details-Bin", "!")], [], id="grpc- stays out unread"),
        pytest.param(
            [("Accept", "*/*"), ("Accept-Encoding", "br")], [("accept", "*/*")], id="accept"
        ),
        pytest.param([("Grpc-Metadata-", "1")], [], id="prefix of nothing"),
        pytest.param(
            [("Grpc-Metadata-X-Bin", "AQI")], [("x-bin", b"\x01\x02")], id="binary, prefixed"
        ),
        pytest.param([("X-A", "")], [("x-a", "")], id="empty"),
        pytest.param([("Cookie", "a=b")], [], id="cookies stay out"),
        pytest.param([("X-A", "caf\u00e9")], [], id="value not ASCII"),
        pytest.param([("X!A", "1")], [], id="name not a metadata key"),
        pytest.param([("X-Bin-Bin", "AQI=")], [("x-bin-bin", b"\x01\x02")], id="binary, padded"),
        pytest.param([("X-Bin", "AQI")], [("x-bin", b"\x01\x02")], id="binary, unpadded"),
        pytest.param(
            [("X-bIN", "AQ==,Ag==")], [("x-bin", b"\x01"), ("x-bin", b"\x02")], id="binary, joined"
        ),
    ],
)
def test_headers_become_metadata(
    headers: list[tuple[str, str]], expected: list[tuple[str, str | bytes]]
) -> None:
    assert [*metadata(*headers)] == [*expected, ("x-request-id", "r1")]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("authorization", "Bearer x", id="header"),
        pytest.param("abc", "1", id="prefixed"),
        pytest.param("x-data-bin", b"\x01", id="binary"),
        pytest.param("x-request-id", "r1", id="request id is the answer's"),
        pytest.param("host", None, id="of the connection"),
        pytest.param("cookie", None, id="cookie"),
        pytest.param("x-hop", None, id="named by Connection"),
        pytest.param("x-none", None, id="absent"),
    ],
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
        ("Set Cookie", "a", "'a' is not one of HTTP"),
        ("", "a", "'a' is not one of HTTP"),
        ("X-A", "a\r\nX-B: b", r"'a\r\nX-B: b' is not one of HTTP"),
        ("X-A", "caf\u00e9", "'caf\u00e9' is not one of HTTP"),
        ("Content-Type", "text/html", "is not the same for every answer"),
        ("Transfer-Encoding", "chunked", "is not the same for every answer"),
        ("Access-Control-Allow-Origin", "*", "is not the same for every answer"),
        ("X-Request-Id", "1", "is not the same for every answer"),
        ("vary", "*", "is not the same for every answer"),
    ],
)
def test_header_that_cannot_be_fixed_is_named(name: str, value: str, why: str) -> None:
    with pytest.raises(SchemaError, match="response header ") as caught:
        fixed_headers({name: value})
    assert str(caught.value) == f"response header {name!r}: {why}"


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
    with pytest.raises(TranscodeError) as caught:
        metadata(("X-Data-Bin", value))
    assert caught.value.http_status == 400
    assert caught.value.message == f"header x-data-bin: expected base64, got {value!r}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("2H", 7200, id="hours"),
        pytest.param("3M", 180, id="minutes"),
        pytest.param("4S", 4, id="seconds"),
        pytest.param("5000m", 5, id="milliseconds"),
        pytest.param("6000000u", 6, id="microseconds"),
        pytest.param("99999999n", 0.099999999, id="nanoseconds"),
        pytest.param("0S", 0, id="none left"),
    ],
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
    with pytest.raises(TranscodeError) as caught:
        deadline_of(CIMultiDict({"Grpc-Timeout": text}))
    assert caught.value.http_status == 400
    assert caught.value.message.startswith("header grpc-timeout: expected 1 to 8 digits and a unit")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([("x-a", "1"), ("x-a", "2")], [("x-a", "1"), ("x-a", "2")], id="as they are"),
        pytest.param([("x-bin", b"\x01\x02")], [("x-bin", "AQI")], id="binary, unpadded"),
        pytest.param([("x-bin", "\x01\x02")], [("x-bin", "AQI")], id="text under a binary key"),
        pytest.param([("x-bin", "\ud800")], [("x-bin", "Pw")], id="lone surrogate, binary key"),
        pytest.param([("x-a", b"text")], [("x-a", "text")], id="bytes under a text key"),
        pytest.param([("x-a", "1\r\nx-b: 2")], [], id="no line breaks"),
        pytest.param([("x-a", "caf\u00e9")], [], id="ASCII only"),
        pytest.param([("X-A", "1")], [], id="lower case only"),
        pytest.param([("connection", "close"), ("te", "x")], [], id="hop by hop"),
        pytest.param(
            [("content-length", "3"), ("date", "x"), ("server", "x")], [], id="HTTP's own"
        ),
        pytest.param([("grpc-status", "0")], [], id="gRPC's own"),
        pytest.param([("x-http-code", "201")], [], id="for the protocol alone"),
        pytest.param([("x-request-id", "2")], [], id="sent by the dispatcher"),
    ],
)
def test_response_metadata_becomes_headers(
    sent: list[tuple[str, str | bytes]], expected: list[tuple[str, str]]
) -> None:
    assert [*initial_headers(sent)] == expected
    assert [*trailer_headers(sent)] == [("grpc-trailer-" + key, text) for key, text in expected]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([], 200, id="by default"),
        pytest.param([("x-http-code", "201")], 201, id="created"),
        pytest.param([("x-http-code", "302")], 302, id="redirect"),
        pytest.param([("x-http-code", "404")], 200, id="an error is not an answer"),
        pytest.param([("x-http-code", "2xx")], 200, id="garbage"),
    ],
)
def test_initial_metadata_may_set_the_status(
    sent: list[tuple[str, str | bytes]], expected: int
) -> None:
    assert http_code(sent) == expected


def test_what_is_dropped_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert list(metadata(("X!Logged", "1"))) == [("x-request-id", "r1")]
    assert caplog.messages == ["dropped request header 'x!logged': not valid as metadata"]


def test_names_made_up_without_end_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcoder.http.headers.LOGGED_MAX", 0)
    assert list(metadata(("X!New", "1"))) == [("x-request-id", "r1")]
    assert caplog.messages == []
