"""Reads the answer to a script's `fetch`, its head and its body.

Rule: holds at most the limit of a body, as sent and inflated. The text of an error is never that of
a foreign exception.
"""

import zlib
from typing import Final

import aiohttp
import msgspec

from server.scripts.host.fetch_connection import Refused
from server.scripts.host.fetch_request import QUOTED_MAX_CHARS, FetchError

RESPONSE_MAX_BYTES: Final = 1 << 20
"""Max bytes of an inflated body; a larger one is an error."""

GZIP_MEMBERS_MAX: Final = 16
"""Max members of a gzip body (RFC 1952 section 2.2): an empty member has only 20 octets, so a small
body could have very many."""


_GZIP_WBITS: Final = 31
"""Makes zlib read gzip, with the largest window."""


class Response(msgspec.Struct):
    status: int
    headers: dict[str, list[str]]
    body: str


async def read_response(response: aiohttp.ClientResponse) -> Response:
    """Reads all of the answer.

    Raises:
        FetchError: it is too large, ends too early, or has a header that is not UTF-8.
    """
    headers = _header_lists(response)
    body = await _body(response)
    return Response(response.status, headers, body.decode(errors="replace"))


def _header_lists(response: aiohttp.ClientResponse) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.items():
        try:
            value.encode()
        except UnicodeEncodeError:  # aiohttp decodes invalid UTF-8 to surrogates (PEP 383)
            raise FetchError(
                f"an answer with other than UTF-8 in header {name[:QUOTED_MAX_CHARS]}"
            ) from None
        headers.setdefault("-".join(map(str.capitalize, name.split("-"))), []).append(value)
    return headers


async def _body(response: aiohttp.ClientResponse) -> bytes:
    is_gzip = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    gunzip = _Gunzip() if is_gzip else None
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            room = RESPONSE_MAX_BYTES + 1 - len(body)
            body += gunzip.inflate(chunk, room) if gunzip else chunk
            if len(body) > RESPONSE_MAX_BYTES:
                raise FetchError(f"an answer of more than {RESPONSE_MAX_BYTES} bytes")
    except Refused as refused:
        raise FetchError(str(refused)) from None
    except zlib.error:
        raise FetchError("an answer that cannot be inflated") from None
    except (aiohttp.ClientError, OSError):
        raise FetchError("an answer that ends too early") from None
    return bytes(body)


class _Gunzip:
    """Inflates a body as it arrives."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
        self._members = 1

    def inflate(self, chunk: bytes, room: int) -> bytes:
        """Returns the next octets, at most `room`; drops the rest.

        Raises:
            FetchError: there are too many members.
            zlib.error: the data is not gzip.
        """
        inflated = bytearray()
        while chunk and len(inflated) < room:
            if self._inflater.eof:
                self._members += 1
                if self._members > GZIP_MEMBERS_MAX:
                    raise FetchError(f"an answer of more than {GZIP_MEMBERS_MAX} members of gzip")
                self._inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
            inflated += self._inflater.decompress(chunk, room - len(inflated))
            chunk = self._inflater.unused_data
        return bytes(inflated)
