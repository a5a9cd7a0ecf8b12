import base64
import logging

import pytest
from grpc import StatusCode

from tests.support.tables import cases
from tests.unit.transcoder.protocols.grpcweb.reading import (
    LIMIT_BYTES,
    Read,
    bad_flags,
    cut,
    ends_after,
    malformed,
    not_one_message,
    read,
    too_large,
)
from transcoder.protocols.envelopes.framing import Envelope, only_message
from transcoder.protocols.grpcweb.framing import (
    Mode,
    UnaryReader,
    mode_of,
    trailer_frame,
)

LONG = bytes(range(256)) * 3
TOO_MUCH = not_one_message("goes on after its first message")


BODIES = {
    "one message": (b"\x00\x00\x00\x00\x02ab", b"ab"),
    "one message of no bytes": (b"\x00\x00\x00\x00\x00", b""),
    "a length of more than one byte": (b"\x00\x00\x00\x03\x00" + LONG, LONG),
    "as long as the limit": (b"\x00\x00\x00\x03\xe8" + b"x" * 1000, b"x" * 1000),
    "no body": (b"", not_one_message("is empty")),
    "header cut short": (b"\x00\x00\x00", ends_after("3 of a frame header's 5 bytes")),
    "message cut short": (b"\x00\x00\x00\x00\x05abc", ends_after("3 of a message's 5 bytes")),
    "header alone": (b"\x00\x00\x00\x00\x05", ends_after("0 of a message's 5 bytes")),
    "one byte over the limit, refused by its header": (b"\x00\x00\x00\x03\xe9", too_large(1001)),
    "length of 4 GiB": (b"\x00\xff\xff\xff\xff" + b"x" * 50, too_large(4294967295)),
    "second message": (b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x01b", TOO_MUCH),
    "garbage after the message": (b"\x00\x00\x00\x00\x01a\n", TOO_MUCH),
    "trailer frame after the message": (b"\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00", TOO_MUCH),
    "trailer frame in place of a message": (b"\x80\x00\x00\x00\x00", bad_flags("0x80")),
    "unknown flags": (b"\x7e\x00\x00\x00\x01a", bad_flags("0x7e")),
    "JSON": (b'{"id":"1"}', bad_flags("0x7b")),
    "base64": (base64.b64encode(b"\x00\x00\x00\x00\x01a"), bad_flags("0x41")),
    "compressed, nobody says how": (
        b"\x01\x00\x00\x00\x01a",
        malformed("a frame is flagged as compressed, but grpc-encoding names no encoding"),
    ),
}


@cases("body, expected", BODIES)
def test_a_unary_body_is_exactly_one_message(body: bytes, expected: Read) -> None:
    assert read([body]) == expected


@cases("body, expected", BODIES)
def test_a_body_of_one_message_needs_no_reader(body: bytes, expected: Read) -> None:
    message = expected if isinstance(expected, bytes) else None
    assert only_message(body, max_bytes=LIMIT_BYTES) == message


@cases("body, expected", BODIES)
def test_how_a_body_is_cut_changes_nothing(body: bytes, expected: Read) -> None:
    assert read(cut(body)) == expected


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("flags", [0, 1])
def test_a_reader_says_whether_a_message_is_compressed(flags: int, is_cut: bool) -> None:
    body = bytes((flags,)) + b"\x00\x00\x00\x01a"
    reader = UnaryReader(message_max_bytes=LIMIT_BYTES, encoding="gzip")
    for piece in cut(body) if is_cut else [body]:
        reader.feed(piece)
    assert reader.finish() == Envelope(b"a", is_compressed=flags == 1)


def test_an_encoding_that_is_named_but_not_used_is_no_fault() -> None:
    assert read([b"\x00\x00\x00\x00\x01a"], encoding="gzip") == b"a"


@cases(
    "content_type, expected",
    {
        "plain": ("application/grpc-web", Mode.BINARY),
        "names protobuf": ("application/grpc-web+proto", Mode.BINARY),
        "any case": ("Application/gRPC-Web+Proto", Mode.BINARY),
        "with a parameter": ("application/grpc-web ; charset=utf-8", Mode.BINARY),
        "text": ("application/grpc-web-text", Mode.TEXT),
        "text with a parameter": ("application/grpc-web-text+proto;a=b", Mode.TEXT),
        "JSON messages": ("application/grpc-web+json", None),
        "something after it": ("application/grpc-web-", None),
        "gRPC": ("application/grpc", None),
        "JSON": ("application/json", None),
        "what a form can send": ("text/plain", None),
        "empty": ("", None),
        "missing": (None, None),
    },
)
def test_content_type_says_the_mode(content_type: str | None, expected: Mode | None) -> None:
    assert mode_of(content_type) is expected


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


@cases(
    "message, expected",
    {
        "ASCII": ("id: expected 1..200, got ''", b"id: expected 1..200, got ''"),
        "percent": ("100% of it", b"100%25 of it"),
        "not ASCII": ("größer", b"gr%C3%B6%C3%9Fer"),
        "three bytes a character": ("日本", b"%E6%97%A5%E6%9C%AC"),
        "line break": ("a\r\ngrpc-status:0", b"a%0D%0Agrpc-status:0"),
        "control characters": ("a\x00b\x7f", b"a%00b%7F"),
        "ends of what is printable": ("~ !", b"~ !"),
        "not a character": ("lone \ud800 half", b"lone ? half"),
        "blanks at the ends, which clients trim": ("  a b ", b"%20%20a b%20"),
        "blanks alone": ("  ", b"%20%20"),
    },
)
def test_message_is_percent_encoded_where_it_must_be(message: str, expected: bytes) -> None:
    payload = trailer_frame(StatusCode.UNKNOWN, message)[5:]
    assert payload == b"grpc-status:2\r\ngrpc-message:" + expected + b"\r\n"


@cases(
    "key, value, expected",
    {
        "text": ("x-a", "b c", b"x-a:b c\r\n"),
        "text as bytes": ("x-a", b"b c", b"x-a:b c\r\n"),
        "empty value": ("x-a", "", b"x-a:\r\n"),
        "binary": ("x-a-bin", b"\x00\r\n", b"x-a-bin:AA0K\r\n"),
        "text under a binary key": ("x-a-bin", "ä", b"x-a-bin:w6Q\r\n"),
        "line break": ("x-a", "a\r\ngrpc-status:13", b""),
        "bare line feed": ("x-a", "a\ngrpc-status:13", b""),
        "text that is not ASCII": ("x-a", "ä", b""),
        "bytes that are not ASCII": ("x-a", b"\xc3\xa4", b""),
        "colon in the key": ("x-a:b", "c", b""),
        "line break in the key": ("x-a\r\nx-b", "c", b""),
        "upper case in the key": ("X-A", "c", b""),
        "no key": ("", "c", b""),
        "another status": ("grpc-status", "0", b""),
        "other details": ("grpc-status-details-bin", b"x", b""),
    },
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
