"""Admits callers who have the permission of a method.

Follows docs/api.md for the order of checks: token, permission, organisation.
Rule: a method that is neither public nor has a permission is refused.
"""

from collections.abc import Mapping
from typing import Final

from server.domain.refusals import Kind, Refusal
from server.identity.authorization import Authorizer
from server.identity.permissions import PUBLIC_METHODS
from server.rpc.call_info import CallInfo
from server.rpc.chain import Admit, Gate
from server.rpc.metadata import InvalidMetadata, Metadata, metadata_text, metadata_value
from server.rpc.pacing import Pace

ORG_ID_KEY: Final = "x-zitadel-orgid"


class Authorization(Gate):
    """Admits public methods, and callers with a permission, whom it adds to `CallInfo`.

    Refusals of callers without a valid token are spaced out (`pacing`).
    """

    def __init__(self, authorizer: Authorizer, permissions: Mapping[str, str]) -> None:
        self._authorizer = authorizer
        self._permissions = permissions
        self._pace = Pace()

    def admit(self, method: str) -> Admit | None:
        authorizer, pace = self._authorizer, self._pace
        permission = self._permissions.get(method)
        if permission is None:
            return None if method in PUBLIC_METHODS else _refused(method)

        async def admit(call: CallInfo) -> None:
            metadata = call.metadata
            authorization = metadata_text(metadata, "authorization")
            try:
                try:
                    org_id = _org_id(metadata)
                except InvalidMetadata:
                    await authorizer.authorize(
                        authorization, "", permission
                    )  # their errors come first
                    raise
                caller = authorizer.known(authorization, org_id, permission)
                if caller is None:
                    caller = await authorizer.authorize(authorization, org_id, permission)
            except Refusal as refusal:
                if refusal.kind is Kind.UNAUTHENTICATED:
                    await pace.turn()
                raise
            call.caller = caller

        return admit


def _org_id(metadata: Metadata) -> str:
    """Returns the id of the organisation that a call names; empty if it names none."""
    org_id = metadata_value(metadata, ORG_ID_KEY)
    if org_id is None:
        return ""
    if not org_id or not isinstance(org_id, str):
        raise InvalidMetadata(f"{ORG_ID_KEY}: expected the id of an organisation, got nothing")
    return org_id


def _refused(method: str) -> Admit:
    async def admit(_call: CallInfo) -> None:
        raise Refusal(Kind.PERMISSION_DENIED, f"{method} is neither public nor has a permission")

    return admit
