"""Lists of organisations in SQLite: the indexes that are used."""

import pytest

from server.store.action_lists import Match, NameFilter
from server.store.org_lists import DomainFilter, OrgFilter, OrgsQuery
from server.store.sqlite import org_lists
from tests.unit.server.store.sqlite.conftest import Plan

ORG_OF_NAME = "SEARCH orgs USING INDEX sqlite_autoindex_orgs_1 (id=?)"
NAMES = "SEARCH names USING PRIMARY KEY (scope=? AND org_id=?)"
ONE_NAME = "SEARCH names USING PRIMARY KEY (scope=? AND org_id=? AND name=?)"
SORTED = "USE TEMP B-TREE FOR ORDER BY"


def filtered(*filters: OrgFilter, is_by_name: bool = False) -> OrgsQuery:
    return OrgsQuery(filters=filters, is_by_name=is_by_name)


PART = NameFilter("a", Match.ANYWHERE, ignores_case=True)
WHOLE = NameFilter("a", Match.WHOLE, ignores_case=False)
DOMAIN = DomainFilter("a", Match.WHOLE, ignores_case=False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(filtered(), ["SCAN orgs"], id="creation"),
        pytest.param(filtered(is_by_name=True), [NAMES, ORG_OF_NAME], id="by name"),
        pytest.param(filtered(PART, is_by_name=True), [NAMES, ORG_OF_NAME], id="part, by name"),
        pytest.param(filtered(PART), [NAMES, ORG_OF_NAME, SORTED], id="part of the name"),
    ],
)
def test_page_is_read_by_the_index_of_names_and_sorted_only_by_creation(
    plan: Plan, query: OrgsQuery, expected: list[str]
) -> None:
    assert plan(org_lists.page(query)) == expected


@pytest.mark.parametrize("asked", [WHOLE, DOMAIN])
def test_filter_that_finds_one_is_what_is_looked_up(plan: Plan, asked: OrgFilter) -> None:
    assert plan(org_lists.page(filtered(asked)))[:2] == [ONE_NAME, ORG_OF_NAME]
