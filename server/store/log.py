"""Defines the log of events for every engine; tests/contract tests the engines.

Events are append-only, and their positions are in commit order. Times are not an order of events:
the clock may be set back.
States and the owners of unique names change in the transaction of their events: after a commit the
read model has its changes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeAlias

from server.domain.aggregates import Key, Name, State
from server.domain.events import RecordedEvent
from server.domain.projection import Projection
from server.domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class Needs:
    """Names the facts that a batch needs to be decided.

    Attributes:
        aggregates: their states are loaded.
        names: their owners are loaded.
        dependants_of: the states of their dependants are loaded (`aggregates.is_dependant`).
        actions: ids of actions; only their organisations are loaded.
    """

    aggregates: Collection[Key]
    names: Collection[Name]
    dependants_of: Collection[Key] = ()
    actions: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class LoadedFacts:
    """Holds facts as they are stored.

    Attributes:
        states: of each needed aggregate, None if it does not exist; and of existing dependants.
        sequences: the last sequence of needed aggregates that existed before and do not now.
        names: the owner of each needed name; None if it is free.
        position: of the last stored event; 0 before the first.
        now: the clock's time for this transaction; may be before that of the last event.
        orgs_of_actions: the organisation of each needed action; None if there is no such action.
    """

    states: Mapping[Key, State | None]
    sequences: Mapping[Key, int]
    names: Mapping[Name, str | None]
    position: int
    now: int
    orgs_of_actions: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writes:
    """Holds the changes of a batch.

    Attributes:
        events: their positions follow `LoadedFacts.position` without a gap.
        states: the state of each changed aggregate after the batch; None if it is removed.
        names_released: released before `names_claimed` are claimed.
        names_claimed: the new owner of each name.
        ended: the last sequence of each aggregate that ended, also if it exists again.
        sealed: the new contents of sealed values, by their ids; None if it is deleted.
    """

    events: Sequence[RecordedEvent]
    states: Mapping[Key, State | None]
    names_released: Collection[Name]
    names_claimed: Mapping[Name, str]
    ended: Mapping[Key, int] = field(default_factory=dict)
    sealed: Mapping[str, Sealed | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        events: Sequence[RecordedEvent],
        projection: Projection,
        *,
        sealed: Mapping[str, Sealed | None] | None = None,
    ) -> Self:
        """Returns the changes of events that the projection has applied, and new contents."""
        return cls(
            events,
            projection.changed,
            projection.released,
            projection.claimed,
            projection.ended,
            sealed or {},
        )


@dataclass(frozen=True, slots=True)
class EventsOf:
    """Selects events of one aggregate.

    Attributes:
        key: of the aggregate; a flow has no events of its own.
        first: the lowest sequence.
        last: the highest sequence. Reading takes time for each sequence from the first to the last.
        types: types of events; others are passed over.
        limit: max events.
    """

    key: Key
    first: int
    last: int
    types: Collection[str]
    limit: int


Decide: TypeAlias = Callable[[LoadedFacts], Writes]


@dataclass(frozen=True, slots=True)
class LastEvent:
    position: int
    created_at: int


NO_EVENT = LastEvent(0, 0)


class Transactions(Protocol):
    """Declares the part of the log that writes."""

    async def commit(self, needs: Needs, decide: Decide) -> None:
        """Loads the facts, decides, and writes: one transaction, durable when this returns.

        `decide` may run in another thread, and again after a conflict; an exception of its own
        ends the transaction with nothing written and is raised as it is.

        Raises:
            StorageError: nothing was written.
        """


class EventLog(Transactions, Protocol):
    """Declares the log: it writes, and reads events."""

    async def events(self, *, after: int = 0, limit: int = 1000) -> Sequence[RecordedEvent]:
        """Returns events in order of position, from the first after the position `after`."""

    async def events_of(self, asked: EventsOf) -> Sequence[RecordedEvent]:
        """Returns events of one aggregate, the newest first."""

    async def last_event(self) -> LastEvent:
        """Returns position and time of the last event; `NO_EVENT` before the first."""

    async def close(self) -> None: ...
