"""Streams of responses as JSON, by both ways of reading: how they end, and who leaves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.grpcweb_fixture import Server, serving
from tests.support.json_streams import (
    ARRAY,
    BUSY,
    EVENTS,
    NDJSON,
    WAIT_S,
    asked,
    call,
    chunk_of,
    connected,
    head_of,
)
from tests.support.tables import cases
from transcoder import Limits


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(cors_origins=["https://app.example"]) as running:
        yield running


@cases(
    "accept, expected",
    {
        "lines": (NDJSON, b'{"result":{"name":"n","index":1}}\n{"error":%b}\n' % BUSY),
        "events": (
            EVENTS,
            b'retry: 3000\n\ndata: {"name":"n","index":1}\n\nevent: error\ndata: %b\n\n' % BUSY,
        ),
    },
)
async def test_a_failure_after_a_message_is_the_end_of_the_stream(
    server: Server, accept: str, expected: bytes
) -> None:
    answer = await call(server, Accept=accept, count=1, case="CASE_ERROR")
    assert (answer.status, answer.body, answer.is_cut) == (200, expected, False)


async def test_an_array_that_fails_is_reset_for_a_client_without_chunks(server: Server) -> None:
    request = asked(Accept=ARRAY, count=2, case="CASE_ERROR").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with pytest.raises(ConnectionResetError):
        async with connected(server, request) as (reader, _):
            await reader.read()


async def test_an_array_that_fails_is_cut(server: Server) -> None:
    answer = await call(server, Accept=ARRAY, count=2, case="CASE_ERROR")
    assert answer.is_cut
    assert answer.body == b'[{"name":"n","index":1},{"name":"n","index":2}'


async def test_trailing_metadata_is_trailers_for_clients_that_take_them(server: Server) -> None:
    answer = await call(server, count=1, TE="trailers, deflate;q=0.5")
    assert answer.trailers == {
        "grpc-trailer-x-name": "plain",
        "grpc-trailer-x-name-bin": "Z3LDtsOfZXI",
    }
    assert (await call(server, count=1)).trailers == {}


async def test_a_deadline_ends_a_stream_after_its_messages(server: Server) -> None:
    said: dict[str, Any] = {"count": 1, "case": "CASE_WAIT", "Grpc_Timeout": "400m"}
    answer = await call(server, **said)
    assert answer.body == (
        b'{"result":{"name":"n","index":1}}\n{"error":{"code":4,"message":"Deadline Exceeded"}}\n'
    )
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["n"].wait()


@pytest.mark.parametrize("accept", [NDJSON, ARRAY, EVENTS])
async def test_a_client_that_leaves_cancels_its_call(server: Server, accept: str) -> None:
    request = asked(Accept=accept, count=1, case="CASE_WAIT")
    async with connected(server, request) as (reader, _):
        await head_of(reader)
        assert b'{"name":"n","index":1}' in await chunk_of(reader)
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["n"].wait()
        await server.servicer.ended["n"].wait()


async def test_a_reader_that_stops_holds_the_handler_and_is_cut() -> None:
    async with serving(limits=Limits(write_timeout_s=0.5)) as server:
        request = asked(case="CASE_ENDLESS", size=10_000)
        async with connected(server, request) as (reader, _):
            await head_of(reader)
            await server.servicer.cancelled["n"].wait()
        # What the sockets hold; without backpressure half a second makes thousands.
        assert server.servicer.sent["n"] < 1000


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_each_message_of_a_compressed_stream_is_sent_at_once(
    server: Server, coding: str
) -> None:
    request = asked(Accept_Encoding=coding, count=1, case="CASE_WAIT")
    async with connected(server, request) as (reader, _):
        head = await head_of(reader)
        assert (head.headers["Content-Encoding"], head.headers["Vary"]) == (
            coding,
            "Accept, Accept-Encoding, Origin",
        )
        assert await chunk_of(reader)  # the call has not ended; test_stream_encodings.py reads it
