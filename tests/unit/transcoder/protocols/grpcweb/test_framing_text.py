"""Text mode: the same frames in base64, cut and padded wherever whoever sends them likes."""

import base64

import pytest

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
from transcoder.errors import TranscodeError
from transcoder.protocols.grpcweb.framing import Mode, UnaryReader, answer_mode

BODIES = {
    "one message": (b"AAAAAAJhYg==", b"ab"),
    "one message of no bytes": (b"AAAAAAA=", b""),
    "no padding": (b"AAAAAAEr", b"+"),
    "the whole alphabet": (b"AAAAAAT7//4+", b"\xfb\xff\xfe>"),
    "each byte padded": (b"AA==AA==AA==AA==Ag==YQ==Yg==", b"ab"),
    "header and message padded": (b"AAAAAAI=YWI=", b"ab"),
    "long": (base64.b64encode(b"\0\0\0\x03\xe8" + b"x" * 1000), b"x" * 1000),
    "no body": (b"", not_one_message("is empty")),
    "binary": (b"\x00\x00\x00\x00\x02ab", malformed(r"expected base64, got '\x00\x00\x00\x00'")),
    "not padded": (b"AAAAAAJhYg", ends_after("2 of a base64 group's 4 characters")),
    "half of its padding": (b"AAAAAAJhYg=", ends_after("3 of a base64 group's 4 characters")),
    "line break at the end": (b"AAAAAAJhYg==\n", ends_after("1 of a base64 group's 4 characters")),
    "line break inside": (b"AAAA\nAJhYg==", malformed("expected base64, got '\\nAJh'")),
    "the alphabet for URLs": (b"AAAAA-JhYg==", malformed("expected base64, got 'A-Jh'")),
    "three of padding": (b"AAAAA===", malformed("expected base64, got 'A==='")),
    "padding inside a group": (b"AAAAAA=A", malformed("expected base64, got 'AA=A'")),
    "padding alone": (b"====", malformed("expected base64, got '===='")),
    "message cut short": (b"AAAAAAJh", ends_after("1 of a message's 2 bytes")),
    "header cut short": (b"AAAA", ends_after("3 of a frame header's 5 bytes")),
    "something after the message": (
        b"AAAAAAJhYg==AAAA",
        not_one_message("goes on after its first message"),
    ),
    "something that is not base64 after the message": (
        b"AAAAAAJhYg==!!!!",
        malformed("expected base64, got '!!!!'"),
    ),
    "another fault before what is not base64": (b"gAAAAAA=!!!!", bad_flags("0x80")),
    "length of 4 GiB": (b"AP////8=", too_large(4294967295)),
}


@cases("body, expected", BODIES)
def test_a_text_body_is_one_message_in_base64(body: bytes, expected: Read) -> None:
    assert read([body], Mode.TEXT) == expected


@cases("body, expected", BODIES)
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


@cases(
    "asked, accept, expected",
    {
        "nothing said": (Mode.BINARY, None, Mode.BINARY),
        "nothing said, text": (Mode.TEXT, None, Mode.TEXT),
        "anything": (Mode.TEXT, "*/*", Mode.TEXT),
        "a browser's form": (Mode.TEXT, "text/html, */*;q=0.8", Mode.TEXT),
        "text": (Mode.BINARY, "application/grpc-web-text", Mode.TEXT),
        "binary": (Mode.TEXT, "application/grpc-web+proto", Mode.BINARY),
        "the first that is gRPC-Web": (
            Mode.BINARY,
            "text/plain, Application/grpc-web-text+proto;q=1, application/grpc-web",
            Mode.TEXT,
        ),
    },
)
def test_accept_names_the_mode_of_the_answer(
    asked: Mode, accept: str | None, expected: Mode
) -> None:
    assert answer_mode(asked, accept) is expected
