"""Names of claims that are not like others, when an action sets them.

Follows docs/execution.md "Claims into a token", RFC 7519 section 4.1, and section 5.1 of
OpenID Connect Core 1.0.
Rule: data only.
"""

from typing import Final

RESERVED_PREFIX: Final = "urn:zitadel:iam"
"""Begins the names of ZITADEL's own claims, which no action sets."""

STANDARD: Final = frozenset(
    (
        "sub",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
        "preferred_username",
        "email",
        "email_verified",
        "phone_number",
        "phone_number_verified",
        "address",
    )
)
"""Filled by scopes; where one was, the value that an action sets is left out."""

TOKEN_OWN: Final = frozenset(("iss", "sub", "aud", "exp", "iat", "jti"))
"""In every token; the value that an action sets is left out."""

OVERRIDABLE: Final = frozenset(
    (
        "nbf",
        "azp",
        "client_id",
        "scope",
        "nonce",
        "acr",
        "amr",
        "auth_time",
        "at_hash",
        "c_hash",
        "act",
        "sid",
    )
)
"""In some tokens; there, the token's own value replaces the one that an action sets."""
