"""Encodes and decodes bodies by gzip, br and zstd; picks the coding of an answer.

Follows RFC 9110 sections 8.4 (Content-Encoding), 12.4.2 (quality values), 12.5.3 (Accept-Encoding)
and 15.5.16 (415 says what is taken); RFC 1952 (gzip), RFC 7932 (br), RFC 8878 and RFC 9659 (zstd).

Rule 1: no I/O.
Rule 2: inflating stops at the limit; br, which inflates in steps, may make twice as much.
Rule 3: a payload is one whole stream. Bytes behind its end are refused, also a second gzip member
or zstd frame: each would make a copy of the rest.
"""

import contextlib
import re
import sys
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from transcoder.errors import malformed, shown, too_large, unsupported_media_type

GZIP: Final = "gzip"
BR: Final = "br"
ZSTD: Final = "zstd"
IDENTITY: Final = "identity"

# Extras of the library: a coding that is not installed is neither offered nor accepted.
_installed: list[str] = []
with contextlib.suppress(ImportError):
    if sys.version_info >= (3, 14):
        from compression import zstd as zstd  # tests import it from here
    else:
        from backports import zstd as zstd
    _installed.append(ZSTD)
with contextlib.suppress(ImportError):
    import brotli as brotli  # stream_encodings.py takes it from here

    _installed.append(BR)

CODINGS: Final = (*_installed, GZIP)
"""The codings of this server, the best first: zstd takes least CPU and gives the least bytes."""
ACCEPT_ENCODING: Final = ", ".join(CODINGS)
CODINGS_MAX: Final = 2
"""Max codings of one body: each takes the CPU of a whole body, and a second one gains nothing."""
DEFLATE_AT_ONCE_BYTES: Final = 128 << 10
"""Max bytes that are compressed on the event loop, in 0.7 ms; more are for a thread."""

_ALIASES: Final = {"x-gzip": GZIP}  # RFC 9110 section 8.4.1.3
_ELEMENTS_MAX: Final = 32
"""Max elements that are read of a header's list; clients send three or four."""
_ACCEPTED_CODING: Final = re.compile(
    # A coding, or "*", and its weight: 0 to 1 with three decimals at most.
    r"\s*([\w!#$%&'*+.^`|~-]+)\s*(?:;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.ASCII | re.IGNORECASE,
)

_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
# These make 14, 11 and 11 % of a list of actions, 64 KiB of JSON, in 0.15, 0.3 and 0.08 ms.
_GZIP_LEVEL: Final = 1
_BR_QUALITY: Final = 4
_ZSTD_LEVEL: Final = 3
_ZSTD_WINDOW_LOG_MAX: Final = 23  # 8 MiB: HTTP has no more (RFC 9659 section 3)


def codings_of(content_encoding: Sequence[str]) -> list[str]:
    """Returns the codings of a body, in the order in which they were applied.

    Args:
        content_encoding: the header, as often as it came.

    Raises:
        TranscodeError: 415 with Accept-Encoding: a coding is unknown, or there are too many.
    """
    said = ",".join(content_encoding)
    names = [name.strip().lower() for name in said.split(",", _ELEMENTS_MAX)]
    codings = [_ALIASES.get(name, name) for name in names if name not in ("", IDENTITY)]
    if len(codings) > CODINGS_MAX or not set(codings).issubset(CODINGS):
        expected = f"at most {CODINGS_MAX} of {ACCEPT_ENCODING}"
        message = f"content encoding {shown(said)}: expected {expected}"
        raise unsupported_media_type(message, ("Accept-Encoding", ACCEPT_ENCODING))
    return codings


