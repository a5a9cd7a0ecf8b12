"""Verifies JWT access tokens, and returns their subject.

Follows RFC 7519, the advice of RFC 8725, and RFC 9068 section 2.1 (the type). PyJWT
checks signatures.
A valid token is signed by a key of the issuer, names the issuer and one of the configured
audiences, has an expiry, and is valid now.

Rule: a text that is too long or does not have three parts is not parsed; no claim is used before
the signature is verified; the reason of a refusal goes to the log, never to the caller.
"""

import hashlib
import re
from collections.abc import Collection
from typing import Final, NamedTuple, Protocol

import jwt
import msgspec

from server.clock import Clock, wall_clock
from server.identity.issuer_keys import Found
from server.identity.jwks import ALGORITHMS, PublicKey

TOKEN_MAX_CHARS: Final = 8192
"""Max characters of a token: as many as a header line over HTTP; gRPC has no such limit."""

LEEWAY_S: Final = 5
"""Max seconds by which the issuer's clock may differ from ours."""

VERIFIED_MAX: Final = 10_000
"""Max cached tokens that were verified; about 300 bytes each."""

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""RFC 7515 section 7.1. Decoders skip other characters, so that a token would have many forms."""

_JWS: Final = jwt.PyJWS(algorithms=[*ALGORITHMS])
_KEY_ID_MAX_CHARS: Final = 256
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Types of access tokens; a token of another type (a logout token) is refused."""

_US: Final = 1_000_000
_DAY_S: Final = 86_400


class BadToken(Exception):
    """The token is invalid; the text says why, for the operator."""


class Verified(NamedTuple):
    """Holds the subject of a valid token, and the time until which it is valid (microseconds)."""

    subject: str
    until: int


class Keys(Protocol):
    """Finds keys; `issuer_keys.IssuerKeys` does."""

    async def find(self, key_id: str | None, algorithm: str) -> Found | None: ...


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    # A float and not an int, which is unbounded: a number beyond floats is malformed.
    exp: float
    nbf: float = 0
    iat: float = 0


_decode_claims: Final = msgspec.json.Decoder(_Claims).decode


class Jwts:
    """Verifies tokens of one issuer; caches valid ones by their hash."""

    def __init__(
        self,
        keys: Keys,
        *,
        issuer: str,
        audiences: Collection[str],
        clock: Clock = wall_clock,
        verified_max: int = VERIFIED_MAX,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = frozenset(audiences)
        self._clock = clock
        self._verified_max = verified_max
        self._verified: dict[bytes, Verified] = {}

    async def verify(self, token: str) -> Verified:
        """Returns the subject of a token.

        Raises:
            BadToken: the token is invalid.
            Refusal: UNAVAILABLE, the issuer's keys cannot be fetched.
        """
        require_compact(token)
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and self._clock() < known.until:
            return known
        key_id, algorithm = _header_of(token)
        found = await self._keys.find(key_id, algorithm)
        if found is None:
            raise BadToken("the issuer has no such key")
        payload = signed_payload(token, found.key.public, found.key.algorithms)
        verified = self._checked(payload, found.until)
        self._verified.pop(digest, None)
        if len(self._verified) >= self._verified_max:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = verified
        return verified

    def forget_all(self) -> None:
        """Forgets all verified tokens."""
        self._verified.clear()

    def _checked(self, payload: bytes, until: int) -> Verified:
        try:
            claims = _decode_claims(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):  # not UTF-8 is a ValueError
            raise BadToken("expected the claims iss, sub, aud and exp") from None
        audiences = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
        now = self._clock()
        seconds = now / _US
        left_s = claims.exp + LEEWAY_S - seconds
        if claims.iss != self._issuer:
            raise BadToken("its issuer is another one")
        if not audiences & self._audiences:
            raise BadToken("its audience is another one")
        if left_s <= 0:
            raise BadToken("it is expired")
        if max(claims.nbf, claims.iat) - LEEWAY_S > seconds:
            raise BadToken("it is not valid yet")
        if not claims.sub:
            raise BadToken("it has no subject")
        return Verified(claims.sub, min(until, now + int(min(left_s, _DAY_S) * _US)))


def require_compact(token: str) -> None:
    """Raises `BadToken` if a text is too long for a token, or does not have three parts."""
    if len(token) > TOKEN_MAX_CHARS or _COMPACT.fullmatch(token) is None:
        raise BadToken(f"expected three parts of base64url in {TOKEN_MAX_CHARS} characters")


def token_header(token: str) -> tuple[str | None, str]:
    """Returns the key id of a token, None if absent, and the algorithm.

    Raises:
        BadToken: the text is no token, or its header is invalid.
    """
    require_compact(token)
    return _header_of(token)


def _header_of(token: str) -> tuple[str | None, str]:
    try:
        header = _JWS.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise BadToken("it cannot be decoded") from None
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadToken("expected the header of an access token")
    if key_id is not None and (not isinstance(key_id, str) or len(key_id) > _KEY_ID_MAX_CHARS):
        raise BadToken(f"expected a key id of at most {_KEY_ID_MAX_CHARS} characters")
    return key_id, algorithm


def signed_payload(token: str, public: PublicKey, algorithms: Collection[str]) -> bytes:
    """Verifies the signature of a token, and returns its payload.

    Raises:
        BadToken: it is not signed by the key.
    """
    try:
        signed = _JWS.decode_complete(token, public, algorithms=[*algorithms])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise BadToken("its signature does not match the issuer's key") from None
    payload: bytes = signed["payload"]
    return payload
