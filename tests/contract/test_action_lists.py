"""Every event store answers lists of actions alike."""

from collections.abc import Sequence
from itertools import combinations, product

import pytest

from server.commands.actions import DeactivateAction, DeleteAction
from server.store.action_lists import (
    ActionFilter,
    ActionsQuery,
    IdFilter,
    Match,
    NameFilter,
    Order,
    StateFilter,
)
from server.store.engine import Store
from server.store.read_model import ActionsOf
from tests.contract.stores import an_action, commit
from tests.support.action_commands import create_orgless_action, update_action
from tests.support.clocks import NOON, SECOND, HandClock
from tests.support.tables import cases

WHOLE, START, ANYWHERE, END = Match.WHOLE, Match.START, Match.ANYWHERE, Match.END
ACTIVE, INACTIVE = StateFilter(2), StateFilter(1)

NAMES = {
    "7": "Greet",
    "3": "greeting%",
    "9": "gre_ting",
    "1": "Ägre\0et",
    "5": "a\u0308gree",  # a letter that is two: another normal form of ä
    "8": "ΣΑΣ",  # in lower case its two sigmas differ
    "2": "İstanbul",  # in lower case one letter longer
}
"""By id, in the order in which they are created."""


async def filled(store: Store) -> None:
    """The names, of which the two lowest ids are inactive, and a name of another organisation."""
    await commit(store, *(an_action(id, name=name) for id, name in NAMES.items()))
    await commit(store, an_action("0", org_id="other", name="Greet"))
    await commit(store, DeactivateAction("org", "1", ""), DeactivateAction("org", "2", ""))


async def listed(store: Store, query: ActionsQuery) -> list[str]:
    page = await store.read(ActionsOf("org", query))
    return [action.id for action in page.items]


FILTERED: dict[str, tuple[list[ActionFilter], str]] = {
    "id": ([IdFilter("9")], "9"),
    "id of another organisation": ([IdFilter("0")], ""),
    "id and NUL": ([IdFilter("9\0")], ""),
    "no id": ([IdFilter("")], ""),
    "inactive": ([INACTIVE], "12"),
    "active": ([ACTIVE], "73958"),
    "unspecified state": ([StateFilter(0)], ""),
    "state that there is not": ([StateFilter(77)], ""),
    "least number of an enum": ([StateFilter(-(2**31))], ""),
    "two states": ([ACTIVE, INACTIVE], ""),
    "two ids": ([IdFilter("9"), IdFilter("3")], ""),
    "one id twice": ([IdFilter("9"), IdFilter("9")], "9"),
    "id and another state": ([IdFilter("1"), ACTIVE], ""),
    "id and its state": ([IdFilter("1"), INACTIVE], "1"),
    "name and state": ([NameFilter("gre", ANYWHERE, True), INACTIVE], "1"),
    "two names": ([NameFilter("gre", ANYWHERE, True), NameFilter("_", ANYWHERE, False)], "9"),
    "all three": ([NameFilter("greet", WHOLE, True), IdFilter("7"), ACTIVE], "7"),
    "the same very often": ([ACTIVE] * 3000, "73958"),
}
"""Filters, and the ids of `NAMES` that they find."""


def test_every_kind_of_filter_is_tested() -> None:
    kinds: tuple[type[ActionFilter], ...] = ActionFilter.__args__
    assert {type(each) for filters, _ in FILTERED.values() for each in filters} == {*kinds}


