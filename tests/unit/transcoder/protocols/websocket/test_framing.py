"""Frames of WebSocket: the messages in them, whole and octet by octet, and what is none."""

import pytest

from tests.support.tables import cases
from tests.support.websocket_by_hand import BINARY, CLOSE, PING, PONG, TEXT, masked
from transcoder.http.switched import Kind
from transcoder.protocols.websocket.framing import (
    FrameError,
    FrameReader,
    close_code_of,
    close_message,
    frame,
)

TEXT_MAX = 70_000


def reader() -> FrameReader:
    return FrameReader(text_max_bytes=TEXT_MAX, binary_max_bytes=10)


def read(octets: bytes, *, step: int) -> list[tuple[Kind, bytes]] | tuple[int, str]:
    """The messages of the octets, fed in steps; or the code and the problem of what is none."""
    frames = reader()
    found: list[tuple[Kind, bytes]] = []
    try:
        for start in range(0, len(octets), step):
            frames.feed(octets[start : start + step])
            while (received := frames.next()) is not None:
                found.append((received.kind, received.data))
    except FrameError as error:
        return error.close_code, error.problem
    assert not frames.is_within
    assert frames.held_bytes == 0
    return found


LONG = b"x" * 65_536


@cases(
    "octets, expected",
    {
        "a text": (masked(TEXT, b"{}"), [(Kind.TEXT, b"{}")]),
        "an empty text": (masked(TEXT, b""), [(Kind.TEXT, b"")]),
        "not ASCII": (masked(TEXT, "größer".encode()), [(Kind.TEXT, "größer".encode())]),
        "binary": (masked(BINARY, b"\xff\x00"), [(Kind.BINARY, b"\xff\x00")]),
        "126 bytes": (masked(TEXT, b"y" * 126), [(Kind.TEXT, b"y" * 126)]),
        "65,536 bytes": (masked(TEXT, LONG), [(Kind.TEXT, LONG)]),
        "the largest": (masked(TEXT, b"z" * TEXT_MAX), [(Kind.TEXT, b"z" * TEXT_MAX)]),
        "fragments, in the middle of a character": (
            masked(TEXT, b"gr\xc3", first=0) + masked(0, b"", first=0) + masked(0, b"\xb6"),
            [(Kind.TEXT, b"gr\xc3\xb6")],
        ),
        "a ping between fragments": (
            masked(BINARY, b"a", first=0) + masked(PING, b"p") + masked(0, b"b"),
            [(Kind.PING, b"p"), (Kind.BINARY, b"ab")],
        ),
        "a pong": (masked(PONG, b""), [(Kind.PONG, b"")]),
        "a close": (masked(CLOSE, b"\x03\xe8bye"), [(Kind.CLOSE, b"\x03\xe8bye")]),
        "a close without a code": (masked(CLOSE, b""), [(Kind.CLOSE, b"")]),
        "a close of an application": (masked(CLOSE, b"\x0f\xa3"), [(Kind.CLOSE, b"\x0f\xa3")]),
        "125 bytes of control": (masked(PING, b"c" * 125), [(Kind.PING, b"c" * 125)]),
        "two messages": (
            masked(TEXT, b"1") + masked(TEXT, b"2"),
            [(Kind.TEXT, b"1"), (Kind.TEXT, b"2")],
        ),
    },
)
def test_messages_are_read_however_they_arrive(
    octets: bytes, expected: list[tuple[Kind, bytes]]
) -> None:
    assert read(octets, step=len(octets)) == expected
    assert read(octets, step=1 if len(octets) < 1000 else 997) == expected


@cases(
    "octets, expected",
    {
        "not masked": (masked(TEXT, b"{}", mask=None), (1002, "a frame is not masked")),
        "a reserved bit": (
            masked(TEXT, b"", first=0xC0),
            (1002, "a frame has a reserved bit, of an extension that was not agreed on"),
        ),
        "an unknown opcode": (masked(3, b""), (1002, "a frame has the unknown opcode 3")),
        "an unknown control frame": (masked(11, b""), (1002, "a frame has the unknown opcode 11")),
        "a continuation of nothing": (masked(0, b""), (1002, "a frame continues no message")),
        "a message within another": (
            masked(TEXT, b"", first=0) + masked(TEXT, b""),
            (1002, "a message begins before the last frame of another"),
        ),
        "a control frame in fragments": (
            masked(PING, b"", first=0),
            (1002, "a control frame is fragmented"),
        ),
        "126 bytes of control": (
            masked(PING, b"c" * 126),
            (1002, "a control frame is larger than 125 bytes"),
        ),
        "a length in more bytes than it needs": (
            b"\x81\xfe\x00\x02mask{}",
            (1002, "the length of a frame is malformed"),
        ),
        "a length of 64 bits": (
            b"\x81\xff" + b"\xff" * 8 + b"mask",
            (1002, "the length of a frame is malformed"),
        ),
        "a close code of one byte": (
            masked(CLOSE, b"\x03"),
            (1002, "the code of a close frame is invalid"),
        ),
        "a close code that is reserved": (
            masked(CLOSE, b"\x03\xed"),
            (1002, "the code of a close frame is invalid"),
        ),
        "a close reason that is not UTF-8": (
            masked(CLOSE, b"\x03\xe8\xff"),
            (1007, "the reason of a close frame is not UTF-8"),
        ),
        "a text that is not UTF-8": (masked(TEXT, b"\xff"), (1007, "a text message is not UTF-8")),
        "a message that is too large": (
            masked(BINARY, b"x" * 11),
            (1009, "a binary message is larger than the limit of 10 bytes"),
        ),
        "fragments that are too large together": (
            masked(BINARY, b"x" * 6, first=0) + masked(0, b"x" * 5),
            (1009, "a binary message is larger than the limit of 10 bytes"),
        ),
    },
)
def test_what_is_no_frame_is_told(octets: bytes, expected: tuple[int, str]) -> None:
    assert read(octets, step=len(octets)) == expected
    assert read(octets, step=1) == expected


def test_a_message_that_is_too_large_is_refused_by_its_head() -> None:
    frames = reader()
    frames.feed(b"\x82\xff" + (1 << 40).to_bytes(8))
    with pytest.raises(FrameError):
        frames.next()


@cases(
    "size, head",
    {
        "short": (125, b"\x81\x7d"),
        "of two bytes": (126, b"\x81\x7e\x00\x7e"),
        "the longest of two": (65_535, b"\x81\x7e\xff\xff"),
        "of eight bytes": (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    },
)
def test_a_message_is_written_as_one_frame(size: int, head: bytes) -> None:
    assert frame(Kind.TEXT, b"x" * size) == head + b"x" * size


def test_the_reason_of_a_close_frame_is_cut_between_characters() -> None:
    kind, parts = close_message(4003, "x" * 122 + "ß")
    written = frame(kind, *parts)
    assert written == b"\x88\x7c\x0f\xa3" + b"x" * 122
    assert close_code_of(written[2:]) == 4003
    assert close_code_of(b"") == 1000
