"""Decides what happens to sealed values: texts that are stored so that only a key opens them.

Events say that a value was set or deleted, by whom and when. The sealed content is stored beside
them, in the same transaction, and never in an event: what is deleted is gone.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from server.domain.events import Event, RecordedEvent
from server.domain.org import Org
from server.domain.refusals import Kind, Refusal, not_found

ADDED: Final = "sealed.added"
CHANGED: Final = "sealed.changed"
REMOVED: Final = "sealed.removed"
EVENT_TYPES: Final = frozenset({ADDED, CHANGED, REMOVED})

_SEPARATOR: Final = ":"
_CHANGED: Final = Event(CHANGED)
_REMOVED: Final = Event(REMOVED)


class Place(NamedTuple):
    """Names the one place where a sealed value opens.

    Attributes:
        org_id: the organisation; empty for a value of the instance.
        purpose: what the value is for ("secret"); a word of this program without a colon.
        name: of the value, among those of its organisation and purpose.
    """

    org_id: str
    purpose: str
    name: str

    @property
    def id(self) -> str:
        """Returns the id of the aggregate."""
        return _SEPARATOR.join(self)

    @classmethod
    def of(cls, id: str) -> "Place":
        """Returns the place with this id."""
        return cls(*id.split(_SEPARATOR, 2))


@dataclass(frozen=True, slots=True)
class Sealed:
    """Holds a sealed content.

    Attributes:
        key_id: of the key that opens it.
        content: as `server.sealing` makes it.
    """

    key_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class SealedValue:
    """Holds one row of `sealed_values`, which has no content; its id is `Place.id`."""

    id: str
    org_id: str
    purpose: str
    name: str
    sequence: int
    created_at: int
    changed_at: int
    position: int


def put(value: SealedValue | None, *, place: Place, org: Org | None) -> Event:
    """Returns the event that sets a value; the organisation of its place exists, if it has one."""
    if place.org_id and org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Sp4no", values={"org_id": place.org_id})
    if value is not None:
        return _CHANGED
    return Event(ADDED, {"purpose": place.purpose, "name": place.name})


def require_room(others: int, most: int) -> None:
    """Checks that an organisation may have one more value."""
    if others >= most:
        raise Refusal(
            Kind.RESOURCE_EXHAUSTED,
            "Errors.Secret.TooMany",
            "COMMAND-Sp5tm",
            values={"most": str(most)},
        )


def remove(value: SealedValue | None, *, place: Place) -> Event:
    """Returns the event that deletes a value."""
    if value is None:
        raise not_found("Errors.Secret.NotFound", "COMMAND-Sp6nf", values={"name": place.name})
    return _REMOVED


def evolve(value: SealedValue | None, event: RecordedEvent) -> SealedValue | None:
    if event.type == ADDED:
        return SealedValue(
            id=event.aggregate_id,
            org_id=event.org_id,
            purpose=event.text("purpose"),
            name=event.text("name"),
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if value is None or event.type == REMOVED:
        return None
    return replace(value, sequence=event.sequence, changed_at=event.created_at)
