"""Replaces a token: makes the new one, hands it over, and only then revokes the old one.

Rule: after a failure of any step the user has at least one valid token.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final

from server.cli import owner_file
from server.cli.failures import Failed
from server.cli.output import OutputRow
from server.cli.performing import perform

_US: Final = 1_000_000


def in_file(flags: dict[str, object]) -> OutputRow:
    """Returns the token in `owner.token`.

    Raises:
        Failed: the file has no valid token.
    """
    found = owner_file.stored_token(flags)
    if found is None:
        remedy = owner_file.REMEDY.format(user_id="USER_ID")
        raise Failed(f"expected a valid token in {owner_file.path_of(flags)}; {remedy}")
    return found


def by_id(token_id: str, org_id: str, flags: dict[str, object]) -> OutputRow:
    """Returns a token of an organisation.

    Raises:
        Failed: the organisation has no such token.
    """
    from actions.v1 import admin_pb2 as pb

    for row in perform(pb.ListTokensRequest(org_id=org_id), flags):
        if row["id"] == token_id:
            return row
    raise Failed(f"token {token_id[:40]!r} not found; `token list` shows the ids")


def rotate(
    old: OutputRow,
    flags: dict[str, object],
    *,
    expires_at: int | None,
    hand_over: Callable[[OutputRow], None],
) -> None:
    """Makes a token with the user and the description of the old one, and revokes the old one.

    Args:
        old: the token to replace.
        flags: name the data folder.
        expires_at: microseconds since the epoch; None for never.
        hand_over: writes or prints the new token before; if it raises, the old one stays valid.

    Raises:
        Failed: a step fails; the text says which tokens are valid.
    """
    from actions.v1 import admin_pb2 as pb

    request = pb.CreateTokenRequest(
        user_id=str(old["user_id"]), description=str(old["description"])
    )
    if expires_at is not None:
        request.expires_at.FromMicroseconds(expires_at)
    (new,) = perform(request, flags)
    hand_over({**new, "replaces": old["id"]})
    sys.stdout.flush()
    try:
        with owner_file.noticed(flags):
            perform(pb.RevokeTokenRequest(token_id=str(old["id"])), flags)
    except Failed as failed:
        raise Failed(
            f"token {new['id']} was made, but the old one is still valid ({failed.message}); "
            f"run `token revoke {old['id']}`"
        ) from failed


def same_lifetime(old: OutputRow, now_us: int) -> int | None:
    """Returns an expiry that gives a new token the lifetime of the old one; None for never."""
    if old["expires_at"] is None:
        return None
    lifetime = _moment(old["expires_at"]) - _moment(old["created_at"])
    return now_us + int(lifetime.total_seconds() * _US)


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
