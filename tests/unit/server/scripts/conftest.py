"""One executor for all tests of a file, with real processes."""

from collections.abc import AsyncIterator

import pytest_asyncio

from server.scripts.contract import Options
from server.scripts.host.executor import Executor
from tests.unit.server.scripts.runner import LOCAL, Runner


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Runner]:
    executor = Executor(Options(allow=LOCAL))
    await executor.start()
    yield Runner(executor)
    await executor.close()
