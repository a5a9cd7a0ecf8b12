"""Commits on PostgreSQL that are cut, in short: `make robustness` cuts more."""

from pathlib import Path

from tests.robustness.cut_commits import PLACES, Place, cut_at, cut_at_random, race
from tests.support.postgresql import shared_server
from tests.support.tables import cases


async def test_a_commit_that_is_cut_at_any_moment_is_whole_or_absent(tmp_path: Path) -> None:
    cuts = await cut_at_random(tmp_path, await shared_server().new_database(), cut=20)
    assert len(cuts.cut) == 20
    assert (cuts.partial, cuts.lost) == ([], [])


@cases("place, kept", {what: (place, bool(due)) for what, (place, due) in PLACES.items()})
async def test_a_commit_that_is_cut_at_a_step_is_whole_or_absent(
    *, tmp_path: Path, place: Place, kept: bool
) -> None:
    cuts = await cut_at(tmp_path, await shared_server().new_database(), place, times=3)
    assert (len(cuts.acknowledged), len(cuts.cut)) == (3, 3)
    assert (cuts.partial, cuts.lost, cuts.kept) == ([], [], 3 if kept else 0)


async def test_of_many_writers_of_one_change_one_makes_it(tmp_path: Path) -> None:
    assert await race(tmp_path, await shared_server().new_database(), rounds=3) == [1, 1, 1]
