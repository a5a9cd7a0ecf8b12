"""Computes the current states that follow from stored events, for every engine's `rebuild`.

Rule: an event that is stored and cannot be applied is damage, so it is a StorageError.
"""

from collections.abc import Mapping, Sequence

from server.domain.aggregates import Key, State, flows_of
from server.domain.events import RecordedEvent
from server.domain.projection import Projection
from server.store.errors import StorageError
from server.store.log import Writes


def keys_of(events: Sequence[RecordedEvent]) -> set[Key]:
    """Returns the keys of the aggregates that the events change."""
    keys: set[Key] = set()
    for event in events:
        keys |= {(event.aggregate_type, event.aggregate_id), *flows_of(event)}
    return keys


def writes_of(events: Sequence[RecordedEvent], before: Mapping[Key, State | None]) -> Writes:
    """Returns what the events change.

    Args:
        events: in the order of their positions.
        before: the states of the aggregates `keys_of(events)` before them.

    Raises:
        StorageError: an event cannot be applied.
    """
    projection = Projection(before)
    for event in events:
        try:
            projection.apply((event.aggregate_type, event.aggregate_id), event)
        except (LookupError, TypeError, ValueError) as error:
            of = f"{event.type} of {event.aggregate_type} {event.aggregate_id}"
            message = f"event {event.position} ({of}) cannot be applied: {error}"
            raise StorageError(message) from error
    return Writes.of(events, projection)
