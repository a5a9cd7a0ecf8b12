"""Writes what actions set and no answer to ZITADEL can have: metadata of users, and their grants.

Follows docs/bridge.md "What payloads lack", and ZITADEL's Management API (v1): BulkSetUserMetadata,
AddUserGrant.
Rule: a grant that the user has is left as it is, so a run that is repeated changes nothing.
"""

import base64
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from server.scripts.contract import GrantEffect, MetadataEffect
from server.upstream.account_client import AccountClient, Unanswered
from server.upstream.metadata import Place

_EXISTS: Final = 409
"""HTTP status of a grant that there is."""


async def set_metadata(
    client: AccountClient, place: Place, entries: Sequence[MetadataEffect]
) -> None:
    """Sets metadata of a user; the last value of a key counts.

    Raises:
        Unanswered: it could not.
    """
    last = {entry.key: base64.b64encode(entry.value).decode() for entry in entries}
    body = {"metadata": [{"key": key, "value": value} for key, value in last.items()]}
    path = f"/management/v1/users/{quote(place.user_id, safe='')}/metadata/_bulk"
    await client.ask(place.account, path, body, org_id=place.org_id)


async def add_grants(client: AccountClient, place: Place, grants: Sequence[GrantEffect]) -> None:
    """Grants projects to a user, one after the other.

    Raises:
        Unanswered: it could not; those before are granted.
    """
    path = f"/management/v1/users/{quote(place.user_id, safe='')}/grants"
    for grant in grants:
        body = {
            "projectId": grant.project_id,
            "projectGrantId": grant.project_grant_id,
            "roleKeys": [*grant.roles],
        }
        try:
            await client.ask(place.account, path, body, org_id=place.org_id)
        except Unanswered as error:
            if error.status != _EXISTS:
                raise
