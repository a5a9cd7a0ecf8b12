"""A condition names the sequences that a caller accepts."""

import pytest

from server.domain.conditions import ANY_SEQUENCE, Condition, require_sequence
from server.domain.refusals import Refusal
from tests.support.tables import cases


@cases(
    "sequence, accepted",
    {"no condition": (5, ANY_SEQUENCE), "one": (5, frozenset({5})), "two": (5, frozenset({4, 5}))},
)
def test_an_accepted_sequence_passes(sequence: int, accepted: Condition) -> None:
    require_sequence(sequence, accepted)


@cases(
    "accepted, expected",
    {
        "one": (frozenset({4}), "4"),
        "several": (frozenset({12, 4, 6}), "4, 6, 12"),
        "many are cut": (frozenset(range(10, 90)), "10, 11, 12"),
    },
)
def test_another_is_refused_with_both(accepted: Condition, expected: str) -> None:
    with pytest.raises(Refusal) as caught:
        require_sequence(5, accepted)
    assert caught.value.values == {"sequence": "5", "expected": expected}
