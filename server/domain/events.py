"""Defines events, as a decision returns them and as they are stored.

Times are integer microseconds since the epoch, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
Payload: TypeAlias = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    payload: Payload = field(default_factory=dict)


class RecordedEvent(NamedTuple):
    """Holds a stored event; the fields are the columns of the events table, in their order.

    Attributes:
        position: number of the event among all, in commit order, from 1.
        org_id: the organisation that owns the aggregate.
        sequence: number of the event among those of its aggregate, from 1.
        editor: the id of the user who called; empty for the command line.
    """

    position: int
    org_id: str
    aggregate_type: str
    aggregate_id: str
    sequence: int
    type: str
    payload: Payload
    editor: str
    created_at: int

    def text(self, key: str, default: str = "") -> str:
        value = self.payload.get(key, default)
        if not isinstance(value, str):
            raise self._unreadable(key, "a string")
        return value

    def number(self, key: str, default: int = 0) -> int:
        value = self.payload.get(key, default)
        if not isinstance(value, int):
            raise self._unreadable(key, "an integer")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.payload.get(key, default)
        if not isinstance(value, bool):
            raise self._unreadable(key, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.payload.get(key, [])
        if not isinstance(value, list):
            raise self._unreadable(key, "a list of strings")
        return tuple(item for item in value if isinstance(item, str))

    def _unreadable(self, key: str, expected: str) -> ValueError:
        return ValueError(f"event {self.position} ({self.type}): {key} is not {expected}")
