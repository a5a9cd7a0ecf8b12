"""The load generator reads chunked answers, and does not count malformed ones."""

import pytest

from tests.bench.http1 import Chunks
from tests.support.tables import cases

WHOLE = b"3\r\nabc\r\n1f\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n"
BODY = b"abc" + b"x" * 31


def test_a_chunked_body_is_the_same_whole_and_byte_by_byte() -> None:
    assert Chunks().feed(WHOLE) == BODY
    chunks = Chunks()
    came = [chunks.feed(bytes((byte,))) for byte in WHOLE]
    assert came == [None] * (len(WHOLE) - 1) + [BODY]


@cases(
    "data",
    {
        "a chunk that goes on": b"3\r\nabcd\r\n",
        "no size": b"not-a-chunk at all",
        "more after the end": b"3\r\nabc\r\n0\r\n\r\nmore",
        "trailer fields": b"0\r\nx: 1\r\n\r\n",
    },
)
def test_malformed_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="chunk"):
        Chunks().feed(data)
