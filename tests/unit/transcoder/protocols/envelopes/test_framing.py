import pytest

from tests.support.tables import cases
from tests.unit.transcoder.protocols.grpcweb.reading import LIMIT_BYTES, cut
from transcoder.errors import TranscodeError
from transcoder.protocols.envelopes.dialect import Dialect
from transcoder.protocols.envelopes.framing import (
    EnvelopeReader,
    compressed_envelope,
    end_envelope,
    envelope,
)

DIALECT = Dialect("Test", "test-encoding", "test-accept-encoding")


@cases(
    "body",
    {
        "whole": b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02bc",
        "bad": b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02bc\xff",
    },
)
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_reader_gives_the_messages_that_came_before_a_fault(body: bytes, is_cut: bool) -> None:
    reader = EnvelopeReader(DIALECT, message_max_bytes=LIMIT_BYTES)
    messages = []
    for piece in cut(body) if is_cut else [body]:
        reader.feed(piece)
        try:
            while (frame := reader.next()) is not None:
                messages.append(frame.payload)
        except TranscodeError:
            break
    assert messages == [b"a", b"", b"bc"]


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_body_that_ends_within_a_message_fails_after_the_messages_before(is_cut: bool) -> None:
    body = b"\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x02b"
    reader = EnvelopeReader(DIALECT, message_max_bytes=LIMIT_BYTES)
    for piece in cut(body) if is_cut else [body]:
        reader.feed(piece)
    reader.finish()
    first = reader.next()
    assert first is not None
    assert first.payload == b"a"
    assert reader.is_within
    with pytest.raises(TranscodeError) as caught:
        reader.next()
    assert caught.value.message == "Test framing: the body ends after 1 of a message's 2 bytes"


def test_a_message_in_an_envelope() -> None:
    assert envelope(b"ab") == b"\x00\x00\x00\x00\x02ab"
    assert compressed_envelope(b"ab") == b"\x01\x00\x00\x00\x02ab"
    assert end_envelope(b"ab") == b"\x02\x00\x00\x00\x02ab"
