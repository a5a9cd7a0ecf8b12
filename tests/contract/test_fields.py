"""What every event store writes of a state: each field of it, if that alone changes."""

from dataclasses import fields, replace
from enum import IntEnum
from typing import Any

import pytest

from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, State
from server.domain.events import RecordedEvent
from server.domain.flow import Flow
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.store.engine import Store
from server.store.log import LoadedFacts, Needs, Writes
from server.triggers import FlowType
from tests.contract.stores import Contract, OnSqlite, OnSqliteWithoutMemory, loaded

STATES: dict[str, State] = {
    "action": Action("1", "org", ActionState.ACTIVE, "Greet", "x", 7, False, 1, 10, 11, 1),
    "flow": Flow("1", "org", FlowType(2), ((4, ("a",)),), ((4, ("a", "b")),), 1, 10, 11, 1),
    "org": Org("1", "Acme", 1, 10, 11, 1),
    "member": Member("1", "org", "ada", ("ORG_OWNER",), 1, 10, 11, 1),
    "user": User("1", "org", "Ada", "de", "ada@issuer", 1, 10, 11, 1),
    "token": Token("1", "org", "ada", b"\x01" * 32, "laptop", 99, 1, 10, 11, 1),
}
"""By type of aggregate. The id is a state's key, so it is no field that changes."""


def other(value: Any) -> Any:
    """Returns another value of the same type."""
    match value:
        case bool():
            return not value
        case IntEnum():
            return type(value)(1)
        case int():
            return value + 1
        case str():
            return f"another {value}"
        case bytes():
            return bytes(len(value))
        case tuple():
            return tuple(map(other, value))
    raise TypeError(type(value))


async def put(store: Store, key: Key, state: State, sequence: int) -> None:
    """Stores the state, whatever its fields are."""

    def decide(loaded: LoadedFacts) -> Writes:
        position = loaded.position + 1
        event = RecordedEvent(position, "org", *key, sequence, "any", {}, "", loaded.now)
        return Writes([event], {key: state}, [], {})

    await store.commit(Needs([key], []), decide)


class FieldsContract(Contract):
    @pytest.mark.parametrize(
        ("kind", "field"),
        [
            pytest.param(kind, field.name, id=f"{kind} {field.name}")
            for kind, state in STATES.items()
            for field in fields(state)
            if field.name != "id"
        ],
    )
    async def test_a_field_that_alone_changes_is_read_back(
        self, store: Store, kind: str, field: str
    ) -> None:
        key, before = (kind, "1"), STATES[kind]
        after = replace(before, **{field: other(getattr(before, field))})
        assert after != before
        await put(store, key, before, 1)
        await put(store, key, after, 2)
        assert (await loaded(store, Needs([key], []))).states == {key: after}

    async def test_a_token_that_expires_differs_from_one_that_does_not(self, store: Store) -> None:
        key = ("token", "1")
        before = Token("1", "org", "ada", b"\x01" * 32, "laptop", 99, 1, 10, 11, 1)
        await put(store, key, before, 1)
        await put(store, key, replace(before, expires_at=None), 2)
        (after,) = (await loaded(store, Needs([key], []))).states.values()
        assert after == replace(before, expires_at=None)

    async def test_every_kind_of_aggregate_has_its_fields_tested(self) -> None:
        kinds: tuple[type[State], ...] = State.__args__
        assert {type(state) for state in STATES.values()} == {*kinds}


class TestSqlite(OnSqlite, FieldsContract):
    pass


class TestSqliteWithoutMemory(OnSqliteWithoutMemory, FieldsContract):
    pass
