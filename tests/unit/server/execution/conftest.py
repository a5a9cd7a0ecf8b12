"""One executor for all tests of a file, with real processes."""

from collections.abc import AsyncIterator

import pytest_asyncio

from server.execution.contract import Options
from server.execution.executor import Executor
from tests.unit.server.execution.runner import LOCAL, Runner


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Runner]:
    executor = Executor(Options(allow=LOCAL))
    await executor.start()
    yield Runner(executor)
    await executor.close()
