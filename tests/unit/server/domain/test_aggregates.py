"""All aggregates: how they evolve, which names they own, what is removed with them."""

from dataclasses import replace

import pytest

from server.domain.aggregates import evolve, is_dependant, unique_names, user_key
from server.domain.events import RecordedEvent
from server.domain.org import Member, Org
from server.domain.user import Token, User

ORG = Org("o", "Acme", 1, 100, 100, 1)
USER = User("u", "o", "Ada", "de", "ada@issuer", 1, 100, 100, 2)
MEMBER = Member("o:u", "o", "u", ("ORG_OWNER",), 1, 100, 100, 3)
TOKEN = Token("t", "o", "u", b"\x01" * 32, "laptop", None, 1, 100, 100, 4)


def test_event_of_an_unknown_aggregate_is_an_error() -> None:
    event = RecordedEvent(9, "o", "flow", "1", 2, "flow.added", {}, "", 300)
    with pytest.raises(ValueError, match="event 9: unknown aggregate type 'flow'"):
        evolve(None, event)


def test_names_are_unique_without_regard_to_case_and_subjects_with_it() -> None:
    user = replace(USER, subject="Ada@Issuer")
    assert [unique_names(state) for state in (ORG, user, MEMBER, TOKEN)] == [
        (("org", "", "acme"),),
        (("user", "o", "ada"), ("subject", "", "Ada@Issuer")),
        (),
        (),
    ]
    assert unique_names(replace(USER, subject="")) == (("user", "o", "ada"),)


@pytest.mark.parametrize(
    ("state", "user_id", "expected"),
    [
        pytest.param(MEMBER, "u", True, id="membership"),
        pytest.param(TOKEN, "u", True, id="token"),
        pytest.param(TOKEN, "v", False, id="token of another user"),
        pytest.param(USER, "u", False, id="the user itself"),
    ],
)
def test_memberships_and_tokens_go_with_their_user(
    state: User | Member | Token, user_id: str, expected: bool
) -> None:
    assert is_dependant(state, user_key(user_id)) is expected
