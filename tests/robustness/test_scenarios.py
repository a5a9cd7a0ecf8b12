"""Short forms of what `make robustness` does at full length (docs/robustness.md)."""

from pathlib import Path

import pytest
import uvloop

from tests.robustness.bodies import head, send_at_once
from tests.robustness.drain import Listener, drain
from tests.robustness.first_start import kill_first_starts
from tests.robustness.greedy import attack as attack_greedily
from tests.robustness.kill import kill
from tests.robustness.killed_commands import kill_imports, kill_rebuilds
from tests.robustness.killed_scripts import attack as attack_processes
from tests.robustness.raw import Client, request
from tests.robustness.refused import GROWN_MAX_MIB, grown_mib, kinds
from tests.robustness.scripts import MORE_MAX_MIB, attack
from tests.robustness.sites import Site
from tests.robustness.slow import flood, raise_descriptor_limit
from tests.robustness.slow_names import FETCH_MAX_S, SLOW_RUNS
from tests.robustness.slow_names import attack as attack_by_names
from tests.robustness.tokenless import beside, prepare
from tests.robustness.unread_log import STOP_MAX_S, leave_unread
from tests.robustness.web_servers import HEALTH_MAX_S
from tests.robustness.web_servers import attack as attack_by_sites
from tests.support.hostile_scripts import HOSTILE
from tests.support.real_server import ACTIONS, RealServer


@pytest.mark.parametrize("listener", ["http", "grpc", "grpc at the port of http"])
def test_sigterm_finishes_calls_in_flight(tmp_path: Path, listener: Listener) -> None:
    drained = drain(tmp_path / "data", listener, calls=60, call_s=0.3)
    assert (drained.answered, drained.status) == (60, 0)


def test_kill_loses_nothing_acknowledged_over_http(tmp_path: Path) -> None:
    outcomes = list(kill(tmp_path, kills=2, write_for_s=0.5, acknowledged_min=64))
    assert [outcome.what for outcome in outcomes if not outcome.is_reached] == []


@pytest.mark.timeout(240)  # some processes, one after another
def test_rebuilds_and_imports_that_are_killed_leave_all_or_nothing(tmp_path: Path) -> None:
    for number, scenario in enumerate((kill_rebuilds, kill_imports)):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcomes = list(scenario(folder, events=5_000, kills=3))
        assert [outcome.what for outcome in outcomes if not outcome.is_reached] == []


def test_a_first_start_that_is_killed_leaves_a_token_that_works(tmp_path: Path) -> None:
    outcomes = list(kill_first_starts(tmp_path, moments=[("lock", 0.0), ("owner.token.new", 0.0)]))
    assert [outcome.reached for outcome in outcomes] == ["2 of 2"]


def test_a_declared_body_is_refused_before_it_is_sent(site: Site) -> None:
    answer = site.send(head(site.server.token, is_chunked=False))
    assert answer is not None
    assert answer.status == 413
    assert answer.body == (
        b'{"code":8,"message":"the request body is larger than the limit of 1048576 bytes"}'
    )


def test_a_chunked_body_is_refused_while_it_is_sent(site: Site) -> None:
    octets = head(site.server.token, is_chunked=True)
    chunk = b"%x\r\n%s\r\n" % (1 << 16, b"a" * (1 << 16))
    clients = uvloop.run(send_at_once(site.server.http, octets, chunk, 4))
    assert [client.status for client in clients] == ["413"] * 4
    assert all(b'{"code":8,' in client.answer for client in clients)
    assert site.good_answer() == 200


def test_slow_heads_are_cut_while_good_callers_are_answered(site: Site) -> None:
    raise_descriptor_limit()
    good = request("GET", f"{ACTIONS}/{site.action}", token=site.server.token)
    drips, latencies_s = uvloop.run(flood(site.server.http, good, connections=200, seconds=6.5))
    assert sum(drip.closed_at is None for drip in drips) == 0
    assert len(latencies_s) > 100


def test_a_request_may_follow_a_refused_one_on_its_connection(site: Site) -> None:
    with Client(site.server.http) as client:
        client.send(request("POST", ACTIONS, b"[]", token=site.server.token))
        client.send(request("GET", "/healthz"))
        answers = [client.answer(), client.answer()]
    assert [answer and answer.status for answer in answers] == [400, 200]


def test_hostile_scripts_leave_others_served() -> None:
    seen = uvloop.run(attack([*HOSTILE[::8]]))
    assert seen.wrong == []
    assert len(seen.runs_s) > 10
    assert seen.after_mib < seen.before_mib + MORE_MAX_MIB


def test_a_process_for_scripts_that_is_killed_costs_one_run(tmp_path: Path) -> None:
    with RealServer(tmp_path / "data", "--no-access-log") as server:
        seen = uvloop.run(attack_processes(server, runs=200, a_kill=25))
    assert seen.wrong == []
    assert len(seen.killed) == 8
    assert seen.failed <= 8
    assert seen.counted == (200, seen.failed)


def test_loops_of_one_organisation_leave_another_served(tmp_path: Path) -> None:
    few = ("--no-access-log", "--script-workers", "2", "--script-queue", "20")
    with RealServer(tmp_path / "data", *few) as server:
        seen = uvloop.run(attack_greedily(server, greedy=60, seconds=1.5))
    assert seen.wrong == []
    assert set(seen.full) == {"json", "grpc", "grpc-web"}
    assert len(seen.quick_s) > 10


def test_a_log_that_nobody_reads_stops_nothing_and_every_line_is_accounted_for(
    tmp_path: Path,
) -> None:
    seen = leave_unread(tmp_path / "data", calls=3400)
    assert seen.wrong == []
    assert seen.dropped > 0
    assert seen.logged + seen.dropped == seen.calls - 3400
    assert seen.status == 0
    assert seen.stop_s <= STOP_MAX_S


def test_names_that_nobody_answers_for_delay_no_other_organisation(tmp_path: Path) -> None:
    seen = uvloop.run(attack_by_names(tmp_path / "data", seconds=1.5, with_new_key=False))
    assert seen.wrong == []
    assert seen.slow >= SLOW_RUNS
    assert max(seen.fetch_s) <= FETCH_MAX_S
    assert (seen.status, seen.stop_s <= STOP_MAX_S) == (0, True)


def test_refused_calls_hold_no_memory(site: Site) -> None:
    of_headers = [kind for kind in kinds(site.server.token, many=100) if kind.calls == 100]
    grown = {kind.what: grown_mib(site.server, kind) for kind in of_headers}
    assert len(grown) == 5
    assert {what: mib for what, mib in grown.items() if mib > GROWN_MAX_MIB} == {}


def test_callers_without_a_token_leave_others_served(tmp_path: Path) -> None:
    with RealServer(tmp_path / "data", "--no-access-log") as server:
        prepare(server)
        seen = beside(server, tokenless=24, seconds=1.5)
    assert seen.wrong == []
    assert seen.refused > 100
    assert seen.p99_ms < 1000


def test_hostile_web_servers_leave_the_service_answering(tmp_path: Path) -> None:
    seen = uvloop.run(attack_by_sites(tmp_path / "data", kinds=("103", "chunks"), timeout_s=1))
    assert seen.wrong == []
    assert all(len(of) > 5 for of in seen.health_s.values())
    assert max(sorted(of)[len(of) // 2] for of in seen.health_s.values()) <= HEALTH_MAX_S
