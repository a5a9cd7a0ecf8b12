"""A command: which aggregates and names it has to know, and what it decides from them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from server.domain.action import Action
from server.domain.aggregates import Key, Name, State
from server.domain.events import Event
from server.domain.flow import Flow
from server.domain.org import Member, Org
from server.domain.user import Token, User

R = TypeVar("R", covariant=True)
T = TypeVar("T")


class Change(NamedTuple):
    """An event of one aggregate, and the organisation that owns it."""

    key: Key
    org_id: str
    event: Event


class Facts(Protocol):
    """What a command sees: the store, and the earlier commands of its batch on top of it."""

    @property
    def now(self) -> int: ...

    def state(self, key: Key) -> State | None: ...

    def action(self, action_id: str) -> Action | None: ...

    def org_of_action(self, action_id: str) -> str | None:
        """The id of the organisation whose action it is; None where there is no such action."""

    def flow(self, org_id: str, type: int) -> Flow | None: ...

    def org(self, org_id: str) -> Org | None: ...

    def member(self, member_id: str) -> Member | None: ...

    def user(self, user_id: str) -> User | None: ...

    def token(self, token_id: str) -> Token | None: ...

    def dependants(self, key: Key) -> Sequence[State]:
        """What lives only as long as the aggregate of the key, in order of creation."""

    def owner(self, name: Name) -> str | None:
        """The id of the aggregate that has the unique name."""


class Command(ABC, Generic[R]):
    """One write, for one caller; frozen, and free of effects, so it can be decided again.

    Attributes:
        editor: the id of the user who asks; empty for the command line.
    """

    __slots__ = ()

    editor: str

    @property
    @abstractmethod
    def aggregates(self) -> tuple[Key, ...]: ...

    @property
    def dependants_of(self) -> tuple[Key, ...]:
        """Aggregates whose dependants it has to know."""
        return ()

    @property
    def names(self) -> tuple[Name, ...]:
        return ()

    @property
    def actions(self) -> tuple[str, ...]:
        """Ids of actions of which it has to know no more than the organisation."""
        return ()

    @property
    def chars(self) -> int:
        """How much text it has the store write, or what costs as much, where that may be much."""
        return 0

    @abstractmethod
    def decide(self, facts: Facts) -> Sequence[Change]:
        """What happens.

        Raises:
            Refusal: the rules say no.
        """

    @abstractmethod
    def outcome(self, facts: Facts) -> R:
        """What the caller is answered, seen after its own changes."""


def present(state: T | None) -> T:
    if state is None:
        message = "a command that was accepted left no state"
        raise LookupError(message)
    return state
