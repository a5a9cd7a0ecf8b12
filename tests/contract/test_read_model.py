"""The contract of read models: each query has an answer, also in a store that has nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from server.store import read_model as queries
from server.store.engine import Store
from server.store.read_model import NO_FOOTPRINT, NOTHING_SET, Page, Query

ANSWERS: Mapping[Query[Any], object] = {
    queries.ActionById("1", "2"): None,
    queries.ActionsOf("1"): Page([], 0, 0),
    queries.FlowOf("1", 2): NOTHING_SET,
    queries.ActiveActions("1", 2, 4): [],
    queries.OrgById("1"): None,
    queries.OrgIdByName("Acme"): None,
    queries.FirstOrg(): None,
    queries.AllOrgs(): [],
    queries.Orgs(): Page([], 0, 0),
    queries.EndedOrgs(): [],
    queries.OrgFootprint("1"): NO_FOOTPRINT,
    queries.OrgRemains("1", 10, 10): [],
    queries.UserById("1"): None,
    queries.UserBySubject("ada"): None,
    queries.UsersOf("1"): [],
    queries.MemberOf("1", "2"): None,
    queries.MembersOf("1"): [],
    queries.InstanceOwners(): [],
    queries.MembershipsOf("1"): [],
    queries.TokenById("1"): None,
    queries.TokenByHash(bytes(32)): None,
    queries.TokensOf("1"): [],
    queries.SigningKeys(): [],
    queries.MachineKeyById("1"): None,
    queries.MachineKeyByVerifier(bytes(32)): None,
    queries.MachineKeysOf("1"): [],
    queries.SealedValuesOf("1", "secret"): [],
    queries.ValuesWithoutContent("1", "secret"): [],
    queries.SealedContent("1:secret:KEY"): None,
    queries.SealingKeys(): [],
}


@pytest.mark.parametrize("query", ANSWERS, ids=lambda query: type(query).__name__)
async def test_an_empty_store_answers_every_query(store: Store, query: Query[Any]) -> None:
    answer = await store.read(query)
    assert (list(answer) if isinstance(answer, tuple) else answer) == ANSWERS[query]


def test_every_query_is_asked() -> None:
    named = vars(queries).values()
    known = {each for each in named if isinstance(each, type) and issubclass(each, Query)}
    assert {type(query) for query in ANSWERS} == known - {Query}
