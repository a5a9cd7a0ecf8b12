"""Events as they are recorded, for tests of what comes of them."""

from server.domain.events import JSON, RecordedEvent


def happened(kind: str, id_: str, type_: str, payload: dict[str, JSON]) -> RecordedEvent:
    """The second event of its aggregate, of organisation "o", at 300, in position 9."""
    return RecordedEvent(9, "o", kind, id_, 2, type_, payload, "", 300)
