"""A PostgreSQL that is killed or refuses, in short: `make robustness` asks for more."""

from pathlib import Path

import pytest

from tests.robustness.lost_databases import Written, write_under_fail_over, write_under_kills
from tests.robustness.refusing_databases import REFUSALS, refuse

pytestmark = pytest.mark.timeout(240)


def check(written: Written) -> None:
    assert written.wrong == []
    assert written.lost == []
    assert written.is_same
    assert len(written.acknowledged) > 60
    assert written.answers["503"] > 0
    assert written.answers["UNAVAILABLE"] > 0


def test_a_standby_that_is_promoted_is_found_and_has_all_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    check(write_under_fail_over(tmp_path, seconds=0.5))


def test_a_database_killed_under_load_loses_nothing_acknowledged_each_time(tmp_path: Path) -> None:
    written = write_under_kills(tmp_path, kills=3, seconds_a_kill=0.2)
    check(written)
    assert len(written.again_s) == 3


@pytest.mark.parametrize("what", ["read-only", "out of connections"])
def test_reads_go_on_while_a_database_refuses_and_writes_do_afterwards(
    tmp_path: Path, what: str
) -> None:
    refusal = REFUSALS[what]
    seen = refuse(tmp_path, refusal)
    assert refusal.writes >= {*seen.meanwhile.writes}
    assert refusal.reads >= {*seen.meanwhile.reads}
    assert seen.afterwards.all == {"200", "OK"}
    assert seen.found == set()
    assert seen.is_same
