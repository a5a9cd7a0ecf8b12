"""Finds requests behind which aiohttp's parser loses data: those that ask for another protocol.

Follows RFC 9110 section 7.8 (a server may ignore Upgrade) and RFC 9112 section 9.3.2 (pipelining).
The listener changes the protocol for a WebSocket alone, whose connection serves no more requests.
Behind a request with Upgrade, aiohttp's parser drops the
data that it has received; behind one for a WebSocket, and behind CONNECT, it parses no more.

Rule: in doubt the connection is closed after the answer, so that the client sends again. Java's
client tries h2c on each connection; it sends that request alone, and keeps its connection.
"""

from typing import Final

_END_OF_HEADERS: Final = b"\r\n\r\n"


def is_deaf(method: str, protocol: str, body_bytes: int, data: bytes) -> bool:
    """True if requests behind one that asks for another protocol may be lost.

    Args:
        method: of the request.
        protocol: its Upgrade header.
        body_bytes: the bytes of its body that have been received.
        data: the data received last, which has the end of its headers.
    """
    if method == "CONNECT" or protocol.lower() != "h2c":
        return True
    found = data.find(_END_OF_HEADERS)
    return found < 0 or found + len(_END_OF_HEADERS) + body_bytes != len(data)
