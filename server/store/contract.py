"""What an event store promises; every adapter passes tests/contract.

Events are the truth: append-only, positions in commit order. Positions are their order and times
are not, as those are what the clock told, which may be set back. The
current state of each living aggregate, and the owners of unique names, change in the same
transaction, so whoever saw a commit answered reads it.

Rule: anything that fails in storage is a StorageError here, with nothing written.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from server.domain.action import Action
from server.domain.aggregates import Key, Name, State
from server.domain.events import RecordedEvent
from server.domain.flow import Flow
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.store.queries import EVERY_ACTION, ActionsQuery


class StorageError(Exception):
    """Storage that cannot be read or written now; the text is one line, for the operator."""


class DataFolderInUse(StorageError):
    """Another process owns the data folder.

    Attributes:
        pid: of that process; None when it has not said yet.
        admin: the path of its admin socket; empty when it has none.
    """

    def __init__(self, folder: str, pid: int | None, admin: str) -> None:
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(f"data folder {folder} is in use by {owner}")
        self.folder = folder
        self.pid = pid
        self.admin = admin


@dataclass(frozen=True, slots=True)
class Needs:
    """What a batch has to know before it decides.

    Attributes:
        dependants_of: whose dependants it has to know, too (`aggregates.is_dependant`).
        actions: ids of actions of which the organisation is all that it has to know.
    """

    aggregates: Collection[Key]
    names: Collection[Name]
    dependants_of: Collection[Key] = ()
    actions: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the store holds of it.

    Attributes:
        states: of each needed aggregate, None where it does not live; and of each living dependant.
        sequences: the last sequence of those that once lived and do no more.
        names: the owner of each needed name; None where it is free.
        position: of the last event stored; 0 before the first.
        now: the time of this transaction by the clock; may be before that of the last event.
        orgs_of_actions: the organisation of each needed action; None where there is no such action.
    """

    states: Mapping[Key, State | None]
    sequences: Mapping[Key, int]
    names: Mapping[Name, str | None]
    position: int
    now: int
    orgs_of_actions: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writes:
    """What a batch changes.

    Attributes:
        events: positions follow `Loaded.position` without a gap.
        states: the state of each changed aggregate after the batch; None once it is removed.
        names_released: taken away before `names_claimed` is given.
        names_claimed: the new owner of each name.
        ended: the last sequence of each aggregate that ended, also if it lives again.
    """

    events: Sequence[RecordedEvent]
    states: Mapping[Key, State | None]
    names_released: Collection[Name]
    names_claimed: Mapping[Name, str]
    ended: Mapping[Key, int] = field(default_factory=dict)


Decide: TypeAlias = Callable[[Loaded], Writes]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of an organisation's actions, in the order that was asked for.

    Attributes:
        total: how many match, whatever the offset and the limit.
        viewed_at: the time of the last event stored; 0 before the first.
    """

    items: Sequence[Action]
    total: int
    viewed_at: int


@dataclass(frozen=True, slots=True)
class FlowRead:
    """A flow and its actions, as they were at one moment.

    Attributes:
        flow: None if it was never set.
        actions: all that are in it, by id.
    """

    flow: Flow | None
    actions: Mapping[str, Action]


@dataclass(frozen=True, slots=True)
class Contents:
    """How much goes with an organisation, or is left of one that is removed.

    Attributes:
        members: all memberships in it, and those of its users elsewhere.
        tokens: of its users.
    """

    actions: int
    users: int
    members: int
    tokens: int


@dataclass(frozen=True, slots=True)
class EndedOrg:
    """An organisation that is removed, but not cleared away; its name may be another's."""

    id: str
    created_at: int


NOTHING: Final = Contents(0, 0, 0, 0)
NOTHING_SET: Final = FlowRead(None, {})


class Transactions(Protocol):
    """All that writes go through."""

    async def commit(self, needs: Needs, decide: Decide) -> None:
        """Load what is needed, decide, write: one transaction, durable when this returns.

        `decide` may run in another thread, and again after a conflict; an exception of its own
        ends the transaction with nothing written and is raised as it is.
        """


class EventStore(Transactions, Protocol):
    async def action(self, org_id: str, action_id: str) -> Action | None: ...

    async def actions(self, org_id: str, query: ActionsQuery = EVERY_ACTION) -> Page:
        """Those of the organisation's actions that are asked for."""

    async def flow(self, org_id: str, type: int) -> FlowRead: ...

    async def active_actions(self, org_id: str, type: int, trigger: int) -> Sequence[Action]:
        """The actions that a trigger runs: those that are active, in the order that was set."""

    async def org(self, org_id: str) -> Org | None: ...

    async def org_id_by_name(self, name: str) -> str | None:
        """Returns the id of the organisation of this name, whatever the case."""

    async def first_org(self) -> Org | None:
        """Returns the oldest organisation that lives."""

    async def orgs(self) -> Sequence[Org]: ...

    async def ended_orgs(self) -> Sequence[EndedOrg]:
        """Those of which something is left, in order of creation."""

    async def contents(self, org_id: str) -> Contents: ...

    async def some_contents(self, org_id: str, *, limit: int, chars_max: int) -> Sequence[Key]:
        """Keys of what goes with an organisation, of one kind: users only if nothing else does.

        Of actions, as many as have together so much script; one, however long, if there is any.
        """

    async def user(self, user_id: str) -> User | None: ...

    async def user_by_subject(self, subject: str) -> User | None:
        """The user whom the issuer of JWTs calls so; nobody is called the empty text."""

    async def users(self, org_id: str) -> Sequence[User]: ...

    async def member(self, org_id: str, user_id: str) -> Member | None: ...

    async def members(self, org_id: str) -> Sequence[Member]: ...

    async def instance_owners(self) -> Sequence[Member]:
        """The members, of whatever organisation, with the role IAM_OWNER."""

    async def memberships(self, user_id: str) -> Sequence[Member]:
        """The user's memberships in every organisation."""

    async def token(self, token_id: str) -> Token | None: ...

    async def token_by_hash(self, secret_hash: bytes) -> Token | None: ...

    async def tokens(self, user_id: str) -> Sequence[Token]: ...

    async def events(self, *, after: int = 0, limit: int = 1000) -> Sequence[RecordedEvent]:
        """Events in order of position, those after a position first."""

    async def last_event_at(self) -> int:
        """Returns the time of the last event stored; 0 before the first."""

    async def is_empty(self) -> bool:
        """Whether no event was ever stored."""

    async def claim_machine_id(self) -> int:
        """A machine id (16 bits) for `server.ids`, not given to another process lately."""

    async def spare_machine_id(self) -> int:
        """Returns one for a process that cannot write now: random, and not claimed for long."""

    async def close(self) -> None: ...
