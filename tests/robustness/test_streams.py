"""Short forms of what `make robustness` does with streams at full length (docs/robustness.md)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.robustness.bad_streams import sent
from tests.robustness.ended_streams import expire
from tests.robustness.large_files import MORE_MAX_MIB, PIECE_MAX_BYTES, move
from tests.robustness.leaving_streams import FORMS, leave
from tests.robustness.lost_upstreams import lose
from tests.robustness.overloaded_streams import OPTIONS, overloaded
from tests.robustness.readers import stop_reading
from tests.robustness.stream_hosts import Hosts, hosted


@pytest.fixture(scope="module", params=[False, True], ids=["in process", "forwarded"])
def hosts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    with hosted(folder, "--write-timeout-s", "3", is_proxy=request.param) as started:
        yield started


def test_large_streams_come_and_go_in_constant_memory(hosts: Hosts) -> None:
    moved = dict(move(hosts, 48))
    assert [what for what, each in moved.items() if not each.is_whole] == []
    assert max(each.piece_bytes for each in moved.values()) <= PIECE_MAX_BYTES
    assert max(each.more_mib for each in moved.values()) < MORE_MAX_MIB


def test_readers_of_streams_that_stop_hold_little_and_are_cut(hosts: Hosts) -> None:
    stopped = stop_reading(hosts, 20, patience_s=30.0)
    assert stopped.over_s < 30
    assert stopped.more_mib < 16
    assert stopped.good_answers == {200}


def test_streams_of_every_form_that_leave_at_once_leave_nothing_behind(hosts: Hosts) -> None:
    left = leave(hosts, [*FORMS.values()], streams=160, wave=160)
    assert left.ended == 160
    assert left.more_tasks <= 0
    assert hosts.logged() == []


def test_calls_of_every_form_tell_their_deadline_and_are_over(hosts: Hosts) -> None:
    _, _, wrong = expire(hosts, 1)
    assert (wrong, hosts.logged()) == ([], [])


def test_bad_streams_are_refused_in_their_protocol(hosts: Hosts) -> None:
    wrong, _ = sent(hosts, at_once=1, times=0)
    assert (wrong, hosts.logged()) == ([], [])


def test_calls_of_every_form_beyond_the_places_are_refused_in_their_protocol(
    tmp_path: Path,
) -> None:
    with hosted(tmp_path, *OPTIONS, is_proxy=False) as busy:
        _, seen, _ = overloaded(busy, seconds=1.5, peak_s=0.5)
    assert seen.wrong == []
    assert seen.both


def test_calls_of_every_form_tell_that_the_server_behind_is_lost(tmp_path: Path) -> None:
    with hosted(tmp_path, is_proxy=True) as forwarded:
        lost = lose(forwarded, down_s=0.1)
    assert (lost.wrong, lost.logged) == ([], [])
