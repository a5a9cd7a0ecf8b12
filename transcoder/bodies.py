"""The bodies of requests: whether one is JSON, and all of it, without its content codings.

Follows RFC 9110 sections 8.3 (Content-Type), 8.4 (Content-Encoding) and 10.1.1 (Expect), and
RFC 9112 section 6.
Rule: a body that has arrived whole is read without a timer.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from transcoder.codings import codings_of, decoded
from transcoder.connection import Request, closing
from transcoder.errors import (
    TranscodeError,
    malformed,
    shown,
    too_large,
    too_slow,
    unsupported_media_type,
)
from transcoder.offload import offload
from transcoder.options import Limits

JSON: Final = "application/json"
# What WHATWG's MIME sniffing standard calls a JSON MIME type.
_JSON_TYPE: Final = re.compile(
    r"(?:application|text)/json|[\w!#$%&'*.^`|~+-]+/[\w!#$%&'*.^`|~+-]+\+json",
    re.ASCII | re.IGNORECASE,
)
_BAD_CHUNKS: Final = "its chunks are malformed"


def is_json_type(content_type: str) -> bool:
    return _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip()) is not None


def not_json(content_type: str | None) -> TranscodeError:
    message = f"content type {shown(content_type)}: expected {JSON}"
    return unsupported_media_type(message, ("Accept", JSON))


async def read_body(request: web.BaseRequest, limits: Limits) -> bytes:
    """The whole body of a request, without its content codings.

    Raises:
        TranscodeError: it is too large (413), too slow (408), of a coding that is not taken (415),
            or not what its Content-Encoding or its transfer coding says (400).
    """
    codings = _codings(request)
    # aiohttp's parser wants chunked last, and does not mind what stands before it.
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and coding.strip().lower() != "chunked":
        raise closing(malformed("header Transfer-Encoding: expected chunked, last and once"))
    content = request.content
    try:
        body = content.read_nowait() if content.is_eof() else await _read_slowly(request, limits)
    except web.RequestPayloadError as exc:
        is_inflated = content.total_compressed_bytes is not None
        what = "it is not what its Content-Encoding says" if is_inflated else _BAD_CHUNKS
        raise closing(malformed(f"request body: {what}")) from exc
    except TimeoutError as exc:
        request.protocol.close()
        raise closing(too_slow("the request body", limit_s=limits.body_timeout_s)) from exc
    if len(body) > limits.body_max_bytes:
        raise _too_large(limits)
    if codings and body:
        # Never on the loop: of br a few octets may take as long as a megabyte.
        return await offload(decoded, body, codings, max_bytes=limits.body_max_bytes)
    return body


def _codings(request: web.BaseRequest) -> Sequence[str]:
    said = request.headers.getall(hdrs.CONTENT_ENCODING, ())
    if not said:
        return ()
    if request.body_exists and request.content.total_compressed_bytes is not None:
        return ()  # an application's aiohttp undoes codings itself, unless it is told not to
    return codings_of(said)


async def _read_slowly(request: web.BaseRequest, limits: Limits) -> bytes:
    if (request.content_length or 0) > limits.body_max_bytes:
        raise _too_large(limits)
    invite(request)
    chunks = []
    left = limits.body_max_bytes
    async with asyncio.timeout(limits.body_timeout_s):
        while chunk := await request.content.readany():
            chunks.append(chunk)
            left -= len(chunk)
            if left < 0:
                raise _too_large(limits)
    return b"".join(chunks)


def invite(request: web.BaseRequest) -> None:
    """Ask for the body that a client announces; an application's router does so by itself."""
    expected = request.headers.get(hdrs.EXPECT)
    transport = request.transport
    if (
        expected is not None
        and expected.lower() == "100-continue"
        and request.version >= HttpVersion11
        and isinstance(request, Request)
        and transport is not None
    ):
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _too_large(limits: Limits) -> TranscodeError:
    return too_large("the request body", limit_bytes=limits.body_max_bytes)
