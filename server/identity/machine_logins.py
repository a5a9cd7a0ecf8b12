"""Identifies users by their machine keys: by a signed assertion, or by a client secret.

Follows RFC 7523 section 3 (assertions), RFC 7519, RFC 8725, and RFC 6749 section 4.4 (secrets).
Rule 1: no claim is used before the signature is verified, and the algorithm is the key's.
Rule 2: an assertion may be used again until it expires, as ZITADEL's tools do.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from server.clock import Clock, wall_clock
from server.domain.machine_key import KeyKind, MachineKey
from server.identity.jwts import LEEWAY_S, BadToken, signed_payload, token_header
from server.identity.tokens import hash_of
from server.store.read_model import (
    MachineKeyById,
    MachineKeyByVerifier,
    OrgById,
    ReadModel,
    UserById,
)

ALGORITHM: Final = "RS256"
"""The algorithm of assertions, which ZITADEL's tools use."""

ASSERTION_S: Final = 3600
"""Max seconds from the `iat` of an assertion to its `exp`."""

_US: Final = 1_000_000


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    # Floats and not ints, which are unbounded.
    iat: float
    exp: float
    nbf: float = 0


_decode_claims: Final = msgspec.json.Decoder(_Claims).decode


class MachineLogins:
    """Finds the machine key that a client has proved to have."""

    def __init__(self, accounts: ReadModel, *, clock: Clock = wall_clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def by_assertion(self, assertion: str, *, audiences: Collection[str]) -> MachineKey:
        """Returns the key that signed an assertion for one of the audiences.

        Raises:
            BadToken: it is invalid; the text is for the operator.
            StorageError: the key cannot be read.
        """
        key_id, algorithm = token_header(assertion)
        if key_id is None or algorithm != ALGORITHM:
            raise BadToken(f"expected a kid, and the algorithm {ALGORITHM}")
        key = await self._accounts.read(MachineKeyById(key_id))
        if key is None or key.kind != KeyKind.JSON:
            raise BadToken("there is no such key")
        public = load_der_public_key(key.verifier)
        if not isinstance(public, RSAPublicKey):
            raise BadToken("the key is of another type")
        try:
            claims = _decode_claims(signed_payload(assertion, public, [ALGORITHM]))
        except (msgspec.MsgspecError, ValueError, RecursionError):  # not UTF-8 is a ValueError
            raise BadToken("expected the claims iss, sub, aud, iat and exp") from None
        self._check(claims, key, audiences)
        return await self._usable(key)

    async def by_secret(self, client_id: str, secret: str) -> MachineKey:
        """Returns the key of a client secret; the client id is that of its user.

        Raises:
            BadToken: there is no such secret, or it is of another user.
            StorageError: the key cannot be read.
        """
        key = await self._accounts.read(MachineKeyByVerifier(hash_of(secret)))
        if key is None or key.kind != KeyKind.CLIENT_SECRET or key.user_id != client_id:
            raise BadToken("there is no such client secret of the user")
        return await self._usable(key)

    def _check(self, claims: _Claims, key: MachineKey, audiences: Collection[str]) -> None:
        given = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
        seconds = self._clock() / _US
        if not claims.iss == claims.sub == key.user_id:
            raise BadToken("expected the user of the key as iss and sub")
        if not given & set(audiences):
            raise BadToken(f"expected the audience {' or '.join(audiences)}")
        if claims.exp + LEEWAY_S <= seconds:
            raise BadToken("it is expired")
        if max(claims.nbf, claims.iat) - LEEWAY_S > seconds:
            raise BadToken("it is not valid yet")
        if claims.exp - claims.iat > ASSERTION_S:
            raise BadToken(f"expected an exp of at most {ASSERTION_S} s after iat")

    async def _usable(self, key: MachineKey) -> MachineKey:
        """Returns the key if it has not expired, and its user and organisation exist."""
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise BadToken("the key is expired")
        user = await self._accounts.read(UserById(key.user_id))
        if user is None or await self._accounts.read(OrgById(user.org_id)) is None:
            raise BadToken("the user of the key does not exist")
        return key
