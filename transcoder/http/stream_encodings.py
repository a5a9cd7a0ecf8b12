"""Compresses the body of a stream, flushed piece by piece, so that its reader gets each at once.

And inflates a body in gzip as it comes.

Follows RFC 1952 (gzip), RFC 7932 (br) and RFC 8878 (zstd).

Rule 1: no I/O.
Rule 2: a compressor takes at most about half a megabyte, as clients may hold many streams open: so
the windows are small.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from transcoder.http import encodings
from transcoder.http.encodings import BR, CODINGS, GZIP, IDENTITY, ZSTD, UnreadableError, preferred

DEFLATERS_MAX: Final = 256
"""Max streams that are compressed at once, in 128 MiB at most; others are sent as they are."""

_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
_GZIP_LEVEL: Final = 1
_BR_QUALITY: Final = 3
_WINDOW_LOG: Final = 16  # 64 KiB
_ZSTD_HASH_LOG: Final = 13
_ZSTD_LEVEL: Final = 3


class StreamDeflater(NamedTuple):
    """A compressor of one stream.

    Attributes:
        coding: its Content-Encoding.
        piece: compresses a piece; the reader can read all of it at once.
        end: returns the end of the stream.
    """

    coding: str
    piece: Callable[[bytes], bytes]
    end: Callable[[], bytes]


def stream_deflater(coding: str) -> StreamDeflater:
    """Returns a compressor for a coding of `CODINGS`."""
    return _MAKERS[coding]()


class StreamDeflaters:
    """Gives compressors to streams, for as many as may be open at once."""

    def __init__(self, *, maximum: int = DEFLATERS_MAX) -> None:
        self._left = maximum

    def take(self, accept_encoding: Sequence[str]) -> StreamDeflater | None:
        """Returns a compressor for a client; None if it accepts none, or all are taken.

        Args:
            accept_encoding: the header, as often as it came.
        """
        coding = preferred(accept_encoding)
        if coding == IDENTITY or not self._left:
            return None
        self._left -= 1
        return stream_deflater(coding)

    def give_back(self) -> None:
        """Notes that the stream of a compressor has ended."""
        self._left += 1


class StreamInflater:
    """Inflates a body in gzip piece by piece."""

    __slots__ = ("_inflater", "_input", "_is_begun")

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP_BITS)
        self._input = b""
        self._is_begun = False

    def feed(self, piece: bytes) -> None:
        """Adds a piece of the body, once `take` has returned all of those before."""
        self._input = piece
        self._is_begun = self._is_begun or bool(piece)

    def take(self, max_bytes: int) -> bytes:
        """Returns the next bytes, `max_bytes` at most; b"" if it needs more of the body.

        Raises:
            UnreadableError: the body is not one whole stream of gzip.
        """
        inflater = self._inflater
        if inflater.eof:
            data, rest = b"", inflater.unused_data or self._input
        else:
            try:
                data = inflater.decompress(self._input, max_bytes)
            except zlib.error as exc:
                raise UnreadableError("is not gzip") from exc
            self._input, rest = inflater.unconsumed_tail, inflater.unused_data
        if rest:
            raise UnreadableError("goes on after its end")
        return data

    def finish(self) -> None:
        """Notes the end of the body.

        Raises:
            UnreadableError: the stream ends early.
        """
        if self._is_begun and not self._inflater.eof:
            raise UnreadableError("ends early")


def _gzip() -> StreamDeflater:
    deflater = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)

    def piece(data: bytes) -> bytes:
        return deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)

    return StreamDeflater(GZIP, piece, deflater.flush)


def _br() -> StreamDeflater:
    deflater = encodings.brotli.Compressor(quality=_BR_QUALITY, lgwin=_WINDOW_LOG)

    def piece(data: bytes) -> bytes:
        return bytes(deflater.process(data) + deflater.flush())

    def end() -> bytes:
        return bytes(deflater.finish())

    return StreamDeflater(BR, piece, end)


def _zstd() -> StreamDeflater:
    parameter = encodings.zstd.CompressionParameter
    options: dict[int, int] = {
        parameter.compression_level: _ZSTD_LEVEL,
        parameter.window_log: _WINDOW_LOG,
        parameter.hash_log: _ZSTD_HASH_LOG,
        parameter.chain_log: _ZSTD_HASH_LOG,
    }
    deflater = encodings.zstd.ZstdCompressor(options=options)

    def piece(data: bytes) -> bytes:
        return deflater.compress(data, deflater.FLUSH_BLOCK)

    return StreamDeflater(ZSTD, piece, deflater.flush)


_MAKERS: Final[dict[str, Callable[[], StreamDeflater]]] = {
    coding: {GZIP: _gzip, BR: _br, ZSTD: _zstd}[coding] for coding in CODINGS
}
