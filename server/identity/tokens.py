"""Makes personal access tokens and client secrets: 256 random bits; only the SHA-256 is stored.

A secret of this length cannot be guessed, so it needs neither a salt nor a slow hash.
"""

import hashlib
import secrets
from typing import Final

PREFIX: Final = "act_"
"""Marks a token for people and for scanners of leaked secrets; clients treat it as opaque."""

CLIENT_SECRET_PREFIX: Final = "acs_"  # noqa: S105 - marks a secret, as `PREFIX` does

_RANDOM_BYTES: Final = 32


def new_secret(prefix: str = PREFIX) -> str:
    return prefix + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_of(secret: str) -> bytes:
    """Returns the SHA-256 of a text, which may be invalid Unicode."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
