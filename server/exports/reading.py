"""Reads an export, and checks all that can be checked without a database.

Follows docs/moving.md, "The file". Memory is bounded by the longest line.
"""

import hashlib
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from server.domain import sealed
from server.domain.events import RecordedEvent
from server.exports.form import Header, Malformed, Trailer, read_header, read_line
from server.exports.history import needs_of
from server.store.engine import Progress
from server.store.errors import StorageError

LINE_MAX_BYTES: Final = 64 << 20
"""Max bytes of a line. A gRPC message has at most 4 MiB; as JSON it may be six times as long."""


class LineFault(StorageError):
    """A line of a file cannot be imported; the text begins with the file and the line."""

    def __init__(self, file: Path, line: int, fault: object) -> None:
        super().__init__(f"{file}:{line}: {fault}")


class Line(NamedTuple):
    number: int
    size: int
    event: RecordedEvent


@dataclass(frozen=True, slots=True)
class Contents:
    """Summarizes an export.

    Attributes:
        org_ids: all organisations that its events are of.
        sealed: number of sealed values that exist at its end; their contents are not in it.
    """

    events: int
    org_ids: Collection[str]
    sealed: int = 0


def check(file: Path, progress: Progress) -> Contents:
    """Reads an export to its end.

    Args:
        file: the export.
        progress: called with the number of bytes read, and the file's.

    Raises:
        StorageError: it cannot be read, or is no complete export of a known version.
    """
    org_ids: set[str] = set()
    values: set[str] = set()
    events = 0
    for line in events_of(file, progress):
        events += 1
        org_ids.add(line.event.org_id)
        if line.event.type == sealed.ADDED:
            values.add(line.event.aggregate_id)
        elif line.event.type == sealed.REMOVED:
            values.discard(line.event.aggregate_id)
    return Contents(events, org_ids, len(values))


def events_of(file: Path, progress: Progress) -> Iterator[Line]:
    """Yields the events of an export; raises as `check` does.

    The end was reached without an exception only if nothing is missing.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise StorageError(f"{file}: expected a regular file, as it is read twice, got another")
        with file.open("rb") as opened:
            yield from _Lines(file, opened, progress).events()
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from error


class _Lines:
    def __init__(self, file: Path, opened: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._opened = opened
        self._progress = progress
        self._size = file.stat().st_size
        self._number = 0
        self._read = 0
        self._hash = hashlib.sha256()

    def events(self) -> Iterator[Line]:
        try:
            header = read_header(self._next())
            last, count = 0, 0
            while True:
                line = self._next()
                found = read_line(line)
                if isinstance(found, Trailer):
                    break
                self._check(found, header, last)
                self._hash.update(line)
                last, count = found.position, count + 1
                yield Line(self._number, len(line), found)
            self._check_trailer(found, header, last, count)
        except ValueError as error:
            raise LineFault(self._file, self._number, error) from error

    def _next(self) -> bytes:
        line = self._opened.readline(LINE_MAX_BYTES + 1)
        self._number += 1
        self._read += len(line)
        if len(line) > LINE_MAX_BYTES:
            raise Malformed(f"expected at most {LINE_MAX_BYTES} bytes, got more")
        if not line.endswith(b"\n"):
            raise Malformed("expected more lines, got the end: the file is cut off; copy it again")
        self._progress(self._read, self._size)
        return line

    def _check(self, event: RecordedEvent, header: Header, last: int) -> None:
        if event.position <= last:
            raise Malformed(f"expected a position after {last}, got {event.position}")
        if header.org_ids is None and event.position != last + 1:
            raise Malformed(f"expected position {last + 1}, got {event.position}")
        if header.org_ids is not None and event.org_id not in header.org_ids:
            expected = ", ".join(header.org_ids)
            got = repr(event.org_id[:40])
            raise Malformed(f"expected an organisation of the header ({expected}), got {got}")
        needs_of([event])

    def _check_trailer(self, trailer: Trailer, header: Header, last: int, count: int) -> None:
        if trailer.events != count:
            raise Malformed(f"expected {trailer.events} events, as the trailer says, got {count}")
        if header.org_ids is None and last != header.last_position:
            raise Malformed(f"expected events up to {header.last_position}, got {last}")
        if trailer.sha256 != self._hash.hexdigest():
            raise Malformed(
                f"expected events with SHA-256 {trailer.sha256[:16]}…, as the trailer says, got "
                f"{self._hash.hexdigest()[:16]}…; copy the file again, or export again"
            )
        if self._opened.read(1):
            self._number += 1
            raise Malformed("expected the end of the file after the trailer, got more")
