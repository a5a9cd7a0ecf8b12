"""The instance keeps an owner, as a batch sees it."""

from dataclasses import replace

import pytest

from server.commands.batch import Batch
from server.commands.owners import RemainingOwner, is_owned_without, keys_of
from server.domain.aggregates import Key, State, member_key, org_key, user_key
from server.domain.org import Member, Org
from server.domain.user import User
from server.store.log import LoadedFacts

ORG = Org("o", "Acme", 1, 100, 100, 1)
HOME = Org("h", "Home", 1, 100, 100, 2)
USER = User("u", "h", "Ada", "", "", 1, 100, 100, 3)
MEMBER = Member("o:u", "o", "u", ("ORG_OWNER", "IAM_OWNER"), 1, 100, 100, 4)
OWNER = RemainingOwner(MEMBER, "h")
NEEDED: dict[Key, State | None] = {
    org_key("o"): ORG,
    org_key("h"): HOME,
    user_key("u"): USER,
    member_key("o:u"): MEMBER,
}


def facts(changed: dict[Key, State | None] | None = None) -> Batch:
    return Batch(LoadedFacts(NEEDED | (changed or {}), {}, {}, 5, 200))


@pytest.mark.parametrize("key", NEEDED)
def test_an_owner_does_not_outlive_what_it_needs(key: Key) -> None:
    assert key in keys_of(OWNER)
    assert not is_owned_without(key, OWNER, facts())
    assert not is_owned_without(user_key("v"), OWNER, facts({key: None}))


@pytest.mark.parametrize(
    "key", [user_key("o"), org_key("u"), member_key("h:u")], ids=lambda key: ":".join(key)
)
def test_an_owner_stays_when_something_else_goes(key: Key) -> None:
    assert is_owned_without(key, OWNER, facts())


def test_a_member_with_other_roles_is_no_owner_any_more() -> None:
    viewer = replace(MEMBER, roles=("IAM_OWNER_VIEWER", "ORG_OWNER"))
    assert not is_owned_without(user_key("v"), OWNER, facts({member_key("o:u"): viewer}))


def test_where_there_is_no_owner_none_can_be_lost() -> None:
    assert keys_of(None) == ()
    assert is_owned_without(org_key("o"), None, facts())
