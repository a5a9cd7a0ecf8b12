"""Answers the request that opens a WebSocket.

Follows RFC 6455 sections 4.2 (handshake of a server) and 11.3.4 (subprotocols).
Rule: no I/O.
"""

import base64
import binascii
import hashlib
from typing import Final, NamedTuple

from multidict import CIMultiDictProxy

from transcoder.errors import malformed, shown
from transcoder.http.response import HeaderList

VERSION: Final = "13"
_KEY_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16


class Subprotocol(NamedTuple):
    """The form of a connection's messages.

    Attributes:
        name: as clients ask for it; "" if they asked for none.
        is_binary: True sends answers as protobuf; False in the form of the first message.
        has_metadata: True if the first message is the metadata of the call.
    """

    name: str
    is_binary: bool
    has_metadata: bool


_NAME: Final = "grpc-transcoder.v1"
SUBPROTOCOLS: Final = tuple(
    Subprotocol(_NAME + proto + metadata, bool(proto), bool(metadata))
    for proto in ("", "+proto")
    for metadata in ("", "+metadata")
)
_BY_NAME: Final = {each.name: each for each in SUBPROTOCOLS}
_UNNAMED: Final = Subprotocol("", is_binary=False, has_metadata=False)


def is_handshake(verb: str, headers: CIMultiDictProxy[str]) -> bool:
    """True if a request asks for a WebSocket."""
    return (
        verb == "GET"
        and headers.get("Upgrade", "").strip().lower() == "websocket"
        and "upgrade" in map(str.lower, _tokens(headers, "Connection"))
    )


def subprotocol_of(headers: CIMultiDictProxy[str]) -> Subprotocol:
    """Returns the first subprotocol that is known, of those a client names.

    Raises:
        TranscodeError: none of them is known.
    """
    named = _tokens(headers, "Sec-WebSocket-Protocol")
    if not named:
        return _UNNAMED
    for name in named:
        if name in _BY_NAME:
            return _BY_NAME[name]
    expected = ", ".join(_BY_NAME)
    raise malformed(f"Sec-WebSocket-Protocol: expected one of {expected}, got {shown(named[0])}")


def answer_headers(headers: CIMultiDictProxy[str], subprotocol: Subprotocol) -> HeaderList:
    """Returns the headers that accept a handshake.

    Raises:
        TranscodeError: the key is malformed, or the version is unsupported.
    """
    version = headers.get("Sec-WebSocket-Version", "")
    if version != VERSION:
        refused = malformed(f"Sec-WebSocket-Version: expected {VERSION}, got {shown(version)}")
        refused.headers = (("Sec-WebSocket-Version", VERSION),)
        raise refused
    key = headers.get("Sec-WebSocket-Key", "")
    if not _is_key(key):
        raise malformed("Sec-WebSocket-Key: expected 16 bytes in base64")
    digest = hashlib.sha1(key.encode() + _KEY_SUFFIX, usedforsecurity=False).digest()
    out = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    ]
    if subprotocol.name:
        out.append(("Sec-WebSocket-Protocol", subprotocol.name))
    return out


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _tokens(headers: CIMultiDictProxy[str], name: str) -> list[str]:
    """Returns the words of a header that divides them by commas."""
    said = ",".join(headers.getall(name, ()))
    return [token for token in map(str.strip, said.split(",")) if token]
