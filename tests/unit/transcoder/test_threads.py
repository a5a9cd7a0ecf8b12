"""Work that waits for a thread, when nobody waits for it any more."""

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from tests.support.parity import CHECK, GivenCall
from transcoder.backends import plain_handlers
from transcoder.backends.plain_handlers import PlainHandlers
from transcoder.backends.servicer_context import ServicerContext
from transcoder.http.offload import Offload


class Request:
    """Held by whoever refers to it."""


Run = Callable[[Callable[..., Any], object], Awaitable[Any]]


def offloaded() -> tuple[Run, Callable[[], None]]:
    offload = Offload()
    return lambda work, request: offload.request(work, request), offload.close


def plain() -> tuple[Run, Callable[[], None]]:
    handlers = PlainHandlers()

    async def run(work: Callable[..., Any], request: object) -> object:
        call = GivenCall(CHECK, health_pb2.HealthCheckRequest())
        return await handlers.unary(
            lambda given, _: work(given), request, call, ServicerContext(call)
        )

    return run, handlers.close


@pytest.mark.parametrize("start", [offloaded, plain])
async def test_cancelled_work_holds_no_request_until_a_thread_is_free(
    start: Callable[[], tuple[Run, Callable[[], None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_handlers, "THREADS_MAX", 1)
    run, close = start()
    may_end = threading.Event()
    first = asyncio.ensure_future(run(lambda _: may_end.wait(10), None))
    request = Request()
    held = weakref.ref(request)
    second = asyncio.ensure_future(run(id, request))
    del request
    await asyncio.sleep(0)
    assert held() is not None
    second.cancel()
    await asyncio.wait([second])
    assert second.cancelled()
    del second
    assert held() is None
    may_end.set()
    assert await first is True
    close()
