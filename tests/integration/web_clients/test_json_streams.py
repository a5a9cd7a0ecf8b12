"""Streams as JSON in Chromium: fetch and EventSource, of a page on another origin."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.proto import echo_pb2
from tests.proto.echo_pb2 import EchoReply
from tests.support.grpcweb_fixture import COUNT, Echo, Server, serving
from tests.support.web_clients import Driver
from transcoder import EventOptions

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_S = 30.0
CONFIG = b"http: {rules: [{selector: echo.v1.Echo.Repeat, get: '/v1/repeat/{name}'}]}"
BUSY = {
    "code": 9,
    "message": "zu groß: 100%",
    "details": [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "BUSY",
            "domain": "größer",
        }
    ],
}


class Resumed(Echo):
    """Goes on behind the message whose id a client has, under the name "resumed"."""

    async def Repeat(self, request: echo_pb2.EchoRequest, context: Any) -> AsyncIterator[EchoReply]:
        if request.name != "resumed":
            async for reply in super().Repeat(request, context):
                yield reply
            return
        last = int(context.invocation_metadata().get("last-event-id", "0"))
        for index in (last + 1, last + 2):
            yield EchoReply(index=index)


@pytest_asyncio.fixture(loop_scope="module")
async def server(driver: Driver) -> AsyncIterator[Server]:
    events = EventOptions(retry_ms=1, ids={"echo.v1.Echo.Repeat": "index"})
    options = {"service_config": CONFIG, "events": events, "cors_origins": [driver.origin]}
    async with serving(Resumed(), **options) as server:
        yield server


async def test_an_event_source_goes_on_behind_its_last_event(
    driver: Driver, server: Server
) -> None:
    url = f"{server.url}/v1/repeat/resumed"
    seen = await driver.visit("chromium", "events", origin=driver.origin, url=url, until=5)
    assert seen == [["1", 1], ["2", 2], "end", ["3", 3], ["4", 4], "end", ["5", 5]]


async def test_an_event_source_is_told_of_a_failure(driver: Driver, server: Server) -> None:
    url = f"{server.url}/v1/repeat/n?count=1&case=CASE_ERROR"
    seen = await driver.visit("chromium", "events", origin=driver.origin, url=url, until=9)
    assert seen == [["1", 1], BUSY]


async def test_a_failure_before_the_first_event_ends_an_event_source(
    driver: Driver, server: Server
) -> None:
    url = f"{server.url}/v1/repeat/n?case=CASE_ERROR"
    seen = await driver.visit("chromium", "events", origin=driver.origin, url=url, until=9)
    assert seen == ["closed"]


async def test_fetch_reads_lines_as_they_come_and_leaves(driver: Driver, server: Server) -> None:
    url = f"{server.url}/v1/repeat/n?count=3&case=CASE_WAIT"
    seen = await driver.visit("chromium", "lines", origin=driver.origin, url=url, leaveAfter=3)
    assert [each["result"]["index"] for each in seen] == [1, 2, 3]
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["n"].wait()


async def test_fetch_takes_no_array_that_was_cut_for_a_whole_one(
    driver: Driver, server: Server
) -> None:
    asked = {"origin": driver.origin, "accept": "application/json"}
    url = f"{server.url}/v1/repeat/n?count=2"
    seen = await driver.visit("chromium", "whole", url=url, **asked)
    assert [each["index"] for each in seen] == [1, 2]
    seen = await driver.visit("chromium", "whole", url=f"{url}&case=CASE_ERROR", **asked)
    assert seen == {"error": "TypeError"}


async def test_fetch_sends_a_stream_of_lines(driver: Driver, server: Server) -> None:
    seen = await driver.visit(
        "chromium",
        "whole",
        origin=driver.origin,
        url=server.url + COUNT,
        accept="application/json",
        method="POST",
        type="application/x-ndjson",
        text='{"name":"a"}\n{"name":"b"}\n',
    )
    assert seen == {"index": 2}
