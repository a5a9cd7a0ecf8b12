"""A line that clients can cause is logged once a minute."""

import pytest

from transcoder.http.seldom import Seldom


def test_a_line_is_due_at_once_and_then_a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    seldom, other = Seldom(), Seldom()
    due = []
    for now in (0.0, 0.1, 59.9, 60.0, 119.9, 500.0):  # noqa: B007  read by the clock above
        due.append(seldom.is_due())
    assert due == [True, False, False, True, False, True]
    assert other.is_due()
