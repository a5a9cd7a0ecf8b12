"""The limit of all bodies together, and refusals above it."""

import grpc
import pytest

from transcoder.errors import SchemaError, TranscodeError
from transcoder.http.ceiling import Ceiling, Held
from transcoder.options import Limits


@pytest.fixture
def ceiling() -> Ceiling:
    return Ceiling(max_bytes=1000, small_bytes=100)


def is_refused(held: Held, count: int) -> bool:
    with pytest.raises(TranscodeError) as caught:
        held.take(count)
    return caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_body_holds_what_it_takes_until_its_block_ends(ceiling: Ceiling) -> None:
    with Held(ceiling) as held:
        held.take(300)
        held.take(200)
        assert ceiling.held_bytes == 500
    assert ceiling.held_bytes == 0


def test_large_bodies_leave_a_quarter_to_small_ones(ceiling: Ceiling) -> None:
    with Held(ceiling) as large, Held(ceiling) as second, Held(ceiling) as small:
        large.take(700)
        assert is_refused(second, 101)
        second.take(50)
        small.take(100)
        assert is_refused(second, 51)
        assert ceiling.held_bytes == 850


def test_nothing_is_held_above_the_ceiling(ceiling: Ceiling) -> None:
    with Held(ceiling) as large, Held(ceiling) as first, Held(ceiling) as second:
        large.take(750)
        first.take(100)
        second.take(100)
        with Held(ceiling) as third:
            third.take(50)
            assert is_refused(third, 1)
            assert ceiling.held_bytes == 1000
        assert ceiling.held_bytes == 950


def test_a_body_that_is_refused_gives_back_what_it_held(ceiling: Ceiling) -> None:
    with Held(ceiling) as held:
        held.take(600)
        assert is_refused(held, 200)
    assert ceiling.held_bytes == 0


def test_a_ceiling_below_one_body_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match="limit bodies_max_bytes: expected room for one body"):
        Limits(bodies_max_bytes=5 << 20)
