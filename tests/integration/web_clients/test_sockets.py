"""Calls over the WebSocket of Chromium and of Node: both ways, with a token, from any site."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.grpcweb_fixture import REPEAT, SAY, TALK, Server, serving
from tests.support.token_guard import TOKEN, TokenGuard
from tests.support.web_clients import Driver

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITH_METADATA = "grpc-transcoder.v1+metadata"
GUARDED = f'{{"authorization": "{TOKEN}"}}'
FIRST = {"headers": {"x-first": ["1"], "x-first-bin": ["AP8"]}}
DONE = {"status": {"code": 0}, "trailers": {"x-name": ["plain"], "x-name-bin": ["Z3LDtsOfZXI"]}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(driver: Driver) -> AsyncIterator[Server]:
    async with serving(cors_origins=[driver.origin], interceptors=[TokenGuard()]) as server:
        yield server


async def talk(
    driver: Driver, where: str, url: str, sent: Sequence[object], *, protocol: str = WITH_METADATA
) -> dict[str, object]:
    """Returns what the client saw; its subprotocol is None if nothing opened."""
    origin = driver.foreign if where == "foreign" else driver.origin
    seen: dict[str, object] = await driver.visit(
        where, "converse", origin=origin, url=url, protocols=[protocol], sent=sent
    )
    return seen


@pytest.mark.parametrize("where", ["chromium", "node"])
async def test_messages_go_both_ways_at_once(driver: Driver, server: Server, where: str) -> None:
    sent = [GUARDED, '{"name":"größer"}', '{"name":"b"}', ""]
    assert await talk(driver, where, server.url + TALK, sent) == {
        "protocol": WITH_METADATA,
        "got": [
            {"result": {"name": "größer", "index": 1}},
            {"result": {"name": "b", "index": 1}},
            {"status": {"code": 0}},
        ],
        "code": 1000,
        "reason": "OK",
        "wasClean": True,
    }


@pytest.mark.parametrize("where", ["chromium", "node"])
async def test_protobuf_comes_as_octets(driver: Driver, server: Server, where: str) -> None:
    request = EchoRequest(name="a", count=2, size=70_000).SerializeToString()
    protocol = "grpc-transcoder.v1+proto+metadata"
    seen = await talk(
        driver, where, server.url + REPEAT, [GUARDED, list(request)], protocol=protocol
    )
    replies = [
        list(EchoReply(name="a", index=index, payload=b"x" * 70_000).SerializeToString())
        for index in (1, 2)
    ]
    assert (seen["got"], seen["code"]) == ([FIRST, *replies, DONE], 1000)


@pytest.mark.parametrize("where", ["chromium", "node"])
async def test_a_refused_call_tells_why(driver: Driver, server: Server, where: str) -> None:
    assert await talk(driver, where, server.url + SAY, ["{}", "{}"]) == {
        "protocol": WITH_METADATA,
        "got": [{"status": {"code": 16, "message": "who are you?"}}],
        "code": 4016,
        "reason": "UNAUTHENTICATED",
        "wasClean": True,
    }


async def test_a_foreign_page_opens_nothing(driver: Driver, server: Server) -> None:
    calls = len(server.servicer.seen)
    seen = await talk(driver, "foreign", server.url + SAY, [GUARDED, "{}"])
    assert (seen["protocol"], seen["got"], seen["code"]) == (None, [], 1006)
    assert len(server.servicer.seen) == calls
