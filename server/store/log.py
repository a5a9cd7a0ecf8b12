"""Defines the log of events, for every engine; tests/contract tests each against it.

Events are append-only, and positions are in commit order. Positions are the order of events; times
are not, as they are what the clock told, and a clock may be set back.
The states that follow from events, and the owners of unique names, change in the same transaction:
who saw a commit answered reads it in the read model.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from server.domain.aggregates import Key, Name, State
from server.domain.events import RecordedEvent


@dataclass(frozen=True, slots=True)
class Needs:
    """The facts that a batch decides by.

    Attributes:
        aggregates: whose states are loaded.
        names: whose owners are loaded.
        dependants_of: whose dependants are loaded, too (`aggregates.is_dependant`).
        actions: ids of actions of which no more than the organisation is loaded.
    """

    aggregates: Collection[Key]
    names: Collection[Name]
    dependants_of: Collection[Key] = ()
    actions: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class LoadedFacts:
    """The facts as they are stored.

    Attributes:
        states: of each needed aggregate, None where it does not live; and of each living dependant.
        sequences: the last sequence of those that lived once and do not live now.
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
    """The changes of a batch.

    Attributes:
        events: positions follow `LoadedFacts.position` without a gap.
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


Decide: TypeAlias = Callable[[LoadedFacts], Writes]


@dataclass(frozen=True, slots=True)
class LastEvent:
    position: int
    created_at: int


NO_EVENT = LastEvent(0, 0)


class Transactions(Protocol):
    """The part of the log that writes."""

    async def commit(self, needs: Needs, decide: Decide) -> None:
        """Loads the facts, decides, and writes: one transaction, durable when this returns.

        `decide` may run in another thread, and again after a conflict; an exception of its own
        ends the transaction with nothing written and is raised as it is.

        Raises:
            StorageError: nothing was written.
        """


class EventLog(Transactions, Protocol):
    async def events(self, *, after: int = 0, limit: int = 1000) -> Sequence[RecordedEvent]:
        """Returns events in order of position, from the first after a position on."""

    async def last_event(self) -> LastEvent:
        """Returns the last event's place and time; `NO_EVENT` before the first."""

    async def close(self) -> None: ...
