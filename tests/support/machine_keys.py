"""Assertions of machine keys, signed for real by PyJWT, and requests for access tokens."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jwt

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def assertion_of(
    key_file: str | Mapping[str, str],
    audience: str,
    *,
    now_s: int,
    algorithm: str = "RS256",
    headers: Mapping[str, str] | None = None,
    **changed: Any,
) -> str:
    """Returns what ZITADEL's tools sign with a key file, with some claims changed."""
    file = json.loads(key_file) if isinstance(key_file, str) else key_file
    claims = {"iss": file["userId"], "sub": file["userId"], "aud": audience}
    times = {"iat": now_s, "exp": now_s + 3600}
    kept = {
        key: value for key, value in {**claims, **times, **changed}.items() if value is not None
    }
    return jwt.encode(
        kept, file["key"], algorithm=algorithm, headers={"kid": file["keyId"], **(headers or {})}
    )


def bearer_form(assertion: str) -> dict[str, str]:
    return {"grant_type": JWT_BEARER, "assertion": assertion, "scope": "openid"}
