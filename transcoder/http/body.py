"""Reads the bodies of requests: receives, decodes content codings, makes messages.

Follows RFC 9110 sections 8.3 (Content-Type) and 8.4 (Content-Encoding), and RFC 9112 section 6.
Rule: a body that has arrived whole is read without a timer.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from aiohttp import hdrs

from transcoder.errors import (
    TranscodeError,
    malformed,
    shown,
    too_large,
    too_slow,
    unsupported_media_type,
)
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.encodings import codings_of, decode_body
from transcoder.http.offload import Offload
from transcoder.http.request import Request
from transcoder.http.response import with_connection_close
from transcoder.options import Limits

R = TypeVar("R")

JSON_TYPE: Final = "application/json"
# What WHATWG's MIME sniffing standard calls a JSON MIME type; Connect's streams are in frames.
_JSON_MIME_TYPE: Final = re.compile(
    r"(?:application|text)/json|(?!application/connect\+)[\w!#$%&'*.^`|~+-]+/[\w!#$%&'*.^`|~+-]+\+json",
    re.ASCII | re.IGNORECASE,
)


def is_json_type(content_type: str) -> bool:
    return _JSON_MIME_TYPE.fullmatch(content_type.partition(";")[0].strip()) is not None


def not_json(content_type: str | None, *others: str) -> TranscodeError:
    """Returns 415 for a body that is neither JSON nor of one of the other types that are taken."""
    message = f"content type {shown(content_type)}: expected {' or '.join((JSON_TYPE, *others))}"
    return unsupported_media_type(message, ("Accept", ", ".join((JSON_TYPE, *others))))


class BodyHead(NamedTuple):
    """The headers' description of a body.

    Attributes:
        fault: refuses a body that is not empty, because of its type; None for the expected type.
        codings: in the order in which they were applied.
        is_costly: True if a small body, too, may take long to read.
    """

    fault: TranscodeError | None
    codings: Sequence[str]
    is_costly: bool = False


_PLAIN_JSON: Final = BodyHead(fault=None, codings=())


def head_of(request: Request, *others: str) -> BodyHead:
    """Returns what the headers say of the JSON body of a request that has one.

    Args:
        request: has a body.
        others: types that its route takes besides, for the text of the error.

    Raises:
        TranscodeError: 415, the body is announced as no JSON, or in an unsupported coding.
    """
    content_type = request.headers.get(hdrs.CONTENT_TYPE)
    is_json = content_type is None or content_type == JSON_TYPE or is_json_type(content_type)
    fault = None if is_json else not_json(content_type, *others)
    if fault is not None and request.content_length:
        raise fault
    codings = codings_on(request) if hdrs.CONTENT_ENCODING in request.headers else ()
    return BodyHead(fault, codings) if codings or not is_json else _PLAIN_JSON


def head_of_any(request: Request, *, is_costly: bool) -> BodyHead:
    """Returns what the headers say of a body that may have any type.

    Args:
        request: has a body.
        is_costly: True if a small body, too, may take long to read.

    Raises:
        TranscodeError: 415, the body is announced in an unsupported coding.
    """
    return BodyHead(None, codings_on(request), is_costly)


def codings_on(request: Request) -> Sequence[str]:
    """Returns the codings of a body, in the order in which they were applied.

    Raises:
        TranscodeError: 415, one is not supported.
    """
    if request.is_inflated:
        return ()
    return codings_of(request.headers.getall(hdrs.CONTENT_ENCODING, ()))


class BodyReader:
    """Reads bodies; decodes large ones in a thread."""

    def __init__(self, limits: Limits, offload: Offload, ceiling: Ceiling) -> None:
        self._limits = limits
        self._offload = offload
        self._ceiling = ceiling

    def received(self, request: Request, head: BodyHead) -> bytes | None:
        """Returns the body if it is plain JSON, small, and has arrived whole; else None.

        Its bytes are not counted, as it is used at once.

        Raises:
            TranscodeError: the body is malformed.
        """
        limits = self._limits
        is_small = request.arrived_bytes <= limits.inline_max_bytes
        if head is _PLAIN_JSON and is_small and request.has_arrived:
            return _received(request, limits)
        return None

    async def read(self, request: Request, head: BodyHead, bind: Callable[[bytes], R]) -> R:
        """Returns what is made of the body of a request.

        Args:
            request: its body is unread.
            head: what its headers say of the body.
            bind: makes a message, or something else, of the decoded body.

        Raises:
            TranscodeError: the body is too large (413), too slow (408), of a wrong type (415), or
                not what its transfer coding or its Content-Encoding says (400); the bodies of all
                connections are too large together (429); or `bind` refuses it.
        """
        limits = self._limits
        with Held(self._ceiling) as held:
            body = await read_body(request, limits, held)
            if body and head.fault is not None:
                raise head.fault
            if head.codings and body:
                # Never on the loop: a few bytes of br may take as long as a megabyte. As one item,
                # so that only one inflated body exists at a time.
                return await self._offload.request(
                    _bind_decoded, bind, body, head.codings, limits.body_max_bytes
                )
            if len(body) > limits.inline_max_bytes or (head.is_costly and body):
                return await self._offload.request(bind, body)
            return bind(body)


def _bind_decoded(
    bind: Callable[[bytes], R], body: bytes, codings: Sequence[str], max_bytes: int
) -> R:
    return bind(decode_body(body, codings, max_bytes=max_bytes))


async def read_body(request: Request, limits: Limits, held: Held | None) -> bytes:
    """Returns the whole body of a request, in its content codings.

    Args:
        request: its body is unread.
        limits: of one body.
        held: counts the bytes received; None for a body that is not counted.
    """
    if request.has_arrived:
        body = _received(request, limits)
        if held is not None:
            held.take(len(body))
        return body
    check_transfer_coding(request)
    if (request.content_length or 0) > limits.body_max_bytes:
        raise _body_too_large(limits)
    return await _read_slowly(request, limits, held)


async def next_piece(
    request: Request, *, until: float, timeout_s: float, what: str = "the request body"
) -> bytes:
    """Waits for the next piece of a body.

    Args:
        request: whose body nobody else reads.
        until: the time of the loop at which `what` must be there.
        timeout_s: seconds that led to `until`, for the error's text.
        what: the expected part of the body, for the error's text.

    Raises:
        TranscodeError: it did not come in time (408), is malformed, or the client left.
    """
    try:
        async with asyncio.timeout_at(until):
            return await request.piece()
    except TimeoutError as exc:
        request.stop_reading()
        raise with_connection_close(too_slow(what, limit_s=timeout_s)) from exc


def _received(request: Request, limits: Limits) -> bytes:
    """Returns a body that has arrived whole."""
    if hdrs.TRANSFER_ENCODING in request.headers:
        check_transfer_coding(request)
    body = request.arrived()
    if len(body) > limits.body_max_bytes:
        raise _body_too_large(limits)
    return body


def check_transfer_coding(request: Request) -> None:
    """Raises TranscodeError if a body has another transfer coding than chunked."""
    # aiohttp's parser requires chunked to be last, but accepts other codings before it.
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and coding.strip().lower() != "chunked":
        problem = "header Transfer-Encoding: expected chunked, last and once"
        raise with_connection_close(malformed(problem))


async def _read_slowly(request: Request, limits: Limits, held: Held | None) -> bytes:
    timeout_s = limits.body_timeout_s
    until = asyncio.get_running_loop().time() + timeout_s
    chunks = []
    left = limits.body_max_bytes
    while chunk := await next_piece(request, until=until, timeout_s=timeout_s):
        left -= len(chunk)
        if left < 0:
            raise _body_too_large(limits)
        if held is not None:
            held.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _body_too_large(limits: Limits) -> TranscodeError:
    return too_large("the request body", limit_bytes=limits.body_max_bytes)
