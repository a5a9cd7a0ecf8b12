"""Tells where aiohttp's parser goes deaf: behind a request that asks for another protocol.

Follows RFC 9110 section 7.8 (a server may ignore Upgrade) and RFC 9112 section 9.3.2 (pipelining).
The listener changes to no other protocol. aiohttp's parser drops what it has been fed behind such a
request; behind one for a WebSocket, and behind CONNECT, it parses nothing any more.

Rule: in doubt the connection is closed after the answer, so that a client asks again. Clients that
try h2c on each connection (Java's) send it alone, and keep theirs.
"""

from typing import Final

from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

_END_OF_HEADERS: Final = b"\r\n\r\n"


def is_deaf(message: RawRequestMessage, payload: StreamReader, data: bytes) -> bool:
    """Returns True if requests behind this one may be lost.

    Args:
        message: the last that was parsed from `data`; it asks for another protocol.
        payload: its body.
        data: what was received last.
    """
    if message.method == "CONNECT" or message.headers.get("Upgrade", "").lower() != "h2c":
        return True
    found = data.find(_END_OF_HEADERS)
    return found < 0 or found + len(_END_OF_HEADERS) + payload.total_bytes != len(data)
