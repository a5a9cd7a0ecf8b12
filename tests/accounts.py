"""Organisations, users and tokens of a running server, made as an operator makes them.

Rule: over the admin socket of the data folder, as the command line does while a server runs.
"""

import itertools
import json
from pathlib import Path
from typing import Final

from server.admin_socket import ask
from server.operations import (
    AddMember,
    ClearOrg,
    CreateOrg,
    CreateToken,
    CreateUser,
    RemoveMember,
    RemoveOrg,
    RemoveUser,
    RevokeToken,
    SetRoles,
    UpdateUser,
)

_NAMES: Final = map(str, itertools.count())


class Accounts:
    """All of one data folder, whose server runs."""

    def __init__(self, data: Path) -> None:
        self._socket: str = json.loads((data / "lock").read_bytes())["admin"]

    async def org(self, name: str = "") -> str:
        (made,) = await ask(self._socket, CreateOrg(name or next(_NAMES)))
        return _text(made["id"])

    async def end_org(self, org_id: str) -> None:
        """Remove it, and clear nothing away: as one who removes it is stopped in between."""
        await ask(self._socket, RemoveOrg(org_id))

    async def clear_org(self, org_id: str) -> None:
        """Clear away what is left of it, which is not much."""
        (left,) = await ask(self._socket, ClearOrg(org_id))
        assert [left[kind] for kind in ("actions", "users", "members", "tokens")] == [0] * 4

    async def user(self, org_id: str, *roles: str, language: str = "", subject: str = "") -> str:
        """Make a user of the organisation, a member of it if there are roles."""
        (made,) = await ask(self._socket, CreateUser(next(_NAMES), org_id, language, subject))
        user_id = _text(made["id"])
        if roles:
            await ask(self._socket, AddMember(user_id, roles, org_id))
        return user_id

    async def token(self, user_id: str, *, expires_at: int | None = None) -> tuple[str, str]:
        """Make a token: its id, and its secret."""
        (made,) = await ask(self._socket, CreateToken(user_id, expires_at=expires_at))
        return _text(made["id"]), _text(made["token"])

    async def set_subject(self, user_id: str, subject: str) -> None:
        await ask(self._socket, UpdateUser(user_id, subject=subject))

    async def remove_user(self, user_id: str) -> None:
        await ask(self._socket, RemoveUser(user_id))

    async def member(self, org_id: str, user_id: str, *roles: str) -> None:
        await ask(self._socket, AddMember(user_id, roles, org_id))

    async def set_roles(self, org_id: str, user_id: str, *roles: str) -> None:
        await ask(self._socket, SetRoles(user_id, roles, org_id))

    async def remove_member(self, org_id: str, user_id: str) -> None:
        await ask(self._socket, RemoveMember(user_id, org_id))

    async def revoke(self, token_id: str) -> None:
        await ask(self._socket, RevokeToken(token_id))


def _text(value: object) -> str:
    assert isinstance(value, str)
    return value
