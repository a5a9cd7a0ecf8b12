"""Reads whose session it is, which payloads of sessions do not say.

Follows docs/bridge.md "What payloads lack", and ZITADEL's zitadel.session.v2 GetSession.
"""

from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from server.bridge.service_accounts import ServiceAccount
from server.upstream.account_client import AccountClient, Unanswered


class SessionUser(NamedTuple):
    """Names the user of a session, and the user's organisation."""

    user_id: str
    org_id: str


class _User(msgspec.Struct, rename="camel"):
    id: str
    organization_id: str


class _Factors(msgspec.Struct):
    user: _User


class _Session(msgspec.Struct):
    factors: _Factors


class _Answer(msgspec.Struct):
    session: _Session


_decode: Final = msgspec.json.Decoder(_Answer).decode


async def user_of(
    client: AccountClient, account: ServiceAccount, session_id: str, *, org_id: str
) -> SessionUser:
    """Returns the user of a session.

    Args:
        client: asks.
        account: may read the session.
        session_id: of the session.
        org_id: the organisation that the call names.

    Raises:
        Unanswered: it cannot be read, or has no user.
    """
    path = f"/v2/sessions/{quote(session_id, safe='')}"
    answer = await client.ask(account, path, None, org_id=org_id)
    try:
        user = _decode(answer).session.factors.user
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unanswered("expected a session with a user") from None
    return SessionUser(user.id, user.organization_id)