def decode_body(body: bytes, codings: Sequence[str], *, max_bytes: int) -> bytes:
    """Returns the decoded body; takes some milliseconds even for a small body.

    Raises:
        TranscodeError: RESOURCE_EXHAUSTED (413), the body is larger than `max_bytes` after a
            coding; INVALID_ARGUMENT, it is not in its codings.
    """
    for coding in reversed(codings):
        try:
            body = inflate(body, coding, max_bytes=max_bytes)
        except TooMuchError:
            raise too_large("the request body, inflated,", limit_bytes=max_bytes) from None
        except UnreadableError as fault:
            raise malformed(f"request body, sent as {coding}, {fault}") from None
    return body


def preferred(accept_encoding: Iterable[str], offered: Sequence[str] = CODINGS) -> str:
    """Returns the coding of an answer: the client's preferred one, the first offered if equal.

    Malformed elements are ignored. A client that accepts neither identity nor an offered one gets
    identity: its call has run, and after an error it might call again.

    Args:
        accept_encoding: the header, as often as it came.
        offered: the codings that the answer may have, the best first.
    """
    weights: dict[str, float] = {}
    for element in ",".join(accept_encoding).split(",", _ELEMENTS_MAX):
        match = _ACCEPTED_CODING.fullmatch(element)
        if match is not None:
            name = match[1].lower()
            weight = 1.0 if match[2] is None else float(match[2])
            weights.setdefault(_ALIASES.get(name, name), weight)
    others = weights.get("*", 0.0)
    best = max(offered, key=lambda coding: weights.get(coding, others))  # of equals the first
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get(IDENTITY, 0.0) else IDENTITY


class UnreadableError(ValueError):
    """A payload that is not one whole stream of its coding; the message has the reason."""


class TooMuchError(ValueError):
    """A payload that inflates beyond the limit."""


def deflate(data: bytes, coding: str = GZIP) -> bytes:
    if coding == BR:
        return bytes(brotli.compress(data, quality=_BR_QUALITY))
    if coding == ZSTD:
        return zstd.compress(data, _ZSTD_LEVEL)
    return zlib.compress(data, _GZIP_LEVEL, _GZIP_BITS)


def inflate(payload: bytes, coding: str = GZIP, *, max_bytes: int) -> bytes:
    """Returns the payload as it was before it was compressed.

    Raises:
        TooMuchError: the result is larger than `max_bytes`.
        UnreadableError: the payload is not one whole stream of the coding.
    """
    if coding == BR:
        data, is_whole, rest = _unbrotlied(payload, max_bytes + 1)
    elif coding == ZSTD:
        data, is_whole, rest = _unzstded(payload, max_bytes + 1)
    else:
        data, is_whole, rest = _gunzipped(payload, max_bytes + 1)
    if len(data) > max_bytes:
        raise TooMuchError
    if not is_whole:
        raise UnreadableError("ends early")
    if rest:
        raise UnreadableError("goes on after its end")
    return data


# Each returns the data, or its first `limit` bytes; True if the stream is whole; and the bytes
# behind its end.


def _gunzipped(payload: bytes, limit: int) -> tuple[bytes, bool, bytes]:
    inflater = zlib.decompressobj(_GZIP_BITS)
    try:
        data = inflater.decompress(payload, limit)
    except zlib.error as exc:
        raise UnreadableError("is not gzip") from exc
    return data, inflater.eof, inflater.unused_data


def _unbrotlied(payload: bytes, limit: int) -> tuple[bytes, bool, bytes]:
    inflater = brotli.Decompressor()
    try:
        data = inflater.process(payload, output_buffer_limit=limit)
    except brotli.error as exc:  # raised for bytes behind the end too
        raise UnreadableError("is not br") from exc
    return data, inflater.is_finished(), b""


def _unzstded(payload: bytes, limit: int) -> tuple[bytes, bool, bytes]:
    window: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG_MAX}
    inflater = zstd.ZstdDecompressor(options=window)
    try:
        data = inflater.decompress(payload, limit)
    except zstd.ZstdError as exc:
        raise UnreadableError("is not zstd with a window of 8 MiB at most") from exc
    return data, inflater.eof, inflater.unused_data
