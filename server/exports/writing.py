"""Writes an export: the events of an instance, or of some organisations, up to now.

Events never change, so all up to the last position are a snapshot, though others are added
meanwhile. Memory is bounded by one read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from server.domain import org as orgs
from server.domain.events import RecordedEvent
from server.exports.form import Header, Trailer, event_line, header_line, trailer_line
from server.store.engine import EventReader, Progress
from server.store.errors import StorageError

EVENTS_PER_READ: Final = 1_000
"""Max events of one read."""


@dataclass(frozen=True, slots=True)
class Exported:
    events: int
    orgs: int


def export(
    reader: EventReader,
    out: BinaryIO,
    *,
    org_ids: Sequence[str] | None,
    now: int,
    progress: Progress,
) -> Exported:
    """Writes an export.

    Args:
        reader: of the store.
        out: takes the bytes.
        org_ids: of the organisations; None for the whole instance.
        now: the time, in microseconds.
        progress: called with the number of events read, and of all.

    Raises:
        StorageError: an organisation never was, or events cannot be read; the file has no trailer.
        OSError: it cannot be written.
    """
    last = reader.last_event().position
    out.write(header_line(Header(now, None if org_ids is None else tuple(org_ids), last)))
    content = hashlib.sha256()
    count, made = 0, set()
    for event in _events(reader, last, progress):
        if org_ids is None or event.org_id in org_ids:
            line = event_line(event)
            content.update(line)
            out.write(line)
            count += 1
            if event.type == orgs.ADDED:
                made.add(event.aggregate_id)
    for missing in set(org_ids or ()) - made:
        raise StorageError(f"there is no organisation {missing!r}, and never was")
    out.write(trailer_line(Trailer(count, content.hexdigest())))
    return Exported(count, len(made))


def _events(reader: EventReader, last: int, progress: Progress) -> Iterator[RecordedEvent]:
    position = 0
    while position < last:
        found = reader.events(position, min(EVENTS_PER_READ, last - position))
        for event in found:
            if event.position != position + 1:
                raise _missing(position + 1)
            position = event.position
            yield event
        if not found:
            raise _missing(position + 1)
        progress(position, last)


def _missing(position: int) -> StorageError:
    return StorageError(f"event {position} is missing; `check` lists all faults")
