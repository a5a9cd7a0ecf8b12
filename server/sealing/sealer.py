"""Seals and opens values by AES-256-GCM.

Follows RFC 5116 section 5.2. A content is a random nonce of 96 bits, the ciphertext, and the tag
of 128 bits. The id of the place is authenticated with it: in another place it does not open.
"""

import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.domain.sealed import Place, Sealed
from server.sealing.keys import SecretKey

_NONCE_OCTETS: Final = 12


class CannotOpen(Exception):
    """A sealed value does not open; the text names it, and says why."""


class Sealer:
    """Has one key or more: the first seals, all open."""

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        self._first = keys[0].id
        self._ciphers = {key.id: AESGCM(key.octets) for key in keys}

    @property
    def key_id(self) -> str:
        """Returns the id of the key that seals."""
        return self._first

    def seal(self, place: Place, value: bytes) -> Sealed:
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        cipher = self._ciphers[self._first]
        return Sealed(self._first, nonce + cipher.encrypt(nonce, value, place.id.encode()))

    def open(self, place: Place, sealed: Sealed) -> bytes:
        """Returns the value.

        Raises:
            CannotOpen: its key is not here, or it was changed or moved from another place.
        """
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise CannotOpen(f"{place.id}: sealed by the key {sealed.key_id}, which is not given")
        nonce, text = sealed.content[:_NONCE_OCTETS], sealed.content[_NONCE_OCTETS:]
        try:
            return cipher.decrypt(nonce, text, place.id.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen(f"{place.id}: changed, or moved from another place") from None
