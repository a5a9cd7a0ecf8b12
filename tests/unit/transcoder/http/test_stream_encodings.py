"""Bodies of streams, compressed piece by piece."""

import zlib
from collections.abc import Callable

import brotli
import pytest

from transcoder.http.encodings import BR, CODINGS, GZIP, ZSTD, inflate, zstd
from transcoder.http.stream_encodings import StreamDeflaters, stream_deflater

PIECES = [b"first" * 100, b"x", "größer".encode(), bytes(range(256)) * 300]
INFLATERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    GZIP: lambda: zlib.decompressobj(16 + zlib.MAX_WBITS).decompress,
    BR: lambda: brotli.Decompressor().process,
    ZSTD: lambda: zstd.ZstdDecompressor().decompress,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_each_piece_can_be_read_before_the_next_one_comes(coding: str) -> None:
    deflater, read = stream_deflater(coding), INFLATERS[coding]()
    assert deflater.coding == coding
    assert [read(deflater.piece(piece)) for piece in PIECES] == PIECES
    assert read(deflater.end()) == b""


def test_only_so_many_streams_are_compressed_at_once() -> None:
    deflaters = StreamDeflaters(maximum=1)
    assert deflaters.take(["identity"]) is None
    assert deflaters.take(["gzip"]) is not None
    assert deflaters.take(["gzip"]) is None
    deflaters.give_back()
    assert deflaters.take(["gzip"]) is not None


@pytest.mark.parametrize("coding", CODINGS)
def test_all_pieces_are_one_whole_stream(coding: str) -> None:
    deflater = stream_deflater(coding)
    body = b"".join(map(deflater.piece, PIECES)) + deflater.end()
    assert inflate(body, coding, max_bytes=1 << 20) == b"".join(PIECES)
