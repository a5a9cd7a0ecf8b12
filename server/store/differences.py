"""Names the rows in which a table of states differs from one that was made anew of the events."""

from collections.abc import Iterable, Iterator
from typing import Final

from server.store.forms import Row

_KEY_COLUMNS: Final = {"names": 3, "removed": 2, "action_totals": 1}
"""Number of key columns, the first ones, of tables whose rows have no position and id."""


def differences(table: str, stored: Iterable[Row], anew: Iterable[Row]) -> Iterator[str]:
    """Yields a line for each row.

    Args:
        table: its name.
        stored: the rows that only the database has.
        anew: the rows that only follow from the events.
    """
    held = {_key(table, row) for row in stored}
    due = {_key(table, row) for row in anew}
    for key in sorted(held & due):
        yield f"{table}: {key} differs from its events"
    for key in sorted(held - due):
        yield f"{table}: {key} exists, its events do not make it"
    for key in sorted(due - held):
        yield f"{table}: {key} is missing, its events make it"


def _key(table: str, row: Row) -> str:
    """Returns the name of a row: its id, which follows its position, or the columns of its key."""
    columns = _KEY_COLUMNS.get(table)
    found = row[1:2] if columns is None else row[:columns]
    return " ".join(part.decode() if isinstance(part, bytes) else str(part) for part in found)
