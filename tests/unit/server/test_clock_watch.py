"""A wall clock that is set while the service runs, or was wrong when it last ran."""

import asyncio

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server import clock_watch
from server.clock import elapsed_clock, text_of, wall_clock
from server.clock_watch import ClockWatch
from tests.support.clocks import NOON, SECOND, YEAR, HandClock

NOON_TEXT = "2023-11-14T22:13:20+00:00"


class Watched:
    """A watch over two clocks that a test sets."""

    def __init__(self) -> None:
        self.clock, self.elapsed = HandClock(NOON), HandClock(0)
        self.steps = 0
        self.watch = ClockWatch(self._stepped, clock=self.clock, elapsed=self.elapsed)

    def _stepped(self) -> None:
        self.steps += 1

    def look(self, *, after_s: float, step_s: float) -> list[EventDict]:
        """Returns the log of a look `after_s` later, after the clock was set by `step_s`."""
        self.elapsed.now += int(after_s * SECOND)
        self.clock.now += int((after_s + step_s) * SECOND)
        with capture_logs() as lines:
            self.watch.look()
        return lines


@pytest.mark.parametrize("step_s", [3.0, -3.0, 86400.0 * 365, -86400.0 * 365])
def test_step_is_logged_once_and_what_is_kept_is_forgotten(step_s: float) -> None:
    watched = Watched()
    (line,) = watched.look(after_s=5, step_s=step_s)
    assert (line["event"], line["log_level"]) == ("the clock was set", "warning")
    assert line["step_s"] == step_s
    assert watched.look(after_s=5, step_s=0) == []
    assert watched.steps == 1


@pytest.mark.parametrize("step_s", [0, 2.9, -2.9])
def test_clock_that_is_kept_right_is_not_logged(step_s: float) -> None:
    watched = Watched()
    assert watched.look(after_s=5, step_s=step_s) == []
    assert watched.look(after_s=86_400, step_s=step_s) == []
    assert watched.steps == 0


def test_clock_behind_the_last_event_is_logged() -> None:
    watched = Watched()
    with capture_logs() as lines:
        watched.watch.compare(NOON + 2 * SECOND)
        watched.watch.compare(NOON + YEAR)
        watched.watch.compare(0)
    assert lines == [
        {
            "event": "the clock is behind the last event: it is wrong now, or was then",
            "log_level": "warning",
            "now": NOON_TEXT,
            "last_event": "2024-11-13T22:13:20+00:00",
        }
    ]


async def test_it_looks_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_watch, "LOOK_S", 0.001)
    stepped = asyncio.Event()
    clock = HandClock(NOON)
    watch = ClockWatch(stepped.set, clock=clock, elapsed=lambda: 0)
    watch.start()
    try:
        with capture_logs():
            clock.now += YEAR
            async with asyncio.timeout(5):
                await stepped.wait()
    finally:
        await watch.close()


@pytest.mark.parametrize(
    ("time", "expected"),
    [(0, "1970-01-01T00:00:00+00:00"), (NOON, NOON_TEXT), (10**18, f"{10**18} us")],
)
def test_time_is_written_as_text(time: int, expected: str) -> None:
    assert text_of(time) == expected


def test_clocks_count_microseconds() -> None:
    before = wall_clock() - elapsed_clock()
    assert abs(wall_clock() - elapsed_clock() - before) < SECOND
