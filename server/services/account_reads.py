"""Reads accounts for AdminService: the organisation, the user or the owner of a request.

Rule: a removed organisation and its users are absent at once, also before they are purged.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from server.commands.owners import RemainingOwner
from server.domain.aggregates import Key
from server.domain.machine_key import MachineKey
from server.domain.org import Member
from server.domain.refusals import Kind, Refusal, not_found
from server.domain.user import Token, User
from server.rpc.call_info import current_caller
from server.services.windows import Window
from server.store.engine import Store
from server.store.org_lists import OrgsQuery
from server.store.read_model import (
    InstanceOwners,
    MachineKeysOf,
    MembershipsOf,
    MembersOf,
    OrgById,
    OrgRemains,
    Orgs,
    Query,
    TokensOf,
    UserById,
    UsersOf,
)

PURGED_AT_ONCE: Final = 64
"""Max aggregates of a removed organisation that one command purges; takes 2 ms of the loop."""

PURGED_CHARS_MAX: Final = 512 << 10
"""Max characters of their scripts; reading and freeing their pages takes 4 ms of the loop."""

T = TypeVar("T")


class AccountReads:
    """Reads accounts from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def org_id(self, given: str) -> str:
        """Returns the id of the organisation of a request.

        Args:
            given: the id in the request; empty for the organisation of the call, or for the only
                one that exists if the operator calls.

        Raises:
            Refusal: there is no such organisation, or more than one.
        """
        if given:
            if await self._store.read(OrgById(given)) is None:
                raise not_found("Errors.Org.NotFound", "ADMIN-Oi4nf")
            return given
        of_call = current_caller().org_id
        if of_call:
            return of_call
        found = await self._store.read(Orgs(OrgsQuery(limit=1)))
        if not found.items:
            raise Refusal(Kind.FAILED_PRECONDITION, "Errors.Org.NoneYet")
        if found.total > 1:
            count = {"count": str(found.total)}
            raise Refusal(Kind.FAILED_PRECONDITION, "Errors.Org.Ambiguous", values=count)
        return found.items[0].id

    async def user(self, user_id: str) -> User:
        """Returns the user.

        Raises:
            Refusal: there is no such user.
        """
        user = await self._store.read(UserById(user_id))
        if user is None or await self._is_gone(user.org_id):
            raise not_found("Errors.User.NotFound", "ADMIN-Ui4nf")
        return user

    async def members(
        self, org_id: str, user_id: str, window: Window
    ) -> Sequence[tuple[Member, str]]:
        """Returns the user's memberships, or the members of the organisation if no user is given.

        Returns:
            Each with the name of its user.
        """
        if user_id:
            user = await self.user(user_id)
            memberships = await self._store.read(MembershipsOf(user.id))
            return [(member, user.name) for member in window.of(memberships)]
        members = await self._store.read(MembersOf(await self.org_id(org_id)))
        return [(member, await self.user_name(member.user_id)) for member in window.of(members)]

    async def user_name(self, user_id: str) -> str:
        """Returns the name of a user; empty if the user does not exist any more."""
        user = await self._store.read(UserById(user_id))
        return "" if user is None else user.name

    async def tokens(self, org_id: str, user_id: str, window: Window) -> Sequence[Token]:
        """Returns the user's tokens, or those of the organisation's users if no user is given."""
        return await self._of_users(TokensOf, org_id, user_id, window)

    async def keys(self, org_id: str, user_id: str, window: Window) -> Sequence[MachineKey]:
        """Returns the user's keys, or those of the organisation's users if no user is given."""
        return await self._of_users(MachineKeysOf, org_id, user_id, window)

    async def _of_users(
        self, of: Callable[[str], Query[Sequence[T]]], org_id: str, user_id: str, window: Window
    ) -> Sequence[T]:
        if user_id:
            return window.of(await self._store.read(of((await self.user(user_id)).id)))
        found: list[T] = []
        for user in await self._store.read(UsersOf(await self.org_id(org_id))):
            found += await self._store.read(of(user.id))
            if window.end is not None and len(found) >= window.end:
                break
        return window.of(found)

    async def owner_without(self, going: Key) -> RemainingOwner | None:
        """Returns an owner who remains when the aggregate is removed; else any other owner.

        Returns:
            None if the instance has no owner.
        """
        owner = None
        for member in await self._store.read(InstanceOwners()):
            user = await self._store.read(UserById(member.user_id))
            if user is None or await self._is_gone(member.org_id, user.org_id):
                continue
            owner = RemainingOwner(member, user.org_id)
            if going not in owner.needs:
                break
        return owner

    async def remains(self, org_id: str) -> Sequence[Key]:
        """Returns keys of a removed organisation to purge, as many as one command takes."""
        return await self._store.read(
            OrgRemains(org_id, limit=PURGED_AT_ONCE, chars_max=PURGED_CHARS_MAX)
        )

    async def _is_gone(self, *org_ids: str) -> bool:
        """True if one of the organisations is removed."""
        return None in [await self._store.read(OrgById(org_id)) for org_id in org_ids]
