"""Admits callers who have the permission of a method.

Follows docs/api.md for the order of checks: token, permission, organisation.
Rule: a method that is neither public nor has a permission is refused.
"""

from collections.abc import Awaitable, Mapping
from typing import Final, Never

from server.domain.refusals import Kind, Refusal
from server.identity.authorization import Authorizer
from server.identity.caller import Caller
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
        permission = self._permissions.get(method)
        if permission is None:
            return None if method in PUBLIC_METHODS else _refused(method)

        def admit(call: CallInfo) -> Awaitable[None] | None:
            metadata = call.metadata
            authorization = metadata_text(metadata, "authorization")
            try:
                org_id = _org_id(metadata)
            except InvalidMetadata as invalid:
                return self._refuse_org(authorization, permission, invalid)
            call.caller = self._authorizer.known(authorization, org_id, permission)
            if call.caller is not None:
                return None
            return self._look_up(call, authorization, org_id, permission)

        return admit

    async def _look_up(
        self, call: CallInfo, authorization: str, org_id: str, permission: str
    ) -> None:
        call.caller = await self._caller(authorization, org_id, permission)

    async def _refuse_org(
        self, authorization: str, permission: str, invalid: InvalidMetadata
    ) -> Never:
        """Refuses a call whose organisation is invalid; errors of its token come first."""
        await self._caller(authorization, "", permission)
        raise invalid

    async def _caller(self, authorization: str, org_id: str, permission: str) -> Caller:
        """Returns the caller of a call whose grant is not cached, or refuses it."""
        try:
            return await self._authorizer.authorize(authorization, org_id, permission)
        except Refusal as refusal:
            if refusal.kind is Kind.UNAUTHENTICATED:
                await self._pace.turn()
            raise


def _org_id(metadata: Metadata) -> str:
    """Returns the id of the organisation that a call names; empty if it names none."""
    org_id = metadata_value(metadata, ORG_ID_KEY)
    if org_id is None:
        return ""
    if not org_id or not isinstance(org_id, str):
        raise InvalidMetadata(f"{ORG_ID_KEY}: expected the id of an organisation, got nothing")
    return org_id


def _refused(method: str) -> Admit:
    def admit(_call: CallInfo) -> Never:
        raise Refusal(Kind.PERMISSION_DENIED, f"{method} is neither public nor has a permission")

    return admit
