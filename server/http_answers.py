"""Reads answers of other servers up to a limit, and says in one line why a request got none."""

import aiohttp

from server.system_errors import reason


class TooLarge(ValueError):
    """An answer has more bytes than its reader takes; the text says how many it takes."""


async def read_body(response: aiohttp.ClientResponse, *, max_bytes: int) -> bytes:
    """Returns the body of an answer.

    Raises:
        TooLarge: it has more than `max_bytes`.
        aiohttp.ClientError: it ends too early.
    """
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > max_bytes:
            raise TooLarge(f"expected an answer of at most {max_bytes} bytes")
    return bytes(body)


def why_unanswered(error: Exception) -> str:
    """Returns why a request got no answer, for an error of aiohttp's client or of the system."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "cannot connect: its certificate is not trusted"
    if isinstance(error, OSError):
        return f"cannot connect: {reason(error)}"
    return "expected an HTTP answer, got something else or part of one"
