"""A token of a page is the number that it was made of, or is refused."""

import pytest

from server.domain.refusals import Refusal
from server.services.page_tokens import number_of, page_token
from tests.support.tables import cases


@pytest.mark.parametrize("number", [1, 255, 256, 2**40, 2**63 - 1])
def test_a_token_is_read_back(number: int) -> None:
    assert number_of(page_token(number), "X") == number


def test_there_is_no_token_after_the_last_page() -> None:
    assert page_token(0) == ""


@cases(
    "token",
    {
        "text": "next",
        "a number": "17",
        "too short": "AAAA",
        "too long": page_token(1) + page_token(1),
        "zero": "AAAAAAAAAAA=",
        "beyond 63 bits": "gAAAAAAAAAA=",
        "another alphabet": "////////////",
        "not ASCII": "é",
    },
)
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as caught:
        number_of(token, "PLACE-Pt1ab")
    assert (caught.value.key, caught.value.id) == ("Errors.Query.PageTokenInvalid", "PLACE-Pt1ab")
