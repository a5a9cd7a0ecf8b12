"""Two services on one PostgreSQL, in short: `make robustness` asks for more, and for seconds."""

from pathlib import Path

import pytest

from tests.robustness.event_order import follow_writers
from tests.robustness.rolling_restart import roll
from tests.robustness.two_services import pair, refusals_s, write_under_kills

pytestmark = pytest.mark.timeout(180)


def test_tokens_revoked_by_one_service_are_refused_by_the_other(tmp_path: Path) -> None:
    with pair(tmp_path) as services:
        assert len(refusals_s(services, 20)) == 20


def test_a_service_that_is_killed_costs_its_callers_one_retry_and_nothing_written(
    tmp_path: Path,
) -> None:
    written = write_under_kills(tmp_path, kills=1, seconds_a_kill=1.5)
    assert written.failed == []
    assert len(written.acknowledged) > 20
    assert written.retried > 0


def test_a_reader_that_follows_misses_no_event_of_either_service(tmp_path: Path) -> None:
    read, stored = follow_writers(tmp_path, events=1_000)
    assert len(stored) >= 1_000
    assert read == stored


def test_services_restarted_in_turn_fail_no_call_that_is_asked_twice(tmp_path: Path) -> None:
    seen = roll(tmp_path, restarts=2)
    assert seen.failed == []
    assert seen.statuses == [0, 0]
    assert seen.calls > 100
    assert seen.retried > 0
