"""Connections are tested under both event loops: they differ in when they write and close.

And by both ways of reading: requests that arrive whole may be read without aiohttp.
"""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=["whole", "aiohttp"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "aiohttp":
        monkeypatch.setattr("transcoder.http.server.IS_AVAILABLE", False)
