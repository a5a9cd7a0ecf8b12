"""Verifies the signature of a target's call.

Follows docs/bridge.md and RFC 2104. The header is `ZITADEL-Signature: t=<seconds>,v1=<hex>`:
HMAC-SHA256 by the target's signing key, as text, over the time, a dot and the body as it was sent.
A header may have several v1, while keys are exchanged; other parts are ignored.

Rule 1: a header is parsed and its time compared before the body is hashed.
Rule 2: signatures are compared in constant time. An error says what failed, for the operator only.
"""

import hashlib
import hmac
import re
from typing import Final, NamedTuple

HEADER: Final = "ZITADEL-Signature"

WINDOW_S: Final = 300
"""Max seconds between the time of a signature and the clock here, both ways."""

HEADER_MAX_CHARS: Final = 1024
SIGNATURES_MAX: Final = 8
"""Max signatures of a header; one with more is refused."""

_TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


class BadSignature(Exception):
    """The call is not proved; the text says why, for the operator."""


class Signed(NamedTuple):
    """Holds a parsed header.

    Attributes:
        at_s: seconds since the epoch, as the sender wrote them.
        signatures: in the header's order; at least one.
    """

    at_s: str
    signatures: tuple[bytes, ...]


def parse(header: str | None, *, now_s: int) -> Signed:
    """Returns a header's parts, once its time is near enough.

    Raises:
        BadSignature: the header is missing or malformed, or its time is outside of the window.
    """
    if header is None:
        raise BadSignature(f"{HEADER}: missing")
    if len(header) > HEADER_MAX_CHARS:
        raise BadSignature(f"{HEADER}: expected at most {HEADER_MAX_CHARS} characters")
    times: list[str] = []
    signatures: list[bytes] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and _HEX.fullmatch(value):
            signatures.append(bytes.fromhex(value))
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise BadSignature(f"{HEADER}: expected one time")
    if not 0 < len(signatures) <= SIGNATURES_MAX:
        raise BadSignature(f"{HEADER}: expected 1 to {SIGNATURES_MAX} signatures v1")
    apart_s = abs(now_s - int(times[0]))
    if apart_s > WINDOW_S:
        raise BadSignature(f"{HEADER}: its time is {apart_s} s away, expected at most {WINDOW_S}")
    return Signed(times[0], tuple(signatures))


def verify(signed: Signed, body: bytes, *, key: str) -> bytes:
    """Returns the one signature that the key makes of the call.

    Raises:
        BadSignature: none of the header's is that.
    """
    expected = sign(signed.at_s, body, key=key)
    matches = [hmac.compare_digest(expected, given) for given in signed.signatures]
    if not any(matches):
        raise BadSignature(f"{HEADER}: signed by another key, or the body was changed")
    return expected


def sign(at_s: str, body: bytes, *, key: str) -> bytes:
    """Returns the signature of a body at a time."""
    signing = hmac.new(key.encode(), at_s.encode() + b".", hashlib.sha256)
    signing.update(body)
    return signing.digest()