class TestActionLists:
    @pytest.mark.parametrize(
        ("offset", "limit", "expected"),
        [
            pytest.param(0, 0, ["9", "7", "8", "1", "3"], id="all of them, in order of creation"),
            pytest.param(0, 2, ["9", "7"], id="limit"),
            pytest.param(3, 0, ["1", "3"], id="offset"),
            pytest.param(1, 3, ["7", "8", "1"], id="both"),
            pytest.param(0, 5, ["9", "7", "8", "1", "3"], id="limit at the end"),
            pytest.param(4, 10, ["3"], id="limit past the end"),
            pytest.param(5, 10, [], id="offset at the end"),
            pytest.param(2**64 - 1, 2**32 - 1, [], id="the largest numbers of the request"),
        ],
    )
    @pytest.mark.parametrize(
        "filters",
        [
            pytest.param((), id="unfiltered"),
            pytest.param((ACTIVE,), id="by state"),
            pytest.param((NameFilter("NAME", START, ignores_case=True),), id="by name"),
        ],
    )
    async def test_page_has_its_window_and_the_total_of_all_matches(
        self,
        store: Store,
        clock: HandClock,
        filters: tuple[ActionFilter, ...],
        offset: int,
        limit: int,
        expected: Sequence[str],
    ) -> None:
        await commit(store, *(an_action(number) for number in "97813"))
        clock.now += SECOND
        await commit(store, an_action("elsewhere", org_id="other"))
        query = ActionsQuery(filters=filters, offset=offset, limit=limit)
        page = await store.read(ActionsOf("org", query))
        assert [action.id for action in page.items] == expected
        assert (page.total, page.viewed_at) == (5, NOON + SECOND)

    async def test_page_of_an_empty_store(self, store: Store) -> None:
        page = await store.read(ActionsOf("org"))
        assert (page.items, page.total, page.viewed_at) == ([], 0, 0)

    @pytest.mark.parametrize(
        ("text", "match", "ignores_case", "expected"),
        [
            pytest.param("Greet", WHOLE, False, "7", id="equals"),
            pytest.param("greet", WHOLE, False, "", id="equals, another case"),
            pytest.param("gREET", WHOLE, True, "7", id="equals, case ignored"),
            pytest.param("", WHOLE, False, "", id="equals nothing"),
            pytest.param("gre", START, False, "39", id="starts with"),
            pytest.param("GRE", START, True, "739", id="starts with, case ignored"),
            pytest.param("GRE", START, False, "", id="starts with, another case"),
            pytest.param("re", START, True, "", id="what is inside does not start"),
            pytest.param("gre", ANYWHERE, False, "3915", id="contains"),
            pytest.param("GRE", ANYWHERE, True, "73915", id="contains, case ignored"),
            pytest.param("et", END, False, "71", id="ends with"),
            pytest.param("ET", END, True, "71", id="ends with, case ignored"),
            pytest.param("ET", END, False, "", id="ends with, another case"),
            pytest.param("x" * 200 + "et", END, False, "", id="ends with more than there is"),
            *(
                pytest.param("", match, ignores_case, "7391582", id=f"no text {match}")
                for match in (START, ANYWHERE, END)
                for ignores_case in (False, True)
            ),
            pytest.param("%", ANYWHERE, False, "3", id="percent is a letter"),
            pytest.param("%", END, True, "3", id="percent at the end is a letter"),
            pytest.param("gre_", START, False, "9", id="underscore is a letter"),
            pytest.param("g*", START, False, "", id="star is a letter"),
            pytest.param("[a-z]", ANYWHERE, False, "", id="brackets are letters"),
            pytest.param("\\", ANYWHERE, False, "", id="backslash is a letter"),
            pytest.param("'", ANYWHERE, False, "", id="quote is a letter"),
            pytest.param("\0", ANYWHERE, False, "1", id="NUL"),
            pytest.param("e\0e", ANYWHERE, True, "1", id="NUL within"),
            pytest.param("et", END, False, "71", id="end behind a NUL"),
            pytest.param("Ägre\0et", WHOLE, False, "1", id="equals with NUL"),
            pytest.param("Ägre", WHOLE, False, "", id="equals up to a NUL"),
            pytest.param("ä", START, True, "1", id="letter that is not ASCII, case ignored"),
            pytest.param("ä", START, False, "", id="letter that is not ASCII, another case"),
            pytest.param("a\u0308", ANYWHERE, True, "5", id="another normal form"),
            pytest.param("σας", WHOLE, True, "8", id="sigma at the end"),
            pytest.param("İSTANBUL", WHOLE, True, "2", id="letter that grows"),
            pytest.param("istanbul", WHOLE, True, "", id="letter that does not"),
        ],
    )
    async def test_name_is_compared_as_the_filter_says(
        self, store: Store, text: str, match: Match, ignores_case: bool, expected: str
    ) -> None:
        await filled(store)
        query = ActionsQuery(filters=(NameFilter(text, match, ignores_case),))
        page = await store.read(ActionsOf("org", query))
        assert [action.id for action in page.items] == [*expected]
        assert page.total == len(expected)

    @cases("filters, expected", FILTERED)
    async def test_all_filters_have_to_match(
        self, store: Store, filters: Sequence[ActionFilter], expected: str
    ) -> None:
        await filled(store)
        page = await store.read(ActionsOf("org", ActionsQuery(filters=(*filters,))))
        assert [action.id for action in page.items] == [*expected]
        assert page.total == len(expected)

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            pytest.param(Order.CREATION, "7391582", id="creation"),
            pytest.param(Order.NAME, "5973218", id="name"),
            pytest.param(Order.ID, "1235789", id="id"),
            pytest.param(Order.STATE, "1273958", id="state, then creation"),
        ],
    )
    async def test_list_is_sorted_and_backwards_is_the_same_order(
        self, store: Store, order: Order, expected: str
    ) -> None:
        await filled(store)
        assert await listed(store, ActionsQuery(order=order)) == [*expected]
        backwards = ActionsQuery(order=order, is_descending=True)
        assert await listed(store, backwards) == [*reversed(expected)]

    @pytest.mark.parametrize("order", Order)
    async def test_pages_of_a_sorted_list_repeat_and_miss_nothing(
        self, store: Store, order: Order
    ) -> None:
        await filled(store)
        whole = await listed(store, ActionsQuery(order=order))
        pages = [
            await listed(store, ActionsQuery(order=order, offset=offset, limit=2))
            for offset in range(0, 8, 2)
        ]
        assert [id for page in pages for id in page] == whole

    async def test_filters_and_orders_go_together(self, store: Store) -> None:
        """Each with each: what is sorted is what is found, in the order of the whole list."""
        await filled(store)
        filters: list[ActionFilter] = [
            IdFilter("9"),
            INACTIVE,
            *(NameFilter("Gre", match, ignores) for match in Match for ignores in (True, False)),
        ]
        found = {each: {*await listed(store, ActionsQuery(filters=(each,)))} for each in filters}
        for order, is_descending in product(Order, (True, False)):
            whole = await listed(store, ActionsQuery(order=order, is_descending=is_descending))
            for pair in combinations(filters, 2):
                both = found[pair[0]] & found[pair[1]]
                query = ActionsQuery(filters=pair, order=order, is_descending=is_descending)
                assert await listed(store, query) == [id for id in whole if id in both], query

    async def test_list_follows_every_change(self, store: Store) -> None:
        await filled(store)
        await commit(
            store,
            update_action("org", "7", "WELCOME"),
            update_action("org", "9", "GRE_TING"),
            DeleteAction("org", "3", ""),
            DeactivateAction("org", "8", ""),
            create_orgless_action("org", "4", "greeting%"),
        )
        by_name = ActionsQuery(filters=(NameFilter("gre", ANYWHERE, ignores_case=True),))
        assert await listed(store, by_name) == ["9", "1", "5", "4"]
        exact = ActionsQuery(filters=(NameFilter("GRE", ANYWHERE, ignores_case=False),))
        assert await listed(store, exact) == ["9"]
        assert await listed(store, ActionsQuery(filters=(INACTIVE,))) == ["1", "8", "2"]
        assert await listed(store, ActionsQuery(order=Order.NAME)) == [*"5942718"]
        assert (await store.read(ActionsOf("org", ActionsQuery(limit=1)))).total == 7
        assert (await store.read(ActionsOf("other"))).total == 1

    async def test_organisation_whose_actions_are_all_removed_has_none(self, store: Store) -> None:
        await commit(store, an_action("1"))
        await commit(store, DeleteAction("org", "1", ""), an_action("2"))
        await commit(store, DeleteAction("org", "2", ""))
        page = await store.read(ActionsOf("org"))
        assert (page.items, page.total) == ([], 0)
