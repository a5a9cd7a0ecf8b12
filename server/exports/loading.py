"""Imports an export into a store, in one transaction: all of it, or nothing.

Events get the next positions of the store. In an empty one a whole instance keeps its positions, as
they have no gaps. Each organisation is new, or all of the file is stored already.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from server.domain.aggregates import Key, org_key
from server.exports.history import History, Impossible, needs_of
from server.exports.reading import Contents, Line, LineFault, events_of
from server.store.engine import ImportTransaction, Progress
from server.store.errors import StorageError
from server.store.log import LoadedFacts, Needs, Writes

EVENTS_AT_ONCE: Final = 256
"""Max events of one write."""
BYTES_AT_ONCE: Final = 1 << 20
"""Max bytes of their lines, which bounds memory."""


def load(
    file: Path, contents: Contents, transaction: ImportTransaction, progress: Progress
) -> bool:
    """Writes all events of an export; the caller commits.

    Args:
        file: the export.
        contents: of the file, as `reading.check` found it.
        transaction: of the store.
        progress: called with the number of events done, and of all.

    Returns:
        True if they were written; False if all are stored already.

    Raises:
        StorageError: an event cannot have happened after those before it, an organisation exists
            here with other events, or storage fails.
    """
    here = _existing(transaction, contents.org_ids)
    strangers: dict[str, str] = {}
    done = 0
    for lines in _parts(events_of(file, lambda _read, _size: None)):
        if here:
            _require_stored(file, lines, transaction, here)
        else:
            _write(file, lines, transaction, strangers)
        done += len(lines)
        progress(done, contents.events)
    for membership, user_id in strangers.items():
        raise StorageError(
            f"{file}: member {membership}: user {user_id} of another organisation is neither in "
            "the file nor here; export that organisation too, or remove the membership first"
        )
    return not here


def _parts(lines: Iterable[Line]) -> Iterator[list[Line]]:
    part: list[Line] = []
    size = 0
    for line in lines:
        part.append(line)
        size += line.size
        if len(part) == EVENTS_AT_ONCE or size > BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _existing(transaction: ImportTransaction, org_ids: Collection[str]) -> frozenset[str]:
    """Returns those organisations that exist in the store, or did."""
    keys: list[Key] = [org_key(org_id) for org_id in org_ids]
    found: set[str] = set()

    def look(facts: LoadedFacts) -> Writes:
        found.update(id for (_, id), state in facts.states.items() if state is not None)
        found.update(id for _, id in facts.sequences)
        return Writes([], {}, [], {})

    for start in range(0, len(keys), EVENTS_AT_ONCE):
        transaction.write(Needs(keys[start : start + EVENTS_AT_ONCE], ()), look)
    return frozenset(found)


def _require_stored(
    file: Path, lines: Sequence[Line], transaction: ImportTransaction, here: frozenset[str]
) -> None:
    """Checks that the store has the same events, be it in other positions.

    Raises:
        LineFault: an event is not stored.
    """
    stored = {
        (event.aggregate_type, event.aggregate_id, event.sequence): event
        for event in transaction.stored([line.event for line in lines])
    }
    for number, _, event in lines:
        found = stored.get((event.aggregate_type, event.aggregate_id, event.sequence))
        if found is None or found._replace(position=event.position) != event:
            exists = f"organisation {sorted(here)[0]} of the file exists here, and not with all"
            raise LineFault(
                file, number, f"{exists} events of the file; export the others alone, by --org"
            )


def _write(
    file: Path, lines: Sequence[Line], transaction: ImportTransaction, strangers: dict[str, str]
) -> None:
    def decide(facts: LoadedFacts) -> Writes:
        history = History(facts, strangers)
        for position, (number, _, event) in enumerate(lines, facts.position + 1):
            try:
                history.add(event._replace(position=position))
            except Impossible as fault:
                raise LineFault(file, number, fault) from fault
        return history.writes()

    try:
        transaction.write(needs_of([line.event for line in lines]), decide)
    except LineFault:
        raise
    except StorageError as error:
        numbers = f"{lines[0].number} to {lines[-1].number}"
        raise StorageError(f"{file}: lines {numbers} cannot be written: {error}") from error
