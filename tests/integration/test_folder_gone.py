"""A data folder that is taken away while it is in use: nothing is written where nobody reads it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from structlog.testing import capture_logs

from server.app import Started
from server.store.errors import DataFolderInUse
from server.store.opening import open_store
from tests.robustness.storage import WAYS, moved
from tests.support.composition import running

ACTIONS: Final = "/management/v1/actions"
PATIENCE_S: Final = 10


def log_removed(data: Path) -> None:
    (data / "events.sqlite-wal").unlink()


class Caller:
    def __init__(self, started: Started, session: aiohttp.ClientSession) -> None:
        assert started.owner is not None
        self._headers = {"Authorization": f"Bearer {started.owner.token}"}
        self._session = session
        self._grpc = started.grpc_listen
        self._names = iter(range(1_000_000))

    async def create(self) -> tuple[int, Any]:
        action = {"name": f"a{next(self._names)}", "script": "s"}
        async with self._session.post(ACTIONS, json=action, headers=self._headers) as answer:
            return answer.status, await answer.json()

    async def readiness(self) -> tuple[int, int]:
        """Returns the status of /readyz, and what gRPC's health check says."""
        async with (
            self._session.get("/readyz") as answer,
            grpc.aio.insecure_channel(self._grpc) as channel,
        ):
            stub: Any = HealthStub(channel)
            said = await stub.Check(health_pb2.HealthCheckRequest())
            return answer.status, said.status

    async def until_ready(self, *, is_ready: bool) -> None:
        wanted = (200, 1) if is_ready else (503, 2)
        async with asyncio.timeout(PATIENCE_S):
            while await self.readiness() != wanted:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[Caller]:
    async with (
        running(data) as started,
        aiohttp.ClientSession(f"http://{started.listen}") as session,
    ):
        yield Caller(started, session)


@pytest.mark.parametrize("take_away", [*WAYS.values(), log_removed])
async def test_no_write_is_acknowledged_once_the_folder_is_gone(
    take_away: Callable[[Path], None], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with capture_logs() as lines:
        async with serving(data) as caller:
            await caller.until_ready(is_ready=True)
            assert (await caller.create())[0] == 200
            take_away(data)
            assert await caller.create() == (
                503,
                {"code": 14, "message": "storage is unavailable, try again"},
            )
            await caller.until_ready(is_ready=False)
    (line,) = [line for line in lines if line["event"] == "storage is unavailable"]
    assert line["log_level"] == "error"
    assert str(data) in line["reason"]
    assert "while in use; put the" in line["reason"]


async def test_a_folder_that_comes_back_is_served_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with serving(data) as caller:
        moved(data)
        await caller.until_ready(is_ready=False)
        data.with_name("data-moved").rename(data)
        await caller.until_ready(is_ready=True)
        assert (await caller.create())[0] == 200


async def test_a_folder_in_use_is_not_claimed_by_another_process(tmp_path: Path) -> None:
    async with serving(tmp_path / "data"):
        with pytest.raises(DataFolderInUse):
            await open_store(tmp_path / "data")
