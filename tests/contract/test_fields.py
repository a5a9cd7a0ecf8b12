"""Every event store writes each field of a state, also if it alone changes."""

from dataclasses import MISSING, fields, replace

import pytest

from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, State
from server.domain.events import RecordedEvent
from server.domain.flow import Flow
from server.domain.machine_key import KeyKind, MachineKey
from server.domain.org import Member, Org
from server.domain.sealed import SealedValue
from server.domain.user import Token, User
from server.store.engine import Store
from server.store.log import LoadedFacts, Needs, Writes
from server.triggers import FlowType
from tests.contract.stores import loaded

STATES: dict[str, tuple[State, State]] = {
    "action": (
        Action("1", "org", ActionState.ACTIVE, "Greet", "x", 7, False, 1, 10, 11, 1),
        Action("1", "other", ActionState.INACTIVE, "Wave", "y", 8, True, 2, 20, 21, 2),
    ),
    "flow": (
        Flow("1", "org", FlowType(2), ((4, ("a",)),), ((4, ("a", "b")),), 1, 10, 11, 1),
        Flow("1", "other", FlowType(1), ((5, ("b",)),), ((5, ("b", "c")),), 2, 20, 21, 2),
    ),
    "org": (Org("1", "Acme", 1, 10, 11, 1), Org("1", "Other", 2, 20, 21, 2)),
    "member": (
        Member("1", "org", "ada", ("ORG_OWNER",), 1, 10, 11, 1),
        Member("1", "other", "bob", ("IAM_OWNER", "ORG_OWNER"), 2, 20, 21, 2),
    ),
    "user": (
        User("1", "org", "Ada", "de", "ada@issuer", 1, 10, 11, 1),
        User("1", "other", "Bob", "en", "bob@issuer", 2, 20, 21, 2),
    ),
    "machine_key": (
        MachineKey("1", "org", "ada", KeyKind.JSON.value, b"\x01public", 99, 1, 10, 11, 1),
        MachineKey("1", "other", "bob", "client_secret", bytes(32), 100, 2, 20, 21, 2),
    ),
    "token": (
        Token("1", "org", "ada", b"\x01" * 32, "laptop", 99, 1, 10, 11, 1),
        Token("1", "other", "bob", bytes(32), "phone", 100, 2, 20, 21, 2),
    ),
    "sealed": (
        SealedValue("1", "org", "secret", "KEY", 1, 10, 11, 1),
        SealedValue("1", "other", "signing", "key", 2, 20, 21, 2),
    ),
}
"""By type of aggregate: two states that differ in every field but the id, which is their key."""

FIELDS = [
    pytest.param(kind, field.name, id=f"{kind} {field.name}")
    for kind, (state, _) in STATES.items()
    for field in fields(state)
    if field.name != "id"
]


async def put(store: Store, key: Key, state: State, sequence: int) -> None:
    """Stores the state, whatever its fields are."""

    def decide(loaded: LoadedFacts) -> Writes:
        position = loaded.position + 1
        event = RecordedEvent(position, "org", *key, sequence, "any", {}, "", loaded.now)
        return Writes([event], {key: state}, [], {})

    await store.commit(Needs([key], []), decide)


class TestFields:
    @pytest.mark.parametrize(("kind", "field"), FIELDS)
    async def test_a_field_that_alone_changes_is_read_back(
        self, store: Store, kind: str, field: str
    ) -> None:
        before, other = STATES[kind]
        assert getattr(before, field) != getattr(other, field)
        key, after = (kind, "1"), replace(before, **{field: getattr(other, field)})
        await put(store, key, before, 1)
        await put(store, key, after, 2)
        (read,) = (await loaded(store, Needs([key], []))).states.values()
        assert read == after
        assert type(getattr(read, field)) is type(getattr(after, field))

    async def test_a_token_that_expires_differs_from_one_that_does_not(self, store: Store) -> None:
        key = ("token", "1")
        before = Token("1", "org", "ada", b"\x01" * 32, "laptop", 99, 1, 10, 11, 1)
        await put(store, key, before, 1)
        await put(store, key, replace(before, expires_at=None), 2)
        (after,) = (await loaded(store, Needs([key], []))).states.values()
        assert after == replace(before, expires_at=None)


def test_every_kind_of_aggregate_has_its_fields_tested() -> None:
    kinds: tuple[type[State], ...] = State.__args__
    assert {type(state) for state, _ in STATES.values()} == {*kinds}


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_no_field_has_a_default_so_mypy_finds_where_it_is_left_out(kind: str, field: str) -> None:
    (found,) = (each for each in fields(STATES[kind][0]) if each.name == field)
    assert (found.default, found.default_factory) == (MISSING, MISSING)
