"""The clients, started once for all the tests of a module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.web_clients import Driver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver() -> AsyncIterator[Driver]:
    async with Driver.started() as driver:
        yield driver
