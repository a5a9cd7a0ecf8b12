"""`serve --workers`: processes that share the ports; one takes the place of one that died."""

import asyncio
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import run
from tests.support.metrics_page import metrics_of
from tests.support.postgresql import shared_server
from tests.support.real_server import ACTIONS, RealServer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)

WORKERS = 3
SERVING = "serving"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    url = asyncio.run(shared_server().new_database())
    options = ("--workers", str(WORKERS), "--log-format", "json")
    with RealServer(tmp_path / "data", *options, database=url) as server:
        until(lambda: server.log().count(f'"{SERVING}"') == WORKERS)
        yield server


def workers_that_answered(server: RealServer) -> set[int]:
    calls = (line for line in server.log().splitlines() if '"call"' in line)
    return {int(line.partition('"worker":')[2].rstrip("}")) for line in calls}


def is_exited(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_every_worker_answers_on_the_one_port(server: RealServer) -> None:
    action = server.new_action()

    def all_have_answered() -> bool:
        assert server.ask("GET", f"{ACTIONS}/{action}")["action"]["id"] == action
        return len(workers_that_answered(server)) == WORKERS

    until(all_have_answered)


def test_a_worker_that_is_killed_is_replaced_and_loses_nothing_acknowledged(
    server: RealServer,
) -> None:
    made: list[str] = []
    refused: list[str] = []
    stopped = threading.Event()

    def write(caller: int) -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            try:
                made.append(server.new_action(f"{caller} {number}"))
            except (OSError, AssertionError) as error:  # the connection that the worker had
                refused.append(str(error))

    callers = [threading.Thread(target=write, args=(caller,)) for caller in range(4)]
    for caller in callers:
        caller.start()
    until(lambda: len(made) > 40)
    os.kill(server.process.children()[1], signal.SIGKILL)
    before = len(made)
    until(lambda: len(made) > before + 40)
    until(lambda: server.log().count(f'"{SERVING}"') == WORKERS + 1)
    stopped.set()
    for caller in callers:
        caller.join()
    for action in made:
        assert server.ask("GET", f"{ACTIONS}/{action}")["action"]["id"] == action
    # A caller may meet the socket of a process twice or more while the system takes that down.
    assert len(refused) < 5 * len(callers)
    assert "worker ended, another starts" in server.log()


def test_the_end_of_the_command_drains_all_workers(server: RealServer) -> None:
    workers = server.process.children()
    assert len(workers) == WORKERS
    server.process.signal(signal.SIGTERM)
    assert server.process.wait() == 0
    assert server.log().count('"draining"') == WORKERS
    assert all(map(is_exited, workers))


def test_workers_end_with_a_command_that_is_killed(server: RealServer) -> None:
    workers = server.process.children()
    server.process.signal(signal.SIGKILL)
    until(lambda: all(map(is_exited, workers)))


def test_more_than_one_process_on_sqlite_is_refused(tmp_path: Path) -> None:
    outcome = run("serve", "--workers", "2", folder=tmp_path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        "error: --workers: expected database to be given, too, "
        "as only one process can write SQLite; or 1\n"
    )


def test_a_first_worker_that_cannot_start_ends_the_command(tmp_path: Path) -> None:
    database = f"{shared_server().url()}-absent"
    outcome = run("serve", "--workers", "2", "--database", database, folder=tmp_path)
    assert (outcome.status, outcome.out) == (1, "")
    shown = database.replace("actions@", "")
    assert outcome.err == f"error: event store {shown}: there is no such database (3D000)\n"


@pytest.fixture
def counted_server(tmp_path: Path) -> Iterator[RealServer]:
    """Serves by two workers, with a page of metrics."""
    url = asyncio.run(shared_server().new_database())
    options = ("--workers", "2", "--metrics-listen", "127.0.0.1:0", "--log-format", "json")
    with RealServer(tmp_path / "data", *options, database=url) as server:
        until(lambda: server.log().count(f'"{SERVING}"') == 2)
        yield server


def metrics(server: RealServer) -> dict[str, float]:
    (address, *others) = {*re.findall(r'"metrics_listen":"([^"]+)"', server.log())}
    assert others == []
    return asyncio.run(metrics_of(address))


def calls_of(counted: dict[str, float]) -> float:
    return counted.get(
        'actions_calls_total{code="OK",door="json",'
        'method="zitadel.management.v1.ManagementService/GetAction"}',
        0,
    )


def test_one_page_of_metrics_has_the_calls_of_all_workers(counted_server: RealServer) -> None:
    action = counted_server.new_action()
    called = 0
    while len(workers_that_answered(counted_server)) < 2 or called < 20:
        assert called < 1000
        counted_server.ask("GET", f"{ACTIONS}/{action}")
        called += 1
    counted = metrics(counted_server)
    assert calls_of(counted) == called
    assert (counted["actions_workers"], counted["actions_ready"]) == (2, 1)


def test_counts_do_not_fall_when_a_worker_is_killed_and_replaced(
    counted_server: RealServer,
) -> None:
    action = counted_server.new_action()

    def call() -> int:
        counted_server.ask("GET", f"{ACTIONS}/{action}")
        return len(workers_that_answered(counted_server))

    until(lambda: call() == 2)
    before = metrics(counted_server)
    os.kill(counted_server.process.children()[1], signal.SIGKILL)
    until(lambda: counted_server.log().count(f'"{SERVING}"') == 3)
    until(lambda: metrics(counted_server)["actions_workers"] == 2)
    after = metrics(counted_server)
    fallen = {
        name: (value, after.get(name))
        for name, value in before.items()
        if re.search(r"_(total|bucket|sum|count)(\{|$)", name) and after.get(name, 0) < value
    }
    assert fallen == {}
    counted_server.ask("GET", f"{ACTIONS}/{action}")
    assert calls_of(metrics(counted_server)) == calls_of(before) + 1


def test_an_address_of_metrics_that_is_taken_ends_the_command(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ("--workers", "2", "--metrics-listen", address)
        outcome = run("serve", *options, "--database", shared_server().url(), folder=tmp_path)
    assert outcome.status == 1
    assert "--metrics-listen" in outcome.err
