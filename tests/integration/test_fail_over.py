"""A database that is killed under load, and one that never comes back: nothing is lost."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support import waiting
from tests.support.postgresql import PostgresServer
from tests.support.real_server import ACTIONS, RealServer

pytestmark = pytest.mark.timeout(240)

WRITERS: Final = 4
BEFORE: Final = 60
"""Writes acknowledged before the primary is lost, at least."""
AGAIN_MAX_S: Final = 30.0
"""Max seconds until the service writes again, on a busy machine."""
ANSWER_MAX_S: Final = 60.0


class Cluster(NamedTuple):
    primary: PostgresServer
    standby: PostgresServer
    url: str


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Returns a primary and a standby, which has all that is acknowledged."""
    with (
        PostgresServer(is_durable=True) as primary,
        PostgresServer(is_durable=True, standby_of=primary) as standby,
    ):
        asyncio.run(primary.wait_for_standby())
        url = asyncio.run(primary.new_database())
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        yield Cluster(primary, standby, url.replace(f"127.0.0.1:{primary.port}", hosts))


class Writer(threading.Thread):
    """Makes actions until it is told to stop, whatever it is answered.

    Attributes:
        acknowledged: ids of actions.
        statuses: of all answers.
    """

    def __init__(self, server: RealServer, name: str) -> None:
        super().__init__(name=name)
        self.acknowledged: list[str] = []
        self.statuses: set[int] = set()
        self.is_stopped = threading.Event()
        self._server = server

    def run(self) -> None:
        number = 0
        while not self.is_stopped.is_set():
            number += 1
            action = {"name": f"{self.name} {number}", "script": "s"}
            status, text = self._server.answer("POST", ACTIONS, action, timeout_s=ANSWER_MAX_S)
            self.statuses.add(status)
            if status == 200:
                self.acknowledged.append(json.loads(text)["id"])


def until(holds: Callable[[], bool]) -> None:
    waiting.until(holds, within_s=AGAIN_MAX_S)


@contextlib.contextmanager
def writing(server: RealServer) -> Iterator[list[Writer]]:
    """Has writers write; they have ended after the block, and all they were promised is there."""
    writers = [Writer(server, f"writer {number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        until(lambda: acknowledged(writers) >= BEFORE)
        yield writers
    finally:
        for writer in writers:
            writer.is_stopped.set()
        for writer in writers:
            writer.join()
    assert set().union(*(writer.statuses for writer in writers)) == {200, 503}
    ids = [id for writer in writers for id in writer.acknowledged]
    paths = [f"{ACTIONS}/{id}" for id in ids]
    assert {server.answer("GET", path, timeout_s=ANSWER_MAX_S)[0] for path in paths} == {200}


def acknowledged(writers: Sequence[Writer]) -> int:
    return sum(len(writer.acknowledged) for writer in writers)


def is_ready(server: RealServer) -> bool:
    return server.answer("GET", "/readyz", timeout_s=ANSWER_MAX_S)[0] == 200


def test_a_standby_that_is_promoted_is_found_and_has_all_that_was_acknowledged(
    cluster: Cluster, tmp_path: Path
) -> None:
    with (
        RealServer(tmp_path / "data", database=cluster.url) as server,
        writing(server) as writers,
    ):
        cluster.primary.kill()
        until(lambda: not is_ready(server))
        before = acknowledged(writers)
        cluster.standby.promote()
        until(lambda: acknowledged(writers) > before)
        until(lambda: is_ready(server))


def test_a_database_killed_under_load_loses_nothing_acknowledged_each_time(tmp_path: Path) -> None:
    with PostgresServer(is_durable=True) as database:
        url = asyncio.run(database.new_database())
        with RealServer(tmp_path / "data", database=url) as server, writing(server) as writers:
            for _ in range(3):
                database.kill()
                until(lambda: not is_ready(server))
                before = acknowledged(writers)
                database.start()
                until(lambda before=before: acknowledged(writers) > before)  # type: ignore[misc]
                until(lambda: is_ready(server))
