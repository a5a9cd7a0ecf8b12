"""Rows of SQLite hold the fields of states."""

from dataclasses import dataclass, fields
from typing import Any

import pytest

from server.domain.action import Action, ActionState
from server.store.forms import forms_of
from server.store.sqlite import rows


def test_a_field_of_a_type_without_a_form_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Weighed:
        id: str
        weight: float

    kind: Any = Weighed
    expected = (
        "Weighed.weight: expected a type in FORMS of server.store.sqlite.rows, "
        "got <class 'float'>; add it"
    )
    with pytest.raises(TypeError) as refused:
        forms_of(kind, rows.form_of)
    assert str(refused.value) == expected


def test_a_state_that_is_unknown_here_is_read_as_unspecified() -> None:
    held = {field.name: 0 for field in fields(Action)} | {"state": 7}
    assert rows.action([*held.values()]).state is ActionState.UNSPECIFIED


def test_what_a_flow_runs_as_it_was_last_set_is_one_object() -> None:
    ids = '[[4,["a","b"]]]'
    flow = rows.flow(("1", "org", 2, ids, ids, 1, 10, 11, 1))
    assert flow.triggers is flow.last_set
