"""ASGI hosts that speak HTTP/2, where a call streams both ways at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import CASE_ERROR, CASE_WAIT
from tests.support.asgi_hosts import HOSTS
from tests.support.grpc_frames import framed, split_frame
from tests.support.grpcweb_fixture import FILES, REPEAT, SAY, TALK, Echo
from tests.support.http2_client import Http2Call, http2_call
from tests.support.web_clients import BufCurl
from transcoder import Transcoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECT = {"content-type": "application/connect+json"}
JSON = {"content-type": "application/json"}
Hosted = tuple[str, str, Echo]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["hypercorn", "granian"])
async def hosted(request: pytest.FixtureRequest) -> AsyncIterator[Hosted]:
    """The host's name, its address, and the servicer."""
    transcoder: Any = Transcoder()
    servicer = Echo()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    async with HOSTS[request.param](transcoder.asgi()) as address:
        yield request.param, address, servicer


def envelope(**fields: Any) -> bytes:
    return framed(json.dumps(fields).encode())


async def message_of(call: Http2Call) -> Any:
    head = await call.receive(5)
    return json.loads(await call.receive(int.from_bytes(head[1:])))


async def test_connect_streams_both_ways_in_full_duplex(hosted: Hosted) -> None:
    async with http2_call(hosted[1], "POST", TALK, CONNECT) as call:
        for name in ("a", "b", "c"):
            call.send(envelope(name=name))
            assert await message_of(call) == {"name": name, "index": 1}
        call.send(b"", is_last=True)
        flags, end, rest = split_frame(await call.end())
    assert (flags, end, rest, call.headers[":status"]) == (2, b"{}", b"", "200")


async def test_a_stream_that_its_client_resets_is_cancelled(hosted: Hosted) -> None:
    _, address, servicer = hosted
    async with http2_call(address, "POST", REPEAT, JSON) as call, asyncio.timeout(30):
        said = {"name": "reset", "count": 1, "case": CASE_WAIT}
        call.send(json.dumps(said).encode(), is_last=True)
        await servicer.started["reset"].wait()
        call.reset()
        await servicer.cancelled["reset"].wait()


@pytest.mark.parametrize("count", [0, 2])
async def test_trailing_metadata_are_trailers_where_the_host_has_them(
    hosted: Hosted, count: int
) -> None:
    host, address, _ = hosted
    headers = {**JSON, "accept": "application/x-ndjson", "te": "trailers"}
    async with http2_call(address, "POST", REPEAT, headers) as call:
        call.send(json.dumps({"name": "n", "count": count}).encode(), is_last=True)
        lines = (await call.end()).splitlines()
    assert len(lines) == count
    expected = "plain" if host == "hypercorn" else None
    assert call.trailers.get("grpc-trailer-x-name") == expected


async def test_a_stream_without_trailers_ends_too(hosted: Hosted) -> None:
    headers = {"content-type": "application/x-ndjson", "te": "trailers"}
    async with http2_call(hosted[1], "POST", TALK, headers) as call:
        call.send(b'{"name":"a"}\n', is_last=True)
        assert await call.end() == b'{"result":{"name":"a","index":1}}\n'


async def test_a_request_without_a_body_is_one(hosted: Hosted) -> None:
    async with http2_call(hosted[1], "POST", SAY, JSON) as call:
        call.send(b"", is_last=True)
        assert json.loads(await call.end()) == {"index": 1}
    async with http2_call(hosted[1], "GET", "/healthz", {}) as call:
        call.send(b"", is_last=True)
        assert json.loads(await call.end()) == {"status": "SERVING"}
    assert "connection" not in call.headers


async def test_a_body_that_is_refused_does_not_name_the_connection(hosted: Hosted) -> None:
    async with http2_call(hosted[1], "POST", SAY, JSON) as call:
        call.send(b"\xff", is_last=True)
        assert json.loads(await call.end())["code"] == 3
    assert "connection" not in call.headers


async def test_an_array_whose_call_fails_is_reset_by_granian(hosted: Hosted) -> None:
    host, address, _ = hosted
    headers = {**JSON, "accept": "application/json"}
    async with http2_call(address, "POST", REPEAT, headers) as call:
        said = {"name": "n", "count": 1, "case": CASE_ERROR}
        call.send(json.dumps(said).encode(), is_last=True)
        assert await call.receive(len('[{"name":"n","index":1}')) == b'[{"name":"n","index":1}'
        if host == "granian":  # hypercorn leaves the stream open
            await call.end()
            assert call.reset_code is not None
        assert call.body == b""


async def test_buf_calls_over_http2(hosted: Hosted, tmp_path: Path) -> None:
    options = ("--protocol", "connect", "--http2-prior-knowledge")
    client = BufCurl(f"http://{hosted[1]}", FILES, tmp_path, options)
    outcome = await (await client.start(REPEAT, {"name": "n", "count": 2})).outcome()
    assert (outcome.code, [each["index"] for each in outcome.messages]) == (0, [1, 2])
