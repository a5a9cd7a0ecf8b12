"""Defines the store of keys that sign access tokens: their public halves.

They follow from no event: any process of the service may sign, and all verify what one signed.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Holds a public key.

    Attributes:
        public_key: SubjectPublicKeyInfo in DER.
        expires_at: time after which no token that it signed is valid.
    """

    id: str
    public_key: bytes
    expires_at: int


class SigningKeyStore(Protocol):
    async def publish_signing_key(self, key: SigningKey, *, now: int) -> None:
        """Stores a key, durably, and deletes those that expired before `now`.

        Raises:
            StorageError: it cannot be written.
        """
