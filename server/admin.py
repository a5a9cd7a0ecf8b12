"""What an operator may do to accounts, from the command line.

In is an operation, out is what JSON can hold. The same code runs in a command's own process and,
over `admin_socket`, in the server that holds the store.

Rule: who may do this is a matter of who may open the data folder; no caller is checked here.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from server.commands import orgs, removal, users
from server.commands.owners import RemainingOwner
from server.commands.queue import CommandQueue
from server.domain.aggregates import Key, member_key, org_key, user_key
from server.domain.org import Member, Org, member_id
from server.domain.refusals import Kind, Refusal
from server.domain.user import Token, User
from server.identity.tokens import hash_of, new_secret
from server.ids import IdGenerator
from server.locale import Texts
from server.operations import (
    AddMember,
    AdminError,
    ClearOrg,
    CreateOrg,
    CreateToken,
    CreateUser,
    FindToken,
    ListMembers,
    ListOrgs,
    ListTokens,
    ListUsers,
    Operation,
    OrgContents,
    RemoveMember,
    RemoveOrg,
    RemoveUser,
    RenameOrg,
    Result,
    RevokeToken,
    SetRoles,
    UpdateUser,
)
from server.store.engine import Store
from server.store.read_model import (
    NO_FOOTPRINT,
    AllOrgs,
    EndedOrg,
    EndedOrgs,
    InstanceOwners,
    MembershipsOf,
    MembersOf,
    OrgById,
    OrgFootprint,
    OrgRemains,
    TokenByHash,
    TokensOf,
    UserById,
    UsersOf,
)

EDITOR: Final = ""
"""Of what the command line does: nobody who has a token."""

CLEARED_AT_ONCE: Final = 64
"""Of what a removed organisation leaves, in one command: about 2 ms of the loop."""

CLEARED_CHARS_MAX: Final = 512 << 10
"""Of scripts among them, whose pages are read and freed: about 4 ms of the loop."""

CLEARINGS_MAX: Final = 32
"""Such commands in one operation, one after another: it ends in seconds on a slow disk, too."""


class Admin:
    """Performs operations on a store."""

    def __init__(self, store: Store, queue: CommandQueue, ids: IdGenerator, texts: Texts) -> None:
        self._store = store
        self._queue = queue
        self._ids = ids
        self._texts = texts

    async def perform(self, operation: Operation) -> list[Result]:
        """Do it; a list of what was made or found, empty for what was taken away.

        Raises:
            AdminError: it cannot be done.
        """
        try:
            return await self._perform(operation)
        except Refusal as refusal:
            values = {**_given(operation), **refusal.values}
            raise AdminError(self._texts.text(refusal.key, values)) from refusal

    async def _perform(self, operation: Operation) -> list[Result]:
        match operation:
            case CreateOrg():
                return [await self._create_org(operation)]
            case RenameOrg():
                command = orgs.RenameOrg(operation.org_id, operation.name, EDITOR)
                return [_org(await self._queue.execute(command))]
            case OrgContents():
                return [await self._contents(operation.org_id)]
            case RemoveOrg():
                await self._remove_org(operation.org_id)
                return []
            case ClearOrg():
                return [await self._clear_org(operation.org_id)]
            case ListOrgs():
                return await self._orgs()
            case CreateUser():
                return [await self._create_user(operation)]
            case UpdateUser():
                return [await self._update_user(operation)]
            case RemoveUser():
                user_id = operation.user_id
                owner = await self._owner_without(user_key(user_id))
                await self._queue.execute(users.RemoveUser(user_id, owner, EDITOR))
                return []
            case ListUsers():
                org_id = await self._org_id(operation.org_id)
                return [_user(user) for user in await self._store.read(UsersOf(org_id))]
            case AddMember():
                return [await self._add_member(operation)]
            case SetRoles():
                return [await self._set_roles(operation)]
            case RemoveMember():
                await self._remove_member(operation)
                return []
            case ListMembers():
                return [await self._member(member) for member in await self._members(operation)]
            case CreateToken():
                return [await self._create_token(operation)]
            case ListTokens():
                return [_token(token) for token in await self._tokens(operation)]
            case FindToken():
                return await self._find_token(operation)
            case RevokeToken():
                await self._queue.execute(users.RevokeToken(operation.token_id, EDITOR))
                return []

    async def _create_org(self, operation: CreateOrg) -> Result:
        command = orgs.CreateOrg(self._ids.next(), operation.name, EDITOR)
        return _org(await self._queue.execute(command))

    async def _orgs(self) -> list[Result]:
        """All; last those that are removed but not cleared away, whose removal has to go on."""
        living, ended = await self._store.read(AllOrgs()), await self._store.read(EndedOrgs())
        return [*map(_org, living), *map(_ended_org, ended)]

    async def _contents(self, org_id: str) -> Result:
        org = await self._store.read(OrgById(org_id))
        left = await self._store.read(OrgFootprint(org_id))
        if org is None and left == NO_FOOTPRINT:
            raise Refusal(Kind.NOT_FOUND, "Errors.Org.NotFound")
        return {"id": org_id, "name": "" if org is None else org.name, **asdict(left)}

    async def _remove_org(self, org_id: str) -> None:
        if await self._store.read(OrgById(org_id)) is not None:
            owner = await self._owner_without(org_key(org_id))
            await self._queue.execute(removal.RemoveOrg(org_id, owner, EDITOR))
        elif not await self._left(org_id):
            raise Refusal(Kind.NOT_FOUND, "Errors.Org.NotFound")

    async def _owner_without(self, going: Key) -> RemainingOwner | None:
        """An owner who stays when that goes, else one who does not; None where there is none."""
        owner = None
        for member in await self._store.read(InstanceOwners()):
            user = await self._store.read(UserById(member.user_id))
            if user is None or await self._is_gone(member.org_id, user.org_id):
                continue
            owner = RemainingOwner(member, user.org_id)
            if going not in owner.needs:
                break
        return owner

    async def _is_gone(self, *org_ids: str) -> bool:
        """Whether one of the organisations is removed, but not cleared away."""
        return None in [await self._store.read(OrgById(org_id)) for org_id in org_ids]

    async def _left(self, org_id: str) -> Sequence[Key]:
        return await self._store.read(
            OrgRemains(org_id, limit=CLEARED_AT_ONCE, chars_max=CLEARED_CHARS_MAX)
        )

    async def _clear_org(self, org_id: str) -> Result:
        for _ in range(CLEARINGS_MAX):
            keys = await self._left(org_id)
            if not keys:
                break
            await self._queue.execute(removal.PurgeOrg(org_id, tuple(keys), EDITOR))
        return {"id": org_id, **asdict(await self._store.read(OrgFootprint(org_id)))}

    async def _create_user(self, operation: CreateUser) -> Result:
        org_id = await self._org_id(operation.org_id)
        command = users.CreateUser(
            org_id,
            self._ids.next(),
            operation.name,
            EDITOR,
            language=operation.language,
            subject=operation.subject,
        )
        return _user(await self._queue.execute(command))

    async def _update_user(self, operation: UpdateUser) -> Result:
        user = await self._user(operation.user_id)
        command = users.UpdateUser(
            user.org_id, user.id, operation.name, operation.language, operation.subject, EDITOR
        )
        return _user(await self._queue.execute(command))

    async def _add_member(self, operation: AddMember) -> Result:
        org_id = await self._org_id(operation.org_id)
        user = await self._user(operation.user_id)
        command = orgs.AddMember(org_id, user.id, operation.roles, EDITOR)
        return await self._member(await self._queue.execute(command))

    async def _set_roles(self, operation: SetRoles) -> Result:
        org_id, user_id = await self._org_id(operation.org_id), operation.user_id
        owner = await self._owner_without(member_key(member_id(org_id, user_id)))
        command = orgs.SetRoles(org_id, user_id, operation.roles, owner, EDITOR)
        return await self._member(await self._queue.execute(command))

    async def _remove_member(self, operation: RemoveMember) -> None:
        org_id, user_id = await self._org_id(operation.org_id), operation.user_id
        owner = await self._owner_without(member_key(member_id(org_id, user_id)))
        await self._queue.execute(orgs.RemoveMember(org_id, user_id, owner, EDITOR))

    async def _create_token(self, operation: CreateToken) -> Result:
        user = await self._user(operation.user_id)
        secret = new_secret()
        command = users.CreateToken(
            org_id=user.org_id,
            user_id=user.id,
            token_id=self._ids.next(),
            secret_hash=hash_of(secret),
            description=operation.description,
            expires_at=operation.expires_at,
            editor=EDITOR,
        )
        return {**_token(await self._queue.execute(command)), "token": secret}

    async def _find_token(self, operation: FindToken) -> list[Result]:
        found = await self._store.read(TokenByHash(bytes.fromhex(operation.secret_hash)))
        return [] if found is None else [_token(found)]

    async def _members(self, operation: ListMembers) -> Sequence[Member]:
        if operation.user_id:
            user = await self._user(operation.user_id)
            return await self._store.read(MembershipsOf(user.id))
        return await self._store.read(MembersOf(await self._org_id(operation.org_id)))

    async def _tokens(self, operation: ListTokens) -> Sequence[Token]:
        if operation.user_id:
            user = await self._user(operation.user_id)
            return await self._store.read(TokensOf(user.id))
        org_id = await self._org_id(operation.org_id)
        return [
            token
            for user in await self._store.read(UsersOf(org_id))
            for token in await self._store.read(TokensOf(user.id))
        ]

    async def _member(self, member: Member) -> Result:
        user = await self._store.read(UserById(member.user_id))
        return {
            "org_id": member.org_id,
            "user_id": member.user_id,
            "user_name": "" if user is None else user.name,
            "roles": list(member.roles),
            "created_at": _time(member.created_at),
        }

    async def _user(self, user_id: str) -> User:
        user = await self._store.read(UserById(user_id))
        if user is None or await self._is_gone(user.org_id):
            raise Refusal(Kind.NOT_FOUND, "Errors.User.NotFound")
        return user

    async def _org_id(self, org_id: str) -> str:
        if org_id:
            if await self._store.read(OrgById(org_id)) is None:
                raise Refusal(Kind.NOT_FOUND, "Errors.Org.NotFound")
            return org_id
        found = await self._store.read(AllOrgs())
        if not found:
            raise AdminError("there is no organisation yet: org create NAME makes one")
        if len(found) > 1:
            raise AdminError(f"there are {len(found)} organisations: say which with --org")
        return found[0].id


def _given(operation: Operation) -> dict[str, str]:
    """What the operator gave, by the names that texts have for it."""
    given = msgspec.structs.asdict(operation)
    texts = {name: repr(text[:40]) for name, text in given.items() if isinstance(text, str)}
    moments = {name: _time(moment) for name, moment in given.items() if isinstance(moment, int)}
    return texts | moments


def _org(org: Org) -> Result:
    created_at = _time(org.created_at)
    return {"id": org.id, "name": org.name, "state": "active", "created_at": created_at}


def _ended_org(org: EndedOrg) -> Result:
    return {"id": org.id, "name": "", "state": "removed", "created_at": _time(org.created_at)}


def _user(user: User) -> Result:
    return {
        "id": user.id,
        "org_id": user.org_id,
        "name": user.name,
        "language": user.language,
        "subject": user.subject,
        "created_at": _time(user.created_at),
    }


def _token(token: Token) -> Result:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "description": token.description,
        "expires_at": None if token.expires_at is None else _time(token.expires_at),
        "created_at": _time(token.created_at),
    }


def _time(at: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
