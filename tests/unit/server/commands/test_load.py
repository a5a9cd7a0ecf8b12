"""The load of the process, by clocks of the test."""

import pytest

from server.commands.load import SMOOTHED_S, ProcessLoad


class Clocks:
    def __init__(self) -> None:
        self.wall = 100.0
        self.cpu = 5.0

    def load(self) -> ProcessLoad:
        return ProcessLoad(wall=lambda: self.wall, cpu=lambda: self.cpu)

    def go_on(self, seconds: float, *, busy: float) -> None:
        self.wall += seconds
        self.cpu += seconds * busy


@pytest.mark.parametrize("busy", [0.0, 0.5, 1.0, 1.7])
def test_a_steady_load_shows_as_it_is(busy: float) -> None:
    clocks = Clocks()
    load = clocks.load()
    clocks.go_on(10 * SMOOTHED_S, busy=busy)
    assert load.share() == pytest.approx(busy)


def test_a_short_burst_shows_in_part() -> None:
    clocks = Clocks()
    load = clocks.load()
    clocks.go_on(SMOOTHED_S / 4, busy=1)
    assert load.share() == pytest.approx(0.25)


def test_a_burst_that_lasts_shows_whole() -> None:
    clocks = Clocks()
    load = clocks.load()
    for _ in range(40):
        clocks.go_on(SMOOTHED_S / 4, busy=1)
        share = load.share()
    assert share == pytest.approx(1, abs=0.001)


def test_two_questions_at_one_moment_have_one_answer() -> None:
    clocks = Clocks()
    load = clocks.load()
    clocks.go_on(SMOOTHED_S, busy=0.5)
    assert load.share() == load.share() == pytest.approx(0.5)
