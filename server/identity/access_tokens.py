"""Issues access tokens for machine keys, and verifies them.

Follows RFC 9068 (the claims) and RFC 8725. A token names the machine key that it was issued for,
and is valid no longer than the key: the caller looks the key up.
Rule: no claim is used before the signature is verified. Only keys of this service verify it, and
they sign nothing else, so the issuer and the audience need no check here.
"""

from typing import Final, NamedTuple

import msgspec

from server.clock import Clock, wall_clock
from server.domain.machine_key import MachineKey
from server.identity.jwts import BadToken, signed_payload, token_header
from server.identity.signing import ALGORITHM, KEY_ID_PREFIX, TOKEN_S, Signing

_US: Final = 1_000_000


class Issued(NamedTuple):
    """Holds a new token, and the seconds for which it is valid."""

    token: str
    lifetime_s: int


class KeyClaim(NamedTuple):
    """Holds the machine key that a token names, and the time until which it is valid."""

    key_id: str
    until: int


class _Claims(msgspec.Struct):
    sub: str
    client_id: str
    exp: int


_decode_claims: Final = msgspec.json.Decoder(_Claims).decode


class AccessTokens:
    """Issues and verifies tokens."""

    def __init__(self, signing: Signing, *, clock: Clock = wall_clock) -> None:
        self._signing = signing
        self._clock = clock

    async def issue(self, key: MachineKey, *, issuer: str, token_id: str) -> Issued:
        """Returns a token for the user of a key, which has not expired.

        Raises:
            StorageError: a new signing key cannot be published.
        """
        now = self._clock()
        end = now + TOKEN_S * _US
        if key.expires_at is not None:
            end = min(end, key.expires_at)
        expires_s = end // _US
        claims = {
            "iss": issuer,
            "sub": key.user_id,
            "aud": [issuer],
            "client_id": key.id,
            "iat": now // _US,
            "exp": expires_s,
            "jti": token_id,
        }
        return Issued(await self._signing.sign(claims), max(expires_s - now // _US, 0))

    async def verify(self, token: str) -> KeyClaim | None:
        """Returns the key that a token was issued for; None if it names no key of this service.

        Raises:
            BadToken: the token is invalid.
            StorageError: the keys cannot be read.
        """
        try:
            key_id, _ = token_header(token)
        except BadToken:
            return None
        if key_id is None or not key_id.startswith(KEY_ID_PREFIX):
            return None
        public = await self._signing.find(key_id)
        if public is None:
            return None
        try:
            claims = _decode_claims(signed_payload(token, public, [ALGORITHM]))
        except msgspec.MsgspecError:
            raise BadToken("expected the claims sub, client_id and exp") from None
        if claims.exp * _US <= self._clock():
            raise BadToken("it is expired")
        return KeyClaim(claims.client_id, claims.exp * _US)
