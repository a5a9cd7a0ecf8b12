"""Defines the read model: queries as data, each with the type of its answer.

A query reads the current states, which a commit changes in its transaction. An answer is a snapshot
of one moment.

A new query is a class here and an entry in each engine's table of answers; a test compares both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from server.domain.action import Action
from server.domain.aggregates import Key
from server.domain.flow import Flow
from server.domain.machine_key import MachineKey
from server.domain.org import Member, Org
from server.domain.sealed import Sealed, SealedValue
from server.domain.user import Token, User
from server.store.action_lists import EVERY_ACTION, ActionsQuery
from server.store.org_lists import EVERY_ORG, OrgsQuery
from server.store.signing_keys import SigningKey

T = TypeVar("T")
A = TypeVar("A", covariant=True)


class Query(Generic[A]):
    """Marks a query; `A` is the type of its answer."""

    __slots__ = ()


class ReadModel(Protocol):
    async def read(self, query: Query[T]) -> T:
        """Returns the answer.

        Raises:
            StorageError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Holds one page of a list, in the order of the query.

    Attributes:
        total: number of matches, with those outside of the page.
        viewed_at: the time of the last stored event; 0 before the first.
    """

    items: Sequence[T]
    total: int
    viewed_at: int


@dataclass(frozen=True, slots=True)
class FlowRead:
    """Holds a flow and its actions.

    Attributes:
        flow: None if it was never set.
        actions: all actions of the flow, by id.
    """

    flow: Flow | None
    actions: Mapping[str, Action]


NOTHING_SET: Final = FlowRead(None, {})


@dataclass(frozen=True, slots=True)
class Footprint:
    """Counts what an organisation has, or what is not purged yet of a removed one.

    Attributes:
        members: all memberships in it, and those of its users elsewhere.
        tokens: of its users.
        keys: of its users.
    """

    actions: int
    users: int
    members: int
    tokens: int
    keys: int


NO_FOOTPRINT: Final = Footprint(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class EndedOrg:
    """Describes a removed organisation that is not purged yet; another may have its name."""

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
    """Asks for the actions that a trigger runs: active ones, in the order of the flow."""

    org_id: str
    type: int
    trigger: int


@dataclass(frozen=True, slots=True)
class OrgById(Query[Org | None]):
    org_id: str


@dataclass(frozen=True, slots=True)
class OrgIdByName(Query[str | None]):
    """Asks for the id of the organisation with this name, regardless of case."""

    name: str


@dataclass(frozen=True, slots=True)
class FirstOrg(Query[Org | None]):
    """Asks for the oldest organisation."""


@dataclass(frozen=True, slots=True)
class AllOrgs(Query[Sequence[Org]]):
    """Asks for all organisations, in order of creation."""


@dataclass(frozen=True, slots=True)
class Orgs(Query[Page[Org]]):
    """Asks for a page of the organisations."""

    query: OrgsQuery = EVERY_ORG


@dataclass(frozen=True, slots=True)
class EndedOrgs(Query[Sequence[EndedOrg]]):
    """Asks for removed organisations that are not purged yet, in order of creation."""


@dataclass(frozen=True, slots=True)
class OrgFootprint(Query[Footprint]):
    org_id: str


@dataclass(frozen=True, slots=True)
class OrgRemains(Query[Sequence[Key]]):
    """Asks for keys of aggregates to purge with an organisation, all of one type; users are last.

    Attributes:
        limit: max keys.
        chars_max: max characters of the scripts of actions, or octets, as the engine counts; at
            least one action is returned.
    """

    org_id: str
    limit: int
    chars_max: int


@dataclass(frozen=True, slots=True)
class UserById(Query[User | None]):
    user_id: str


@dataclass(frozen=True, slots=True)
class UserBySubject(Query[User | None]):
    """Asks for the user with this subject in JWTs; the empty subject has none."""

    subject: str


@dataclass(frozen=True, slots=True)
class UsersOf(Query[Sequence[User]]):
    """Asks for the users of an organisation, in order of creation."""

    org_id: str


@dataclass(frozen=True, slots=True)
class MemberOf(Query[Member | None]):
    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class MembersOf(Query[Sequence[Member]]):
    """Asks for the members of an organisation, in order of creation."""

    org_id: str


@dataclass(frozen=True, slots=True)
class InstanceOwners(Query[Sequence[Member]]):
    """Asks for the members of all organisations with the role IAM_OWNER."""


@dataclass(frozen=True, slots=True)
class MembershipsOf(Query[Sequence[Member]]):
    """Asks for the user's memberships in all organisations."""

    user_id: str


@dataclass(frozen=True, slots=True)
class TokenById(Query[Token | None]):
    token_id: str


@dataclass(frozen=True, slots=True)
class TokenByHash(Query[Token | None]):
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class TokensOf(Query[Sequence[Token]]):
    """Asks for the tokens of a user, in order of creation."""

    user_id: str


@dataclass(frozen=True, slots=True)
class MachineKeyById(Query[MachineKey | None]):
    key_id: str


@dataclass(frozen=True, slots=True)
class MachineKeyByVerifier(Query[MachineKey | None]):
    verifier: bytes


@dataclass(frozen=True, slots=True)
class MachineKeysOf(Query[Sequence[MachineKey]]):
    """Asks for the machine keys of a user, in order of creation."""

    user_id: str


@dataclass(frozen=True, slots=True)
class SigningKeys(Query[Sequence[SigningKey]]):
    """Asks for all keys that verify access tokens, by id; some may have expired."""


@dataclass(frozen=True, slots=True)
class SealedValuesOf(Query[Sequence[SealedValue]]):
    """Asks for the sealed values of an organisation and a purpose, in order of creation."""

    org_id: str
    purpose: str


@dataclass(frozen=True, slots=True)
class ValuesWithoutContent(Query[Sequence[str]]):
    """Asks for the ids of sealed values that have no content, as after an import."""

    org_id: str
    purpose: str


@dataclass(frozen=True, slots=True)
class SealedContent(Query[Sealed | None]):
    """Asks for the content of a sealed value, by the id of its place."""

    value_id: str


@dataclass(frozen=True, slots=True)
class SealingKeys(Query[Sequence[str]]):
    """Asks for the ids of all keys that values are sealed by, in their order."""
