"""Runs each test of a suite on every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.engine import Store
from tests.contract.stores import STORES
from tests.support.clocks import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=STORES)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Store]:
    async with STORES[request.param](tmp_path / "data", clock) as store:
        yield store
