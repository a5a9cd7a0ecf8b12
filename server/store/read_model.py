"""Defines the read model: queries as data, each with the type of its answer.

A query reads the current states, which every commit changes in its own transaction. The answer to
one query is of one moment.

A new query is a class here and an entry in each engine's table of answers; a test compares them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from server.domain.action import Action
from server.domain.aggregates import Key
from server.domain.flow import Flow
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.store.action_lists import EVERY_ACTION, ActionsQuery
from server.store.org_lists import EVERY_ORG, OrgsQuery

T = TypeVar("T")
A = TypeVar("A", covariant=True)


class Query(Generic[A]):
    """A question; `A` is the type of its answer."""

    __slots__ = ()


class ReadModel(Protocol):
    async def read(self, query: Query[T]) -> T:
        """Returns the answer.

        Raises:
            StorageError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, in the order that was asked for.

    Attributes:
        total: how many match, whatever the offset and the limit.
        viewed_at: the time of the last event stored; 0 before the first.
    """

    items: Sequence[T]
    total: int
    viewed_at: int


@dataclass(frozen=True, slots=True)
class FlowRead:
    """A flow and its actions.

    Attributes:
        flow: None if it was never set.
        actions: all that are in it, by id.
    """

    flow: Flow | None
    actions: Mapping[str, Action]


NOTHING_SET: Final = FlowRead(None, {})


@dataclass(frozen=True, slots=True)
class Footprint:
    """Counts what an organisation has, or what is left of a removed one.

    Attributes:
        members: all memberships in it, and those of its users elsewhere.
        tokens: of its users.
    """

    actions: int
    users: int
    members: int
    tokens: int


NO_FOOTPRINT: Final = Footprint(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class EndedOrg:
    """An organisation that is removed, but not purged; its name may be another's."""

    id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class ActionById(Query[Action | None]):
    org_id: str
    action_id: str


@dataclass(frozen=True, slots=True)
class ActionsOf(Query[Page[Action]]):
    org_id: str
    query: ActionsQuery = EVERY_ACTION


@dataclass(frozen=True, slots=True)
class FlowOf(Query[FlowRead]):
    org_id: str
    type: int


@dataclass(frozen=True, slots=True)
class ActiveActions(Query[Sequence[Action]]):
    """The actions that a trigger runs: those that are active, in the order that was set."""

    org_id: str
    type: int
    trigger: int


@dataclass(frozen=True, slots=True)
class OrgById(Query[Org | None]):
    org_id: str


@dataclass(frozen=True, slots=True)
class OrgIdByName(Query[str | None]):
    """The id of the organisation of this name, in upper or lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class FirstOrg(Query[Org | None]):
    """The oldest organisation that lives."""


@dataclass(frozen=True, slots=True)
class AllOrgs(Query[Sequence[Org]]):
    """All that live, in order of creation."""


@dataclass(frozen=True, slots=True)
class Orgs(Query[Page[Org]]):
    """A page of those that live."""

    query: OrgsQuery = EVERY_ORG


@dataclass(frozen=True, slots=True)
class EndedOrgs(Query[Sequence[EndedOrg]]):
    """Those that are removed and not purged to the end, in order of creation."""


@dataclass(frozen=True, slots=True)
class OrgFootprint(Query[Footprint]):
    org_id: str


@dataclass(frozen=True, slots=True)
class OrgRemains(Query[Sequence[Key]]):
    """Keys of aggregates that go with an organisation, all of one type: users last.

    Attributes:
        limit: max keys.
        chars_max: max characters of the actions' scripts; one action, however long, is returned.
    """

    org_id: str
    limit: int
    chars_max: int


@dataclass(frozen=True, slots=True)
class UserById(Query[User | None]):
    user_id: str


@dataclass(frozen=True, slots=True)
class UserBySubject(Query[User | None]):
    """The user with this subject in JWTs; none for the empty text."""

    subject: str


@dataclass(frozen=True, slots=True)
class UsersOf(Query[Sequence[User]]):
    """The users of an organisation, in order of creation."""

    org_id: str


@dataclass(frozen=True, slots=True)
class MemberOf(Query[Member | None]):
    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class MembersOf(Query[Sequence[Member]]):
    """The members of an organisation, in order of creation."""

    org_id: str


@dataclass(frozen=True, slots=True)
class InstanceOwners(Query[Sequence[Member]]):
    """The members of any organisation with the role IAM_OWNER."""


@dataclass(frozen=True, slots=True)
class MembershipsOf(Query[Sequence[Member]]):
    """The user's memberships in all organisations."""

    user_id: str


@dataclass(frozen=True, slots=True)
class TokenById(Query[Token | None]):
    token_id: str


@dataclass(frozen=True, slots=True)
class TokenByHash(Query[Token | None]):
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class TokensOf(Query[Sequence[Token]]):
    """The tokens of a user, in order of creation."""

    user_id: str
