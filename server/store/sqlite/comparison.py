"""Compares a database with its events: finds gaps among events, and states that differ from them.

The states are made anew in a copy, and compared row by row with those of one read transaction; a
service may run meanwhile. Follows sqlite.org/pragma.html, integrity_check.
"""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.store.differences import differences
from server.store.engine import Progress
from server.store.errors import StorageError
from server.store.sqlite.connect import connect_to_read, errors_of
from server.store.sqlite.copies import copy_pages
from server.store.sqlite.damage import faults
from server.store.sqlite.rebuild import STATE_TABLES, rebuild

FINDINGS_MAX: Final = 20
"""Max findings of one kind."""

_POSITIONS: Final = "SELECT count(*), min(position), max(position) FROM events"
_SEQUENCES: Final = """
SELECT aggregate_type, aggregate_id, count(*), max(sequence) FROM events
GROUP BY aggregate_type, aggregate_id HAVING count(*) <> max(sequence) OR min(sequence) <> 1
LIMIT ?
"""
_WITHOUT_VALUE: Final = """
SELECT id FROM sealed_contents WHERE id NOT IN (SELECT id FROM sealed_values) ORDER BY id LIMIT ?
"""
_DIFFERENT: Final = """
SELECT * FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM anew.{table}) LIMIT ?
"""
_MISSING: Final = """
SELECT * FROM (SELECT * FROM anew.{table} EXCEPT SELECT * FROM main.{table}) LIMIT ?
"""


def compare(database: Path, progress: Progress) -> list[str]:
    """Returns the faults of a database; empty if there are none.

    Raises:
        StorageError: it cannot be read.
    """
    with (
        errors_of(database),
        contextlib.closing(connect_to_read(database)) as found,
    ):
        found.execute("BEGIN")
        damage = faults(found, FINDINGS_MAX)
        if damage:
            return damage
        gaps = [*_gaps(found)]
        return gaps or _differences(found, progress)


def _gaps(connection: sqlite3.Connection) -> Iterator[str]:
    count, first, last = connection.execute(_POSITIONS).fetchone()
    if count and (first, last) != (1, count):
        yield f"events: expected positions 1 to {count}, got {count} from {first} to {last}"
    for kind, id_, events, sequence in connection.execute(_SEQUENCES, (FINDINGS_MAX,)):
        yield f"events: {kind} {id_} has {events} events, the last has sequence {sequence}"
    for (id_,) in connection.execute(_WITHOUT_VALUE, (FINDINGS_MAX,)):
        yield f"sealed_contents: {id_} is not among the values"


def _differences(found: sqlite3.Connection, progress: Progress) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="actions-check-") as folder:
        anew = Path(folder) / "anew.sqlite"
        try:
            with contextlib.closing(sqlite3.connect(anew, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")  # the copy is temporary
                copy_pages(found, copy, lambda _copied, _total: None)
                rebuild(copy, progress)
        except StorageError as fault:
            return [str(fault)]
        found.execute("ATTACH ? AS anew", (str(anew),))
        return [line for table in STATE_TABLES for line in _rows(found, table)]


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    stored, anew = (
        connection.execute(query.format(table=table), (FINDINGS_MAX,)).fetchall()
        for query in (_DIFFERENT, _MISSING)
    )
    return differences(table, stored, anew)
