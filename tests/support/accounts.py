"""Organisations, users and tokens of a running server, made as an operator makes them.

Rule: over the admin socket of the data folder, as the command line does while a server runs.
"""

import itertools
import json
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from actions.v1 import admin_pb2 as pb
from actions.v1 import bridge_pb2
from server.cli.admin_client import ask

_NAMES: Final = map(str, itertools.count())


class Accounts:
    """All of one data folder, whose server runs."""

    def __init__(self, data: Path) -> None:
        self._socket: str = json.loads((data / "lock").read_bytes())["admin"]

    async def org(self, name: str = "") -> str:
        made = await self._ask(pb.CreateOrgRequest(name=name or next(_NAMES)))
        return _text(made.org.id)

    async def end_org(self, org_id: str) -> None:
        """Remove it, and clear nothing away: as one who removes it is stopped in between."""
        await self._ask(pb.RemoveOrgRequest(org_id=org_id))

    async def clear_org(self, org_id: str) -> None:
        """Clear away what is left of it, which is not much."""
        cleared = await self._ask(pb.ClearOrgRequest(org_id=org_id))
        assert cleared.contents == pb.OrgContents()

    async def contents(self, org_id: str) -> tuple[pb.OrgContents, pb.ListMembersResponse]:
        """Returns the contents of an organisation, and its members."""
        told = await self._ask(pb.GetOrgContentsRequest(org_id=org_id))
        return told.contents, await self._ask(pb.ListMembersRequest(org_id=org_id))

    async def user(
        self, org_id: str, *roles: str, name: str = "", language: str = "", subject: str = ""
    ) -> str:
        """Make a user of the organisation, a member of it if there are roles."""
        request = pb.CreateUserRequest(
            org_id=org_id, name=name or next(_NAMES), language=language, subject=subject
        )
        user_id = _text((await self._ask(request)).user.id)
        if roles:
            await self.member(org_id, user_id, *roles)
        return user_id

    async def token(self, user_id: str, *, expires_at: int | None = None) -> tuple[str, str]:
        """Make a token: its id, and its secret."""
        expiry = None
        if expires_at is not None:
            expiry = Timestamp()
            expiry.FromMicroseconds(expires_at)
        made = await self._ask(pb.CreateTokenRequest(user_id=user_id, expires_at=expiry))
        return _text(made.token.id), _text(made.secret)

    async def key(self, user_id: str) -> str:
        """Make a client secret: the id of its key."""
        request = pb.CreateKeyRequest(user_id=user_id, type=pb.KEY_TYPE_CLIENT_SECRET)
        return _text((await self._ask(request)).key.id)

    async def target(self) -> str:
        """Make a target of a ZITADEL."""
        return _text((await self._ask(bridge_pb2.CreateTargetRequest(name="t"))).target.id)

    async def encryption_key(self, target_id: str) -> str:
        """Make a key to which payloads of a target are encrypted."""
        request = bridge_pb2.CreateEncryptionKeyRequest(
            target_id=target_id, type=bridge_pb2.ENCRYPTION_KEY_TYPE_EC
        )
        return _text((await self._ask(request)).key.id)

    async def set_subject(self, user_id: str, subject: str) -> None:
        await self._ask(pb.UpdateUserRequest(user_id=user_id, subject=subject))

    async def remove_user(self, user_id: str) -> None:
        await self._ask(pb.RemoveUserRequest(user_id=user_id))

    async def member(self, org_id: str, user_id: str, *roles: str) -> None:
        await self._ask(pb.AddMemberRequest(org_id=org_id, user_id=user_id, roles=roles))

    async def set_roles(self, org_id: str, user_id: str, *roles: str) -> None:
        await self._ask(pb.SetMemberRolesRequest(org_id=org_id, user_id=user_id, roles=roles))

    async def remove_member(self, org_id: str, user_id: str) -> None:
        await self._ask(pb.RemoveMemberRequest(org_id=org_id, user_id=user_id))

    async def revoke(self, token_id: str) -> None:
        await self._ask(pb.RevokeTokenRequest(token_id=token_id))

    async def _ask(self, request: Message) -> Any:
        return await ask(self._socket, request)


def _text(value: object) -> str:
    assert isinstance(value, str)
    return value
