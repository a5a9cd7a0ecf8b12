"""Which pages are logged as kept out, how often, and how many are remembered."""

import logging

import pytest

from transcoder.http import refused_pages
from transcoder.http.refused_pages import ORIGINS_MAX, RefusedPages

PAGE = "https://app.example"
LINE = "refused a page of https://app.example: not one of cors_origins"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(refused_pages, "time", clock)
    return clock


def test_an_origin_has_a_line_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    pages = RefusedPages()
    for _ in range(3):
        pages.add(PAGE)
    clock.now += 59.9
    pages.add(PAGE)
    assert caplog.messages == [LINE]
    clock.now += 0.2
    pages.add(PAGE)
    assert caplog.messages == [LINE, LINE]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_each_origin_has_its_own_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    pages = RefusedPages()
    pages.add(PAGE)
    clock.now += 30
    pages.add("https://b.example")
    clock.now += 30
    pages.add("https://b.example")
    pages.add(PAGE)
    assert [message.split()[4] for message in caplog.messages] == [
        "https://app.example:",
        "https://b.example:",
        "https://app.example:",
    ]


def test_made_up_origins_fill_neither_the_log_nor_the_memory(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    pages = RefusedPages()
    for number in range(ORIGINS_MAX * 3):
        pages.add(f"https://{number}.example" + "x" * 10_000)
    assert len(caplog.messages) == ORIGINS_MAX
    assert max(map(len, caplog.messages)) < 400
    clock.now += 60
    for number in range(ORIGINS_MAX * 3):
        pages.add(f"https://{number}.example")
    assert len(caplog.messages) == 2 * ORIGINS_MAX
