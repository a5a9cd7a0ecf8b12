"""Every event store keeps the content of a sealed value beside its events, while it lives."""

import pytest

from server.commands.orgs import CreateOrg
from server.commands.removal import PurgeOrg, RemoveOrg
from server.commands.sealed import DeleteSealed, SetSealed
from server.domain.aggregates import sealed_key
from server.domain.refusals import Kind, Refusal
from server.domain.sealed import Place, Sealed
from server.store.engine import Store
from server.store.read_model import (
    EndedOrgs,
    OrgRemains,
    SealedContent,
    SealedValuesOf,
    SealingKeys,
)
from tests.contract.stores import commit, replayed
from tests.support.clocks import NOON, SECOND, HandClock

KEY = Place("acme", "secret", "KEY")
OTHER = Place("acme", "secret", "OTHER")
ELSEWHERE = Place("other", "secret", "KEY")
FIRST, SECOND_ONE = Sealed("k1", b"\x00first"), Sealed("k2", b"second\xff")


def put(place: Place, sealed: Sealed = FIRST, *, most: int = 100) -> SetSealed:
    return SetSealed(place, sealed, most, "ada")


@pytest.fixture(autouse=True)
async def orgs(store: Store) -> None:
    await commit(store, CreateOrg("acme", "Acme", ""), CreateOrg("other", "Other", ""))


async def content(store: Store, place: Place) -> Sealed | None:
    return await store.read(SealedContent(place.id))


async def names(store: Store, org_id: str = "acme") -> list[str]:
    return [value.name for value in await store.read(SealedValuesOf(org_id, "secret"))]


async def test_a_value_is_read_back_in_its_place_alone(store: Store) -> None:
    await commit(store, put(KEY), put(ELSEWHERE, SECOND_ONE))
    assert await content(store, KEY) == FIRST
    assert await content(store, ELSEWHERE) == SECOND_ONE
    assert await content(store, OTHER) is None
    assert await store.read(SealingKeys()) == ["k1", "k2"]


async def test_a_value_that_is_set_again_has_its_dates(store: Store, clock: HandClock) -> None:
    await commit(store, put(KEY))
    clock.now += SECOND
    await commit(store, put(KEY, SECOND_ONE))
    assert await content(store, KEY) == SECOND_ONE
    (value,) = await store.read(SealedValuesOf("acme", "secret"))
    assert (value.created_at, value.changed_at, value.sequence) == (NOON, NOON + SECOND, 2)


async def test_values_are_listed_by_organisation_and_purpose(store: Store) -> None:
    await commit(store, put(OTHER), put(KEY), put(ELSEWHERE), put(Place("acme", "signing", "a")))
    assert await names(store) == ["OTHER", "KEY"]
    assert await names(store, "other") == ["KEY"]


async def test_a_deleted_value_leaves_no_content(store: Store) -> None:
    await commit(store, put(KEY), put(OTHER))
    await commit(store, DeleteSealed(KEY, "ada"))
    assert await content(store, KEY) is None
    assert await content(store, OTHER) == FIRST
    assert await names(store) == ["OTHER"]


async def test_the_last_command_of_a_batch_wins(store: Store) -> None:
    await commit(store, put(KEY), DeleteSealed(KEY, ""), put(KEY, SECOND_ONE))
    await commit(store, put(OTHER), put(OTHER, SECOND_ONE), DeleteSealed(OTHER, ""))
    assert await content(store, KEY) == SECOND_ONE
    assert await content(store, OTHER) is None


async def test_events_say_who_and_where_and_have_no_content(store: Store) -> None:
    await commit(store, put(KEY), put(KEY, SECOND_ONE), DeleteSealed(KEY, "bob"))
    events = [event for event in await store.events() if event.aggregate_type == "sealed"]
    assert [(event.type, event.editor, dict(event.payload)) for event in events] == [
        ("sealed.added", "ada", {"purpose": "secret", "name": "KEY"}),
        ("sealed.changed", "ada", {}),
        ("sealed.removed", "bob", {}),
    ]
    assert {event.org_id for event in events} == {"acme"}


async def test_states_follow_from_the_events(store: Store) -> None:
    await commit(store, put(KEY), put(OTHER), put(KEY), DeleteSealed(OTHER, ""))
    states = [state for state in await replayed(store) if state.id.startswith("acme:")]
    assert states == [*await store.read(SealedValuesOf("acme", "secret"))]


async def test_an_organisation_has_at_most_as_many_as_it_may(store: Store) -> None:
    await commit(store, put(KEY, most=2), put(ELSEWHERE), put(Place("acme", "signing", "a")))
    await commit(store, put(OTHER, most=2), put(KEY, most=2))
    with pytest.raises(Refusal) as refused:
        await commit(store, put(Place("acme", "secret", "THIRD"), most=2))
    assert refused.value.kind is Kind.RESOURCE_EXHAUSTED
    assert await names(store) == ["KEY", "OTHER"]


async def test_a_value_of_no_organisation_is_of_the_instance(store: Store) -> None:
    place = Place("", "tokens", "1")
    await commit(store, put(place))
    assert await content(store, place) == FIRST


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(put(Place("nobody", "secret", "KEY")), id="set in an unknown organisation"),
        pytest.param(DeleteSealed(KEY, ""), id="delete an unknown value"),
    ],
)
async def test_what_does_not_exist_is_not_found(
    store: Store, command: SetSealed | DeleteSealed
) -> None:
    with pytest.raises(Refusal) as refused:
        await commit(store, command)
    assert refused.value.kind is Kind.NOT_FOUND


async def test_the_contents_of_a_removed_organisation_are_purged(store: Store) -> None:
    await commit(store, put(KEY), put(OTHER), put(ELSEWHERE))
    await commit(store, RemoveOrg("acme", None, ""))
    assert [org.id for org in await store.read(EndedOrgs())] == ["acme"]
    keys = await store.read(OrgRemains("acme", 10, 10))
    assert set(keys) == {sealed_key(KEY), sealed_key(OTHER)}
    await commit(store, PurgeOrg("acme", (*keys,), ""))
    assert (await content(store, KEY), await content(store, OTHER)) == (None, None)
    assert await content(store, ELSEWHERE) == FIRST
    assert await store.read(EndedOrgs()) == []
