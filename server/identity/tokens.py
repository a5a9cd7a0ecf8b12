"""Personal access tokens: 256 random bits, of which only the SHA-256 is ever stored.

A secret this long needs no salt and no slow hash: there is nothing to guess.
"""

import hashlib
import secrets
from typing import Final

PREFIX: Final = "act_"
"""Says what the text is, to people and to scanners for leaked secrets; clients see it as opaque."""

_RANDOM_BYTES: Final = 32


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_of(secret: str) -> bytes:
    """The SHA-256 of any text, also of one that is no valid Unicode."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
