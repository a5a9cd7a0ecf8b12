"""An answer to a script's `fetch`: its head and body as the script sees them.

Rule: never more of a body is held than the limit, as it comes and inflated; what is wrong is told
in our words.
"""

import zlib
from typing import Final

import aiohttp
import msgspec

from server.execution.fetch_request import FetchError

RESPONSE_MAX_BYTES: Final = 1 << 20
"""Bytes of a body, inflated; larger is an error."""


class Response(msgspec.Struct):
    status: int
    headers: dict[str, list[str]]
    body: str


async def read_response(response: aiohttp.ClientResponse) -> Response:
    """Reads all of the answer.

    Raises:
        FetchError: it is too large, ends too early, or is no text where it should be.
    """
    headers = _headers(response)
    body = await _body(response)
    return Response(response.status, headers, body.decode(errors="replace"))


def _headers(response: aiohttp.ClientResponse) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.items():
        headers.setdefault("-".join(map(str.capitalize, name.split("-"))), []).append(value)
    return headers


async def _body(response: aiohttp.ClientResponse) -> bytes:
    is_gzip = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflater = zlib.decompressobj(wbits=31) if is_gzip else None
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            room = RESPONSE_MAX_BYTES + 1 - len(body)
            body += inflater.decompress(chunk, room) if inflater else chunk
            if len(body) > RESPONSE_MAX_BYTES:
                raise FetchError(f"an answer of more than {RESPONSE_MAX_BYTES} bytes")
    except zlib.error:
        raise FetchError("an answer that cannot be inflated") from None
    except (aiohttp.ClientError, OSError):
        raise FetchError("an answer that ends too early") from None
    return bytes(body)
