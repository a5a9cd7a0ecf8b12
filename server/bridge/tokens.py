"""Verifies payloads that are JWTs: a compact JWS of the payload's JSON.

Follows RFC 7515 section 7.1 and RFC 8725 section 3.1. ZITADEL signs by the keys of its instance,
which also sign its users' tokens; a payload has no issuer, audience or expiry of its own. So a JWT
proves nothing alone: the call's signature is verified before (`signature`).

Rule: the algorithm is one of public keys, and fits the key; `none` and shared secrets are refused.
"""

from typing import Final, NamedTuple

import jwt

from server.bridge.signature import BadSignature
from server.identity.jwks import PublicKey

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")
"""Accepted algorithms: those by which a ZITADEL's keys sign."""

_KEY_ID_MAX_CHARS: Final = 256
_JWS: Final = jwt.PyJWS(algorithms=[*ALGORITHMS])


class TokenHeader(NamedTuple):
    """Holds the members of a header that find the key.

    Attributes:
        key_id: None if it has none.
    """

    key_id: str | None
    algorithm: str


def header_of(token: bytes) -> TokenHeader:
    """Returns the header of a JWT, of which nothing is verified.

    Raises:
        BadSignature: the text is no JWT, or its algorithm is not accepted.
    """
    try:
        header = _JWS.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise BadSignature("payload: expected a JWT") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise BadSignature(
            f"payload: expected a JWT by one of {', '.join(ALGORITHMS)}, got {str(algorithm)[:40]}"
        )
    if key_id is not None and (not isinstance(key_id, str) or len(key_id) > _KEY_ID_MAX_CHARS):
        raise BadSignature(f"payload: expected a key id of at most {_KEY_ID_MAX_CHARS} characters")
    return TokenHeader(key_id, algorithm)


def verified(token: bytes, *, public: PublicKey, algorithm: str) -> bytes:
    """Returns the payload of a JWT that the key signed by the algorithm.

    Raises:
        BadSignature: it did not.
    """
    try:
        signed = _JWS.decode_complete(token, public, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise BadSignature("payload: not signed by a key of the issuer") from None
    payload: bytes = signed["payload"]
    return payload
