from collections.abc import Callable, Iterator

import pytest

from server.domain.refusals import Kind, Refusal
from server.ids import EPOCH_US, UNIT_US, IdGenerator, made_at
from tests.support.clocks import NOON, YEAR, HandClock
from tests.support.tables import cases


def still() -> int:
    return 0


def telling(*times: int) -> Callable[[], int]:
    told: Iterator[int] = iter(times)
    return lambda: next(told)


@pytest.mark.parametrize(
    ("machine_id", "now", "expected"),
    [
        pytest.param(0, NOON, "240759760486400000", id="counter and machine id 0"),
        pytest.param(1, NOON, "240759760486400001", id="machine id in the lowest bits"),
        pytest.param(65535, NOON, "240759760486465535", id="the largest machine id"),
        pytest.param(0, NOON + 9_999, "240759760486400000", id="the same 10 ms"),
        pytest.param(0, NOON + 10_000, "240759760503177216", id="the next 10 ms"),
    ],
)
def test_id_is_time_counter_and_machine_id(machine_id: int, now: int, expected: str) -> None:
    assert IdGenerator(machine_id, clock=lambda: now, elapsed=still).next() == expected


def test_second_id_of_the_same_10_ms_counts() -> None:
    ids = IdGenerator(7, clock=lambda: NOON, elapsed=still)
    assert [ids.next(), ids.next()] == ["240759760486400007", "240759760486465543"]


def test_ids_increase_when_the_clock_steps_back() -> None:
    ids = IdGenerator(0, clock=telling(NOON, NOON - 3_600_000_000, NOON + 10_000), elapsed=still)
    assert [ids.next(), ids.next(), ids.next()] == [
        "240759760486400000",
        "240759760486465536",
        "240759760503177216",
    ]


def test_time_goes_on_from_where_it_was_when_the_clock_steps_back() -> None:
    clock, elapsed = HandClock(NOON), HandClock(0)
    ids = IdGenerator(0, clock=clock, elapsed=elapsed)
    first = ids.next()
    clock.now -= 3_600_000_000
    elapsed.now += 10_000
    assert [first, ids.next()] == ["240759760486400000", "240759760503177216"]


def test_ids_are_made_on_and_on_after_a_year_ahead() -> None:
    clock, elapsed = HandClock(NOON + YEAR), HandClock(0)
    ids = IdGenerator(0, clock=clock, elapsed=elapsed)
    ids.next()
    clock.now = NOON
    made = []
    for _ in range(6_002):
        elapsed.now += 10_000
        made += [ids.next() for _ in range(256)]
    assert len(set(made)) == 6_002 * 256


def test_257th_id_of_10_ms_runs_ahead_of_the_clock() -> None:
    ids = IdGenerator(0, clock=lambda: NOON, elapsed=still)
    made = [ids.next() for _ in range(257)]
    assert made[256] == "240759760503177216"
    assert sorted(set(made)) == made


def test_ids_never_run_more_than_a_minute_ahead() -> None:
    ids = IdGenerator(0, clock=lambda: NOON, elapsed=still)
    for _ in range(6_001 * 256):
        ids.next()
    with pytest.raises(Refusal) as refused:
        ids.next()
    assert refused.value.kind is Kind.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("machine_id", [-1, 65536])
def test_machine_id_is_16_bits(machine_id: int) -> None:
    with pytest.raises(ValueError, match=r"machine id: expected 0 to 65535, got -?\d+"):
        IdGenerator(machine_id)


def test_an_id_tells_when_it_was_made() -> None:
    id = IdGenerator(5, clock=lambda: EPOCH_US + 7 * UNIT_US + 1, elapsed=lambda: 0).next()
    later = f"{int(id) + (10**10 << 24):018d}"
    assert made_at(later) == EPOCH_US + (10**10 + 7) * UNIT_US


@cases("id", {"short": "1", "long": "1" * 19, "no digits": "x" * 18, "other digits": "\u0661" * 18})
def test_an_id_of_another_form_tells_nothing(id: str) -> None:
    assert made_at(id) is None
