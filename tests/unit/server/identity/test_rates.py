"""Limits by key: a burst, then so many a second."""

from server.identity.rates import Rates
from tests.support.clocks import HOUR, SECOND, HandClock


def test_a_burst_is_admitted_then_so_many_a_second() -> None:
    clock = HandClock()
    rates = Rates(per_s=2, burst=3, clock=clock)
    assert [rates.admits("a") for _ in range(4)] == [True, True, True, False]
    clock.now += SECOND // 2 - 1
    assert not rates.admits("a")
    clock.now += 1
    assert [rates.admits("a") for _ in range(2)] == [True, False]
    clock.now += HOUR
    assert [rates.admits("a") for _ in range(4)] == [True, True, True, False]


def test_keys_do_not_count_for_each_other() -> None:
    rates = Rates(per_s=1, burst=1, clock=HandClock())
    assert [rates.admits(key) for key in "abab"] == [True, True, False, False]


def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer_than_a_burst() -> None:
    clock = HandClock()
    rates = Rates(per_s=1, burst=2, clock=clock)
    rates.admits("a")
    clock.now -= HOUR
    assert not rates.admits("a")
    clock.now += 2 * SECOND
    assert rates.admits("a")


def test_the_oldest_key_is_forgotten_when_memory_is_full() -> None:
    rates = Rates(per_s=1, burst=1, keys_max=2, clock=HandClock())
    assert [rates.admits(key) for key in "abcca"] == [True, True, True, False, True]
