"""Signs access tokens by a key of this process, and finds the keys of all processes.

Follows RFC 7515 and RFC 7518 section 3.4 (ES256), and RFC 7517 (the key set).
Rule: a private key is in the memory of one process, and nowhere else. Each process makes one when
it first signs, publishes the public half before a token leaves, and makes another every day.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from jwt.algorithms import ECAlgorithm

from server.clock import Clock, wall_clock
from server.store.read_model import ReadModel, SigningKeys
from server.store.signing_keys import SigningKey, SigningKeyStore

ALGORITHM: Final = "ES256"
KEY_ID_PREFIX: Final = "act-"
"""Marks the `kid` of a token that this service signed."""

ROTATION_S: Final = 86_400
"""Max seconds for which a key signs."""

TOKEN_S: Final = 3600
"""Max seconds of a token; it cannot be renewed, only issued again."""

_MARGIN_S: Final = 60
_US: Final = 1_000_000


class KeyStore(ReadModel, SigningKeyStore, Protocol):
    """Stores public keys; `server.store.engine.Store` does."""


@dataclass(frozen=True, slots=True)
class _Signer:
    id: str
    private: EllipticCurvePrivateKey
    until: int


class Signing:
    """Signs, and verifies what any process of the service signed."""

    def __init__(self, store: KeyStore, *, clock: Clock = wall_clock) -> None:
        self._store = store
        self._clock = clock
        self._signer: _Signer | None = None
        self._turn = asyncio.Lock()
        self._known: dict[str, EllipticCurvePublicKey] = {}

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """Returns an access token with these claims (RFC 9068 section 2.1).

        Raises:
            StorageError: a new key cannot be published.
        """
        signer = await self._current()
        headers = {"kid": signer.id, "typ": "at+jwt"}
        return jwt.encode(dict(claims), signer.private, algorithm=ALGORITHM, headers=headers)

    async def find(self, key_id: str) -> EllipticCurvePublicKey | None:
        """Returns the public key of this id; None if there is none.

        Raises:
            StorageError: the keys cannot be read.
        """
        known = self._known.get(key_id)
        if known is None:
            await self._load()
            known = self._known.get(key_id)
        return known

    async def key_set(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the public keys as a JSON Web Key Set.

        Raises:
            StorageError: they cannot be read.
        """
        await self._load()
        return {"keys": [_jwk(id_, public) for id_, public in self._known.items()]}

    async def _load(self) -> None:
        now = self._clock()
        self._known = {
            key.id: _public(key.public_key)
            for key in await self._store.read(SigningKeys())
            if key.expires_at > now
        }

    async def _current(self) -> _Signer:
        async with self._turn:
            now = self._clock()
            signer = self._signer
            if signer is None or not 0 < signer.until - now <= ROTATION_S * _US:
                signer = self._signer = await self._made(now)
            return signer

    async def _made(self, now: int) -> _Signer:
        private = generate_private_key(SECP256R1())
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key_id = KEY_ID_PREFIX + secrets.token_hex(8)
        until = now + ROTATION_S * _US
        expires_at = until + (TOKEN_S + _MARGIN_S) * _US
        key = SigningKey(key_id, public, expires_at)
        await self._store.publish_signing_key(key, now=now)
        return _Signer(key_id, private, until)


def _public(der: bytes) -> EllipticCurvePublicKey:
    public = load_der_public_key(der)
    if not isinstance(public, EllipticCurvePublicKey):
        raise TypeError(f"expected a key of a curve, got {type(public).__name__}")
    return public


def _jwk(key_id: str, public: EllipticCurvePublicKey) -> dict[str, Any]:
    key = ECAlgorithm.to_jwk(public, as_dict=True)
    return {**key, "use": "sig", "alg": ALGORITHM, "kid": key_id}
