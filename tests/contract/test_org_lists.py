"""Every event store answers pages of organisations alike."""

from collections.abc import Sequence

import pytest

from server.commands.orgs import CreateOrg, RenameOrg
from server.commands.removal import RemoveOrg
from server.store.action_lists import Match, NameFilter
from server.store.engine import Store
from server.store.org_lists import ActiveFilter, DomainFilter, OrgFilter, OrgsQuery
from server.store.read_model import Orgs
from tests.contract.stores import an_action, commit
from tests.support.clocks import NOON, SECOND, HandClock
from tests.support.tables import cases

WHOLE, START, ANYWHERE, END = Match.WHOLE, Match.START, Match.ANYWHERE, Match.END

NAMES = {"7": "Acme", "3": "acme%", "9": "Übung", "1": "ΣΑΣ", "5": "Zoo"}
"""By id, in the order in which they are created."""


async def filled(store: Store) -> None:
    """The organisations, and an action that is called as one of them is."""
    await commit(store, *(CreateOrg(id, name, "") for id, name in NAMES.items()))
    await commit(store, an_action("0", org_id="7", name="Zoo"))


async def listed(store: Store, query: OrgsQuery) -> list[str]:
    return [org.id for org in (await store.read(Orgs(query))).items]


class TestOrgLists:
    @pytest.mark.parametrize(
        ("offset", "limit", "expected"),
        [
            pytest.param(0, 0, "73915", id="all"),
            pytest.param(0, 2, "73", id="limit"),
            pytest.param(3, 0, "15", id="offset"),
            pytest.param(1, 3, "391", id="both"),
            pytest.param(4, 10, "5", id="limit past the end"),
            pytest.param(5, 10, "", id="offset at the end"),
            pytest.param(2**64 - 1, 2**32 - 1, "", id="the largest numbers of the request"),
        ],
    )
    @pytest.mark.parametrize(
        "filters",
        [
            pytest.param((), id="unfiltered"),
            pytest.param((ActiveFilter(is_active=True),), id="by state"),
            pytest.param((NameFilter("", ANYWHERE, ignores_case=True),), id="by name"),
        ],
    )
    async def test_page_has_its_window_and_the_total_of_all_matches(
        self,
        store: Store,
        clock: HandClock,
        filters: tuple[OrgFilter, ...],
        offset: int,
        limit: int,
        expected: str,
    ) -> None:
        await filled(store)
        clock.now += SECOND
        await commit(store, an_action("later", org_id="7"))
        query = OrgsQuery(filters=filters, offset=offset, limit=limit)
        page = await store.read(Orgs(query))
        assert [org.id for org in page.items] == [*expected]
        assert (page.total, page.viewed_at) == (5, NOON + SECOND)

    async def test_page_of_an_empty_store(self, store: Store) -> None:
        page = await store.read(Orgs())
        assert (page.items, page.total, page.viewed_at) == ([], 0, 0)

    @pytest.mark.parametrize(
        ("text", "match", "ignores_case", "by_name", "by_domain"),
        [
            pytest.param("Acme", WHOLE, False, "7", "", id="equals"),
            pytest.param("acme", WHOLE, False, "", "7", id="equals, lower case"),
            pytest.param("aCME", WHOLE, True, "7", "7", id="equals, case ignored"),
            pytest.param("", WHOLE, True, "", "", id="equals nothing"),
            pytest.param("acm", START, False, "3", "73", id="starts with"),
            pytest.param("ACM", START, True, "73", "73", id="starts with, case ignored"),
            pytest.param("CM", ANYWHERE, False, "", "", id="contains, another case"),
            pytest.param("cm", ANYWHERE, False, "73", "73", id="contains"),
            pytest.param("UNG", END, True, "9", "9", id="ends with, case ignored"),
            pytest.param("OO", END, False, "", "", id="ends with, another case"),
            pytest.param("%", ANYWHERE, False, "3", "3", id="percent is a letter"),
            pytest.param("ü", START, True, "9", "9", id="letter that is not ASCII, case ignored"),
            pytest.param("ü", START, False, "", "9", id="letter that is not ASCII, lower case"),
            pytest.param("σας", WHOLE, True, "1", "1", id="sigma at the end"),
            pytest.param("'", ANYWHERE, False, "", "", id="quote is a letter"),
            pytest.param("", ANYWHERE, False, "73915", "73915", id="no text"),
        ],
    )
    async def test_name_and_domain_are_compared_as_the_filter_says(
        self,
        store: Store,
        text: str,
        match: Match,
        ignores_case: bool,
        by_name: str,
        by_domain: str,
    ) -> None:
        await filled(store)
        for kind, expected in ((NameFilter, by_name), (DomainFilter, by_domain)):
            query = OrgsQuery(filters=(kind(text, match, ignores_case),))
            page = await store.read(Orgs(query))
            assert [org.id for org in page.items] == [*expected]
            assert page.total == len(expected)

    @cases(
        "filters, expected",
        {
            "active": ([ActiveFilter(is_active=True)], "73915"),
            "not active": ([ActiveFilter(is_active=False)], ""),
            "name, and not active": (
                [NameFilter("acm", START, True), ActiveFilter(is_active=False)],
                "",
            ),
            "name and domain": (
                [NameFilter("A", START, False), DomainFilter("acme", START, False)],
                "7",
            ),
            "two names": ([NameFilter("Acme", WHOLE, False), NameFilter("Zoo", WHOLE, False)], ""),
            "the same very often": ([NameFilter("acm", START, True)] * 3000, "73"),
        },
    )
    async def test_all_filters_have_to_match(
        self, store: Store, filters: Sequence[OrgFilter], expected: str
    ) -> None:
        await filled(store)
        page = await store.read(Orgs(OrgsQuery(filters=(*filters,))))
        assert [org.id for org in page.items] == [*expected]
        assert page.total == len(expected)

    @pytest.mark.parametrize(
        ("is_by_name", "expected"),
        [
            pytest.param(False, "73915", id="creation"),
            pytest.param(True, "73591", id="folded name, by code points"),
        ],
    )
    async def test_list_is_sorted_backwards_and_in_pages(
        self, store: Store, is_by_name: bool, expected: str
    ) -> None:
        await filled(store)
        for is_descending, ids in ((False, expected), (True, expected[::-1])):
            query = OrgsQuery(is_by_name=is_by_name, is_descending=is_descending)
            assert await listed(store, query) == [*ids]
            pages = [
                await listed(
                    store,
                    OrgsQuery(
                        is_by_name=is_by_name, is_descending=is_descending, offset=offset, limit=2
                    ),
                )
                for offset in (0, 2, 4)
            ]
            assert [id for page in pages for id in page] == [*ids]

    async def test_list_follows_every_change(self, store: Store) -> None:
        await filled(store)
        await commit(store, RenameOrg("7", "Zebra", ""), RemoveOrg("3", None, ""))
        await commit(store, CreateOrg("4", "ACME", ""))
        assert await listed(store, OrgsQuery()) == [*"79154"]
        assert await listed(store, OrgsQuery(is_by_name=True)) == [*"47591"]
        named = OrgsQuery(filters=(NameFilter("acme", START, ignores_case=True),))
        assert await listed(store, named) == ["4"]
        assert (await store.read(Orgs(OrgsQuery(limit=1)))).total == 5
