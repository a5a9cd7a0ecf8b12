"""Contexts in other forms than the exact one are read as that."""

import pytest

from server.scripts.contract import JsonValue
from server.scripts.host import contexts
from server.scripts.host.context_forms import exact
from server.scripts.host.context_schema import CONTEXTS
from server.triggers import ALL_TRIGGERS, Trigger
from tests.support.contexts_by_kind import read_as_json

FREE = ("claims", "idTokenClaims", "providerInfo", "actor")
"""Members that may hold anything, which stays as it is."""


def with_digits(value: JsonValue) -> JsonValue:
    """Returns the same context with digits for integers."""
    if isinstance(value, dict):
        return {name: item if name in FREE else with_digits(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_digits(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
def test_a_context_with_digits_for_integers_is_read_as_the_exact_one(trigger: Trigger) -> None:
    example = contexts.example(*trigger)
    assert read_as_json(trigger, with_digits(example)) == example


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
def test_an_exact_context_stays_as_it_is(trigger: Trigger) -> None:
    example = contexts.example(*trigger)
    assert exact(example, CONTEXTS[trigger]) == {
        name: value for name, value in example.items() if value is not None
    }


@pytest.mark.parametrize(
    ("given", "read"),
    [
        pytest.param({"count": 3}, (3, []), id="count"),
        pytest.param({"count": "3"}, (3, []), id="digits"),
        pytest.param([{}, None], (2, ["", ""]), id="entries alone"),
        pytest.param({"metadata": [{"value": None}, {"value": 5}]}, (2, ["", "5"]), id="values"),
    ],
)
def test_a_list_is_read_with_its_count(given: JsonValue, read: tuple[int, list[str]]) -> None:
    found = read_as_json((4, 6), {"userMetadata": given})["userMetadata"]
    assert isinstance(found, dict)
    entries = found["metadata"]
    assert isinstance(entries, list)
    assert (found["count"], [e["value"] for e in entries if isinstance(e, dict)]) == read
