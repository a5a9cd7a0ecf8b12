"""Events as they are recorded, and refusals as they are decided, for tests of the domain."""

from collections.abc import Callable

import pytest

from server.domain.events import JSON, RecordedEvent
from server.domain.refusals import Refusal


def happened(kind: str, id_: str, type_: str, payload: dict[str, JSON]) -> RecordedEvent:
    """The second event of its aggregate, of organisation "o", at 300, in position 9."""
    return RecordedEvent(9, "o", kind, id_, 2, type_, payload, "", 300)


def refusal_of(decide: Callable[[], object]) -> str:
    """Returns the kind, the key and the id that refuse the decision."""
    with pytest.raises(Refusal) as caught:
        decide()
    refused = caught.value
    return f"{refused.kind.name} {refused.key} {refused.id}"
