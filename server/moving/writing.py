"""Writes the organisations of a source into a store, in one transaction: all of them, or none."""

from collections.abc import Mapping, Sequence

from server.domain.aggregates import Key, State
from server.domain.events import RecordedEvent
from server.exports.history import History, Impossible, needs_of
from server.moving.changes import Changes, changes_of, keys_of
from server.moving.source import SourceError, SourceOrg
from server.store.engine import ImportTransaction, Progress
from server.store.log import LoadedFacts, Needs, Writes

AT_ONCE = 256
"""Max events of one write, and max states of one read."""


def write(
    orgs: Sequence[SourceOrg],
    transaction: ImportTransaction,
    *,
    updates: bool,
    progress: Progress,
) -> list[Changes]:
    """Writes what is missing here; the caller commits.

    Args:
        orgs: the organisations, checked.
        transaction: of the store.
        updates: True changes what is here and differs.
        progress: called with the number of organisations done, and of all.

    Returns:
        The changes of each organisation.

    Raises:
        SourceError: an organisation cannot be brought here; the text says why.
        StorageError: storage fails.
    """
    done = []
    for number, org in enumerate(orgs, 1):
        states, ended, now = _states_of(org, transaction)
        changes = changes_of(org, states, ended, updates=updates, now=now)
        for start in range(0, len(changes.events), AT_ONCE):
            _append(org, changes.events[start : start + AT_ONCE], transaction)
        done.append(changes)
        progress(number, len(orgs))
    return done


def _states_of(
    org: SourceOrg, transaction: ImportTransaction
) -> tuple[Mapping[Key, State | None], Mapping[Key, int], int]:
    """Returns the states of the organisation here, sequences of what was removed, and the time."""
    keys = keys_of(org)
    states: dict[Key, State | None] = {}
    ended: dict[Key, int] = {}
    now = 0

    def look(facts: LoadedFacts) -> Writes:
        nonlocal now
        now = facts.now
        states.update(facts.states)
        ended.update(facts.sequences)
        return Writes([], {}, [], {})

    for start in range(0, len(keys), AT_ONCE):
        transaction.write(Needs(keys[start : start + AT_ONCE], ()), look)
    return states, ended, now


def _append(
    org: SourceOrg, events: Sequence[RecordedEvent], transaction: ImportTransaction
) -> None:
    def decide(facts: LoadedFacts) -> Writes:
        history = History(facts, {})
        for position, event in enumerate(events, facts.position + 1):
            try:
                history.add(event._replace(position=position))
            except Impossible as fault:
                raise SourceError(f"organisation {org.id}: {fault}") from fault
        return history.writes()

    transaction.write(needs_of(events), decide)
