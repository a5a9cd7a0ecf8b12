"""A user of an organisation, and the personal access tokens that speak for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """One row of `users`."""

    id: str
    org_id: str
    name: str
    sequence: int
    created_at: int
    changed_at: int
    position: int


@dataclass(frozen=True, slots=True)
class Token:
    """One row of `tokens`; absent once it is revoked.

    Attributes:
        org_id: the organisation of its user.
        secret_hash: the SHA-256 of the secret, 32 bytes; the secret itself is stored nowhere.
        expires_at: the first moment at which it is refused; None if it never expires.
    """

    id: str
    org_id: str
    user_id: str
    secret_hash: bytes
    description: str
    expires_at: int | None
    sequence: int
    created_at: int
    changed_at: int
    position: int
