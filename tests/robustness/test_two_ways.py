"""Nothing tells a request that is read without aiohttp from one that aiohttp reads."""

from unittest import mock

import pytest

from tests.conformance.ways import CHUNK, compare
from transcoder.http import whole_requests


@pytest.mark.parametrize("first", [0, CHUNK, 2 * CHUNK])
def test_both_ways_answer_alike(first: int) -> None:
    assert compare(first, CHUNK).failures == []


def test_a_way_that_takes_what_it_must_not_is_noticed() -> None:
    with mock.patch.object(whole_requests, "_is_plain", return_value=True):
        assert compare(0, CHUNK).failures != []
