"""Tells where aiohttp's parser goes deaf: behind a request that asks for another protocol.

Follows RFC 9110 section 7.8 (a server may ignore Upgrade) and RFC 9112 section 9.3.2 (pipelining).
The listener changes to no other protocol. aiohttp's parser drops what it has been fed behind such a
request; behind one for a WebSocket, and behind CONNECT, it parses nothing any more.

Rule: in doubt the connection is closed after the answer, so that a client asks again. Clients that
try h2c on each connection (Java's) send it alone, and keep theirs.
"""

from typing import Final

_END_OF_HEADERS: Final = b"\r\n\r\n"


def is_deaf(method: str, protocol: str, body_bytes: int, data: bytes) -> bool:
    """Returns True if requests behind one that asks for another protocol may be lost.

    Args:
        method: of the request.
        protocol: its Upgrade header.
        body_bytes: of its body, as far as it has been received.
        data: what was received last, with the end of its headers.
    """
    if method == "CONNECT" or protocol.lower() != "h2c":
        return True
    found = data.find(_END_OF_HEADERS)
    return found < 0 or found + len(_END_OF_HEADERS) + body_bytes != len(data)
