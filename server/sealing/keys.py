"""Reads and makes secret keys: 32 random bytes, in base64 or hex.

No I/O.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

KEY_BYTES: Final = 32

_ID_OCTETS: Final = 8
_ID_OF: Final = b"actions service, id of a secret key\0"
_BETWEEN: Final = re.compile(r"[\s,]+")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")


class InvalidKeys(ValueError):
    """The text has no keys; the message never has a part of it."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """Holds a key, and its id, which does not tell the key."""

    id: str
    octets: bytes = field(repr=False)

    @classmethod
    def of(cls, octets: bytes) -> "SecretKey":
        return cls(hashlib.sha256(_ID_OF + octets).hexdigest()[: 2 * _ID_OCTETS], octets)


def read_keys(text: str) -> Sequence[SecretKey]:
    """Returns the keys of a text, each once, in its order; commas or blanks are between them.

    Raises:
        InvalidKeys: one is not a key, or there is none.
    """
    words = [word for word in _BETWEEN.split(text) if word]
    if not words:
        raise InvalidKeys("expected a key, got none")
    return [*{key.id: key for key in map(_read_key, words)}.values()]


def new_key_text() -> str:
    """Returns a new key, in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _read_key(word: str) -> SecretKey:
    try:
        octets = (
            bytes.fromhex(word) if _HEX.fullmatch(word) else base64.b64decode(word, validate=True)
        )
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != KEY_BYTES:
        raise InvalidKeys(f"expected {KEY_BYTES} bytes in base64 or hex, got something else")
    return SecretKey.of(octets)
