"""Lists the claims that have rules of their own when an action sets them.

Follows docs/execution.md "Claims into a token", RFC 7519 section 4.1, and section 5.1 of
OpenID Connect Core 1.0.
Rule: data only.
"""

from typing import Final

RESERVED_PREFIX: Final = "urn:zitadel:iam"
"""Prefix of ZITADEL's own claims, which an action cannot set."""

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
"""Claims that scopes fill; if one is filled, an action cannot change it."""

TOKEN_OWN: Final = frozenset(("iss", "sub", "aud", "exp", "iat", "jti"))
"""Claims of every token; an action cannot set them."""

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
"""Claims of some tokens; there the token's own value replaces that of an action."""
