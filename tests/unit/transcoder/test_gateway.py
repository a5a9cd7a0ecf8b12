"""The command serves on the fastest event loop that is installed."""

import asyncio
import sys

import pytest
import uvloop

from transcoder.gateway import event_loop


@pytest.mark.parametrize("is_installed", [True, False])
def test_uvloop_is_taken_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    if not is_installed:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = event_loop()
    loop.close()
    assert isinstance(loop, uvloop.Loop) == is_installed
    assert isinstance(loop, asyncio.AbstractEventLoop)
