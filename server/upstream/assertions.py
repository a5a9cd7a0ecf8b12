"""Signs the assertions by which service accounts ask a ZITADEL for access tokens.

Follows RFC 7523 section 3. Apart from the accounts, which commands read, too: these sign nothing.
"""

from typing import Final

import jwt

from server.bridge.service_accounts import ServiceAccount, private_key

ASSERTION_S: Final = 600
"""Seconds for which an assertion is valid; ZITADEL takes up to an hour."""


def assertion_of(account: ServiceAccount, *, now_s: int) -> str:
    """Returns the JWT by which the account asks for an access token."""
    claims = {
        "iss": account.user_id,
        "sub": account.user_id,
        "aud": account.issuer,
        "iat": now_s,
        "exp": now_s + ASSERTION_S,
    }
    headers = {"kid": account.key_id}
    return jwt.encode(claims, private_key(account.key), algorithm="RS256", headers=headers)
