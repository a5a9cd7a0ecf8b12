"""Text mode: the same frames in base64, cut and padded wherever whoever sends them likes."""

import base64

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
from transcoder.protocols.grpcweb.framing import Mode, UnaryReader, answer_mode

BODIES = [
    pytest.param(b"AAAAAAJhYg==", b"ab", id="one message"),
    pytest.param(b"AAAAAAA=", b"", id="one message of no bytes"),
    pytest.param(b"AAAAAAEr", b"+", id="no padding"),
    pytest.param(b"AAAAAAT7//4+", b"\xfb\xff\xfe>", id="the whole alphabet"),
    pytest.param(b"AA==AA==AA==AA==Ag==YQ==Yg==", b"ab", id="each byte padded"),
    pytest.param(b"AAAAAAI=YWI=", b"ab", id="header and message padded"),
    pytest.param(base64.b64encode(b"\0\0\0\x03\xe8" + b"x" * 1000), b"x" * 1000, id="long"),
    pytest.param(
        b"",
        not_one_message("is empty"),
        id="no body",
    ),
    pytest.param(
        b"\x00\x00\x00\x00\x02ab",
        malformed(r"expected base64, got '\x00\x00\x00\x00'"),
        id="binary",
    ),
    pytest.param(
        b"AAAAAAJhYg",
        malformed("the body ends after 2 of a base64 group's 4 characters"),
        id="not padded",
    ),
    pytest.param(
        b"AAAAAAJhYg=",
        malformed("the body ends after 3 of a base64 group's 4 characters"),
        id="half of its padding",
    ),
    pytest.param(
        b"AAAAAAJhYg==\n",
        malformed("the body ends after 1 of a base64 group's 4 characters"),
        id="line break at the end",
    ),
    pytest.param(
        b"AAAA\nAJhYg==",
        malformed("expected base64, got '\\nAJh'"),
        id="line break inside",
    ),
    pytest.param(
        b"AAAAA-JhYg==",
        malformed("expected base64, got 'A-Jh'"),
        id="the alphabet for URLs",
    ),
    pytest.param(
        b"AAAAA===",
        malformed("expected base64, got 'A==='"),
        id="three of padding",
    ),
    pytest.param(
        b"AAAAAA=A",
        malformed("expected base64, got 'AA=A'"),
        id="padding inside a group",
    ),
    pytest.param(
        b"====",
        malformed("expected base64, got '===='"),
        id="padding alone",
    ),
    pytest.param(
        b"AAAAAAJh",
        malformed("the body ends after 1 of a message's 2 bytes"),
        id="message cut short",
    ),
    pytest.param(
        b"AAAA",
        malformed("the body ends after 3 of a frame header's 5 bytes"),
        id="header cut short",
    ),
    pytest.param(
        b"AAAAAAJhYg==AAAA",
        not_one_message("goes on after its first message"),
        id="something after the message",
    ),
    pytest.param(
        b"AAAAAAJhYg==!!!!",
        malformed("expected base64, got '!!!!'"),
        id="something that is not base64 after the message",
    ),
    pytest.param(
        b"gAAAAAA=!!!!",
        malformed("frame flags: expected 0x00 or 0x01, got 0x80"),
        id="another fault before what is not base64",
    ),
    pytest.param(
        b"AP////8=",
        Refused(
            StatusCode.RESOURCE_EXHAUSTED,
            "a message of 4294967295 bytes is larger than the limit of 1000 bytes",
        ),
        id="length of 4 GiB",
    ),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_a_text_body_is_one_message_in_base64(body: bytes, expected: Read) -> None:
    assert read([body], Mode.TEXT) == expected


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_how_a_text_body_is_cut_changes_nothing(body: bytes, expected: Read) -> None:
    assert read(cut(body), Mode.TEXT) == expected


def test_nothing_is_read_after_what_is_not_base64() -> None:
    reader = UnaryReader(Mode.TEXT, message_max_bytes=LIMIT_BYTES)
    with pytest.raises(TranscodeError):
        reader.feed(b"!!!!")
    with pytest.raises(TranscodeError) as caught:
        reader.feed(b"AAAAAAJhYg==")
    assert caught.value.message == "gRPC-Web framing: expected base64, got '!!!!'"


def test_each_frame_of_an_answer_is_encoded_alone() -> None:
    assert Mode.TEXT.encoded(b"\x00\x00\x00\x00\x02ab") == b"AAAAAAJhYg=="
    assert Mode.BINARY.encoded(b"\x00\x00\x00\x00\x02ab") == b"\x00\x00\x00\x00\x02ab"


@pytest.mark.parametrize(
    ("asked", "accept", "expected"),
    [
        pytest.param(Mode.BINARY, None, Mode.BINARY, id="nothing said"),
        pytest.param(Mode.TEXT, None, Mode.TEXT, id="nothing said, text"),
        pytest.param(Mode.TEXT, "*/*", Mode.TEXT, id="anything"),
        pytest.param(Mode.TEXT, "text/html, */*;q=0.8", Mode.TEXT, id="a browser's form"),
        pytest.param(Mode.BINARY, "application/grpc-web-text", Mode.TEXT, id="text"),
        pytest.param(Mode.TEXT, "application/grpc-web+proto", Mode.BINARY, id="binary"),
        pytest.param(
            Mode.BINARY,
            "text/plain, Application/grpc-web-text+proto;q=1, application/grpc-web",
            Mode.TEXT,
            id="the first that is gRPC-Web",
        ),
    ],
)
def test_accept_names_the_mode_of_the_answer(
    asked: Mode, accept: str | None, expected: Mode
) -> None:
    assert answer_mode(asked, accept) is expected
