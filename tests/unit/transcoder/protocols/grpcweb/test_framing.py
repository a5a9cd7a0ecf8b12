import base64
import logging

import pytest
from grpc import StatusCode

from tests.unit.transcoder.protocols.grpcweb.reading import (
    LIMIT_BYTES,
    Read,
    Refused,
    cut,
    malformed,
    not_one_message,
    read,
)
from transcoder.errors import TranscodeError
from transcoder.protocols.grpcweb.framing import (
    Frame,
    MessageFrameReader,
    Mode,
    UnaryReader,
    message_frame,
    mode_of,
    only_message,
    trailer_frame,
)

LONG = bytes(range(256)) * 3


BODIES = [
    pytest.param(b"\x00\x00\x00\x00\x02ab", b"ab", id="one message"),
    pytest.param(b"\x00\x00\x00\x00\x00", b"", id="one message of no bytes"),
    pytest.param(b"\x00\x00\x00\x03\x00" + LONG, LONG, id="a length of more than one byte"),
    pytest.param(b"\x00\x00\x00\x03\xe8" + b"x" * 1000, b"x" * 1000, id="as long as the limit"),
    pytest.param(
        b"",
        not_one_message("is empty"),
        id="no body",
    ),
    pytest.param(
        b"\x00\x00\x00",
        malformed("the body ends after 3 of a frame header's 5 bytes"),
        id="header cut short",
    ),
    pytest.param(
        b"\x00\x00\x00\x00\x05abc",
        malformed("the body ends after 3 of a message's 5 bytes"),
        id="message cut short",
    ),
    pytest.param(
        b"\x00\x00\x00\x00\x05",
        malformed("the body ends after 0 of a message's 5 bytes"),
        id="header alone",
    ),
    pytest.param(
        b"\x00\x00\x00\x03\xe9",
        Refused(
            StatusCode.RESOURCE_EXHAUSTED,
            "a message of 1001 bytes is larger than the limit of 1000 bytes",
        ),
        id="one byte over the limit, refused by its header",
    ),
    pytest.param(
        b"\x00\xff\xff\xff\xff" + b"x" * 50,
        Refused(
            StatusCode.RESOURCE_EXHAUSTED,
            "a message of 4294967295 bytes is larger than the limit of 1000 bytes",
        ),
        id="length of 4 GiB",
    ),
    pytest.param(
        b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x01b",
        not_one_message("goes on after its first message"),
        id="second message",
    ),
    pytest.param(
        b"\x00\x00\x00\x00\x01a\n",
        not_one_message("goes on after its first message"),
        id="garbage after the message",
    ),
    pytest.param(
        b"\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00",
        not_one_message("goes on after its first message"),
        id="trailer frame after the message",
    ),
    pytest.param(
        b"\x80\x00\x00\x00\x00",
        malformed("frame flags: expected 0x00 or 0x01, got 0x80"),
        id="trailer frame in place of a message",
    ),
    pytest.param(
        b"\x7e\x00\x00\x00\x01a",
        malformed("frame flags: expected 0x00 or 0x01, got 0x7e"),
        id="unknown flags",
    ),
    pytest.param(
        b'{"id":"1"}',
        malformed("frame flags: expected 0x00 or 0x01, got 0x7b"),
        id="JSON",
    ),
    pytest.param(
        base64.b64encode(b"\x00\x00\x00\x00\x01a"),
        malformed("frame flags: expected 0x00 or 0x01, got 0x41"),
        id="base64",
    ),
    pytest.param(
        b"\x01\x00\x00\x00\x01a",
        malformed("a frame is flagged as compressed, but grpc-encoding names no encoding"),
        id="compressed, nobody says how",
    ),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_a_unary_body_is_exactly_one_message(body: bytes, expected: Read) -> None:
    assert read([body]) == expected


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_a_body_of_one_message_needs_no_reader(body: bytes, expected: Read) -> None:
    message = expected if isinstance(expected, bytes) else None
    assert only_message(body, max_bytes=LIMIT_BYTES) == message


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_how_a_body_is_cut_changes_nothing(body: bytes, expected: Read) -> None:
    assert read(cut(body)) == expected


def test_a_compressed_message_is_refused_where_no_encoding_is_named() -> None:
    assert read([b"\x01\x00\x00\x00\x01a"]) == malformed(
        "a frame is flagged as compressed, but grpc-encoding names no encoding"
    )


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("flags", [0, 1])
def test_a_reader_says_whether_a_message_is_compressed(flags: int, is_cut: bool) -> None:
    body = bytes((flags,)) + b"\x00\x00\x00\x01a"
    reader = UnaryReader(message_max_bytes=LIMIT_BYTES, encoding="gzip")
    for piece in cut(body) if is_cut else [body]:
        reader.feed(piece)
    assert reader.finish() == Frame(b"a", is_compressed=flags == 1)


def test_an_encoding_that_is_named_but_not_used_is_no_fault() -> None:
    assert read([b"\x00\x00\x00\x00\x01a"], encoding="gzip") == b"a"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02bc", id="whole"
        ),
        pytest.param(
            b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02bc\xff", id="bad"
        ),
    ],
)
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_reader_gives_the_messages_that_came_before_a_fault(body: bytes, is_cut: bool) -> None:
    reader = MessageFrameReader(message_max_bytes=LIMIT_BYTES)
    messages = []
    for piece in cut(body) if is_cut else [body]:
        reader.feed(piece)
        try:
            while (frame := reader.next_frame()) is not None:
                messages.append(frame.payload)
        except TranscodeError:
            break
    assert messages == [b"a", b"", b"bc"]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        pytest.param("application/grpc-web", Mode.BINARY, id="plain"),
        pytest.param("application/grpc-web+proto", Mode.BINARY, id="names protobuf"),
        pytest.param("Application/gRPC-Web+Proto", Mode.BINARY, id="any case"),
        pytest.param("application/grpc-web ; charset=utf-8", Mode.BINARY, id="with a parameter"),
        pytest.param("application/grpc-web-text", Mode.TEXT, id="text"),
        pytest.param("application/grpc-web-text+proto;a=b", Mode.TEXT, id="text with a parameter"),
        pytest.param("application/grpc-web+json", None, id="JSON messages"),
        pytest.param("application/grpc-web-", None, id="something after it"),
        pytest.param("application/grpc", None, id="gRPC"),
        pytest.param("application/json", None, id="JSON"),
        pytest.param("text/plain", None, id="what a form can send"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_content_type_says_the_mode(content_type: str | None, expected: Mode | None) -> None:
    assert mode_of(content_type) is expected


def test_message_frame() -> None:
    assert message_frame(b"ab") == b"\x00\x00\x00\x00\x02ab"
    assert message_frame(b"ab", is_compressed=True) == b"\x01\x00\x00\x00\x02ab"


def test_trailer_frame_of_a_call_that_succeeded() -> None:
    assert trailer_frame() == b"\x80\x00\x00\x00\x0fgrpc-status:0\r\n"


def test_trailer_frame_of_a_call_that_failed() -> None:
    frame = trailer_frame(
        StatusCode.FAILED_PRECONDITION,
        "Action is not inactive (COMMAND-J53zh)",
        details=b"\x08\x09",
        metadata=[("x-trail", "1"), ("x-data-bin", b"\x00\xff")],
    )
    payload = (
        b"grpc-status:9\r\n"
        b"grpc-message:Action is not inactive (COMMAND-J53zh)\r\n"
        b"grpc-status-details-bin:CAk\r\n"
        b"x-trail:1\r\n"
        b"x-data-bin:AP8\r\n"
    )
    assert frame == b"\x80\x00\x00\x00\x7c" + payload


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("id: expected 1..200, got ''", b"id: expected 1..200, got ''", id="ASCII"),
        pytest.param("100% of it", b"100%25 of it", id="percent"),
        pytest.param("größer", b"gr%C3%B6%C3%9Fer", id="not ASCII"),
        pytest.param("日本", b"%E6%97%A5%E6%9C%AC", id="three bytes a character"),
        pytest.param("a\r\ngrpc-status:0", b"a%0D%0Agrpc-status:0", id="line break"),
        pytest.param("a\x00b\x7f", b"a%00b%7F", id="control characters"),
        pytest.param("~ !", b"~ !", id="ends of what is printable"),
        pytest.param("lone \ud800 half", b"lone ? half", id="not a character"),
        pytest.param("  a b ", b"%20%20a b%20", id="blanks at the ends, which clients trim"),
        pytest.param("  ", b"%20%20", id="blanks alone"),
    ],
)
def test_message_is_percent_encoded_where_it_must_be(message: str, expected: bytes) -> None:
    payload = trailer_frame(StatusCode.UNKNOWN, message)[5:]
    assert payload == b"grpc-status:2\r\ngrpc-message:" + expected + b"\r\n"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        pytest.param("x-a", "b c", b"x-a:b c\r\n", id="text"),
        pytest.param("x-a", b"b c", b"x-a:b c\r\n", id="text as bytes"),
        pytest.param("x-a", "", b"x-a:\r\n", id="empty value"),
        pytest.param("x-a-bin", b"\x00\r\n", b"x-a-bin:AA0K\r\n", id="binary"),
        pytest.param("x-a-bin", "ä", b"x-a-bin:w6Q\r\n", id="text under a binary key"),
        pytest.param("x-a", "a\r\ngrpc-status:13", b"", id="line break"),
        pytest.param("x-a", "a\ngrpc-status:13", b"", id="bare line feed"),
        pytest.param("x-a", "ä", b"", id="text that is not ASCII"),
        pytest.param("x-a", b"\xc3\xa4", b"", id="bytes that are not ASCII"),
        pytest.param("x-a:b", "c", b"", id="colon in the key"),
        pytest.param("x-a\r\nx-b", "c", b"", id="line break in the key"),
        pytest.param("X-A", "c", b"", id="upper case in the key"),
        pytest.param("", "c", b"", id="no key"),
        pytest.param("grpc-status", "0", b"", id="another status"),
        pytest.param("grpc-status-details-bin", b"x", b"", id="other details"),
    ],
)
def test_trailing_metadata_is_kept_or_left_out_but_never_breaks_the_frame(
    key: str, value: str | bytes, expected: bytes
) -> None:
    payload = trailer_frame(metadata=[("x-1", "1"), (key, value), ("x-2", "2")])[5:]
    assert payload == b"grpc-status:0\r\nx-1:1\r\n" + expected + b"x-2:2\r\n"


def test_metadata_left_out_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "transcoder.protocols.grpcweb.framing")
    trailer_frame(metadata=[("x-logged-once", "ä")])
    trailer_frame(metadata=[("x-logged-once", "ö")])
    assert caplog.messages == ["dropped trailing metadata 'x-logged-once': not valid as metadata"]
