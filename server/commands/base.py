"""Defines a command: the facts that it needs, and the changes that it decides by them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from server.domain.aggregates import Key, Name, State
from server.domain.events import Event
from server.domain.sealed import Sealed

R = TypeVar("R", covariant=True)
S = TypeVar("S", bound=State)


class Change(NamedTuple):
    """An event of one aggregate, and the organisation that owns the aggregate.

    Attributes:
        sealed: the new content of a sealed value, which its event does not carry.
    """

    key: Key
    org_id: str
    event: Event
    sealed: Sealed | None = None


class Facts(Protocol):
    """The stored facts, with the changes of the earlier commands of the batch applied."""

    @property
    def now(self) -> int: ...

    def state(self, key: Key) -> State | None:
        """Returns the state of the aggregate; None where it does not live."""

    def find(self, kind: type[S], key: Key) -> S | None:
        """Returns the same, as a state of this kind."""

    def require(self, kind: type[S], key: Key) -> S:
        """Returns the same; for an outcome, after a change that left the aggregate alive.

        Raises:
            LookupError: it does not live.
        """

    def org_of_action(self, action_id: str) -> str | None:
        """Returns the id of the action's organisation; None where there is no such action."""

    def dependants(self, key: Key) -> Sequence[State]:
        """Returns what lives only as long as the aggregate, in order of creation."""

    def owner(self, name: Name) -> str | None:
        """Returns the id of the aggregate that has the unique name; None where it is free."""


class Command(ABC, Generic[R]):
    """One write, for one caller; frozen, and free of effects, so it can be decided again.

    Attributes:
        editor: the id of the user who asks; empty for the command line.
    """

    __slots__ = ()

    editor: str

    @property
    @abstractmethod
    def aggregates(self) -> tuple[Key, ...]:
        """Aggregates that it reads or changes."""

    @property
    def dependants_of(self) -> tuple[Key, ...]:
        """Aggregates whose dependants it reads or changes."""
        return ()

    @property
    def names(self) -> tuple[Name, ...]:
        """Names whose owners it reads or changes."""
        return ()

    @property
    def actions(self) -> tuple[str, ...]:
        """Ids of actions of which it reads the organisation alone."""
        return ()

    @property
    def cost_chars(self) -> int:
        """Estimated write cost in characters; bounds a batch."""
        return 0

    @abstractmethod
    def decide(self, facts: Facts) -> Sequence[Change]:
        """Returns the changes.

        Raises:
            Refusal: the rules forbid it.
        """

    @abstractmethod
    def outcome(self, facts: Facts) -> R:
        """Returns the answer to the caller, from the facts after the changes."""


class Commands(Protocol):
    """Executes commands; `CommandQueue` does."""

    async def execute(self, command: Command[R], *, allow_noop: bool = False) -> R: ...
