"""gRPC-Web over real sockets: by connect-web, and by bytes that no client would send."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from google.longrunning import operations_pb2

from tests.proto.echo_pb2 import CASE_BAD_TRAILERS, CASE_ERROR, CASE_RAISE, CASE_WAIT
from tests.support import operations
from tests.support.connections import opened
from tests.support.grpcweb_by_hand import (
    ANSWERED,
    ASKED,
    OK,
    TYPE,
    WAIT_S,
    asked,
    exchange,
    head,
    post,
)
from tests.support.grpcweb_fixture import ERROR_MESSAGE, FILES, SAY, Server, serving
from tests.support.tables import cases
from transcoder import Limits

ConnectWeb = Callable[..., Awaitable[dict[str, Any]]]

DETAIL = {"type": "google.rpc.ErrorInfo", "value": {"reason": "BUSY", "domain": "größer"}}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


# connect-web


@cases(
    "request_, expected",
    {
        "a message and its metadata": (
            {"name": "größer"},
            {
                "message": {"name": "größer", "index": 1},
                "trailers": {"grpc-status": "0", "x-name": "plain", "x-name-bin": "Z3LDtsOfZXI"},
            },
        ),
        "metadata that is not allowed": (
            {"case": CASE_BAD_TRAILERS},
            {"message": {"index": 1}, "trailers": {"grpc-status": "0", "x-name": "plain"}},
        ),
        "an error with its details": (
            {"case": CASE_ERROR},
            {"code": 9, "error": ERROR_MESSAGE, "x-name": "plain", "details": [DETAIL]},
        ),
        "an exception, of which it has the request id only": (
            {"case": CASE_RAISE},
            {"code": 13, "error": "internal error (request id r1)"},
        ),
    },
)
async def test_connect_web_gets_what_is_answered(
    server: Server, connect_web: ConnectWeb, request_: dict[str, Any], expected: dict[str, Any]
) -> None:
    headers = {"X-Request-Id": "r1"}
    outcome = await connect_web(server.address, SAY, request_, files=FILES, headers=headers)
    told = outcome | (outcome.get("metadata") or outcome["headers"])
    assert {name: told[name] for name in expected} == expected
    assert (told["x-first"], told["x-first-bin"], told["x-request-id"]) == ("1", "AP8", "r1")


async def test_connect_web_shows_that_a_method_is_not_served(connect_web: ConnectWeb) -> None:
    async with operations.serving() as (session, _), session.get("/healthz") as answer:
        outcome = await connect_web(answer.url.authority, SAY, {}, files=FILES)
    assert outcome["code"] == 12


async def test_a_deadline_of_connect_web_cancels_the_call(
    server: Server, connect_web: ConnectWeb
) -> None:
    waiting = {"name": "late", "case": CASE_WAIT}
    outcome = await connect_web(server.address, SAY, waiting, files=FILES, timeout_ms=200)
    assert outcome["code"] == 4
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["late"].wait()


# Bytes


async def test_an_answer_is_a_message_and_a_trailer_frame(server: Server) -> None:
    answer, body = await post(server, ASKED)
    assert (answer.status, answer.headers["Content-Type"], body) == (200, TYPE, ANSWERED + OK)


@cases(
    "path, status, content_type, body",
    {
        "wins over the message": (
            "/v1/operations/a:cancel",
            200,
            TYPE,
            b"\x00\x00\x00\x00\x00\x80\x00\x00\x00\x0fgrpc-status:0\r\n",
        ),
        "has another HTTP method": (
            "/v1/operations/a",
            405,
            "text/plain; charset=utf-8",
            b"Method Not Allowed",
        ),
    },
)
async def test_a_rest_path_takes_grpc_web(
    path: str, status: int, content_type: str, body: bytes
) -> None:
    # CancelOperationRequest(name="overridden")
    data = b"\x00\x00\x00\x00\x0c\x0a\x0aoverridden"
    async with (
        operations.serving() as (session, servicer),
        session.post(path, data=data, headers={"Content-Type": TYPE}) as answer,
    ):
        assert (answer.status, answer.headers["Content-Type"]) == (status, content_type)
        assert await answer.read() == body
    bound = operations_pb2.CancelOperationRequest(name="operations/a")
    assert servicer.seen == (bound if status == 200 else None)


@pytest.mark.parametrize("content_type", ["application/grpc", "text/plain"])
async def test_a_method_with_rest_routes_takes_json_and_grpc_web_at_its_own_path(
    content_type: str,
) -> None:
    path = "/google.longrunning.Operations/GetOperation"
    async with operations.serving() as (session, servicer):
        headers = {"Content-Type": content_type}
        async with session.post(path, data=ASKED, headers=headers) as answer:
            assert (answer.status, await answer.text()) == (
                415,
                f"content type '{content_type}': expected application/json",
            )
        assert servicer.seen is None
        async with session.post(path, json={"name": "operations/a"}) as answer:
            assert (answer.status, (await answer.json())["name"]) == (200, "operations/a")


@cases(
    "path, deadline, expected",
    {
        "an unknown method": (
            "/no.Service/Method",
            "1S",
            b"grpc-status:12\r\ngrpc-message:unknown method '/no.Service/Method'\r\n",
        ),
        "a timeout that is none": (
            SAY,
            "1_0S",
            b"grpc-status:3\r\ngrpc-message:header grpc-timeout: expected 1 to 8 digits and a unit "
            b"(H M S m u n), got '1_0S'\r\n",
        ),
    },
)
async def test_an_invalid_call_is_answered_with_a_trailer_frame(
    server: Server, path: str, deadline: str, expected: bytes
) -> None:
    answer, body = await post(server, ASKED, path, grpc_timeout=deadline)
    assert (answer.status, answer.headers["Content-Type"], body[5:]) == (200, TYPE, expected)


async def test_a_deadline_ends_the_call(server: Server) -> None:
    _, body = await post(server, asked(name="late", case=CASE_WAIT), grpc_timeout="50m")
    assert body[5:] == b"grpc-status:4\r\ngrpc-message:Deadline Exceeded\r\n"
    assert server.servicer.cancelled["late"].is_set()


@cases(
    "limits, headers, pieces, expected",
    {
        "a declared length over the limit, before the body comes": (
            Limits(message_max_bytes=1000),
            "Content-Length: 1006",
            (),
            b"8\r\ngrpc-message:the request body is larger than the limit of 1005 bytes\r\n",
        ),
        "a chunked body where it passes the limit": (
            Limits(message_max_bytes=1000),
            "Transfer-Encoding: chunked",
            (b"5\r\n\x00\x00\x00\x03\xe9\r\n",),
            b"8\r\ngrpc-message:a message of 1001 bytes is larger than the limit of 1000 bytes\r\n",
        ),
        "a body that does not come in time": (
            Limits(body_timeout_s=0.1),
            "Content-Length: 19",
            (ASKED[:6],),
            b"4\r\ngrpc-message:the request body did not arrive within 0.1 s\r\n",
        ),
    },
)
async def test_a_body_beyond_a_limit_is_refused(
    limits: Limits, headers: str, pieces: tuple[bytes, ...], expected: bytes
) -> None:
    async with serving(limits=limits) as server:
        start, body = await exchange(server, head(headers), *pieces)
        assert start.startswith(b"HTTP/1.1 200 OK\r\n")
        assert (body[:1], body[5:]) == (b"\x80", b"grpc-status:" + expected)
        assert server.servicer.seen == []


async def test_a_chunk_that_is_not_one_reaches_no_handler(server: Server) -> None:
    start, _ = await exchange(server, head("Transfer-Encoding: chunked") + b"zz\r\n\x00\r\n")
    assert start.startswith(b"HTTP/1.1 400 ")
    assert server.servicer.seen == []


async def test_a_client_that_asks_before_it_sends_is_invited(server: Server) -> None:
    length = f"Content-Length: {len(ASKED)}"
    async with opened(server.address) as (reader, writer), asyncio.timeout(WAIT_S):
        writer.write(head("Expect: 100-continue", length, "Connection: close"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(ASKED)
        assert (await reader.read()).endswith(ANSWERED + OK)


async def test_a_client_that_leaves_cancels_its_call(server: Server) -> None:
    body = asked(name="left", case=CASE_WAIT)
    async with opened(server.address) as (_, writer), asyncio.timeout(WAIT_S):
        writer.write(head(f"Content-Length: {len(body)}") + body)
        await server.servicer.started["left"].wait()
        writer.transport.abort()
        await server.servicer.cancelled["left"].wait()


# Browsers


async def test_a_page_of_a_listed_origin_may_call_and_read() -> None:
    origin = "http://localhost:5173"
    async with serving(cors_origins=[origin]) as server, aiohttp.ClientSession() as session:
        preflight = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-grpc-web",
        }
        async with session.options(server.url + SAY, headers=preflight) as answer:
            assert answer.status == 204
            assert answer.headers.getall("Access-Control-Allow-Origin") == [origin]
            allowed = answer.headers["Access-Control-Allow-Headers"]
            assert allowed == "authorization, content-type, x-grpc-web"
        answer, _ = await post(server, ASKED, Origin=origin)
        assert answer.headers.getall("Access-Control-Allow-Origin") == [origin]
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"grpc-status", "x-request-id", "x-first", "x-first-bin"} <= set(exposed)


async def test_a_page_of_another_origin_gets_no_cors_headers() -> None:
    async with (
        serving(cors_origins=["https://app.example"]) as server,
        aiohttp.ClientSession() as session,
    ):
        preflight = {
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        async with session.options(server.url + SAY, headers=preflight) as answer:
            names = [name for name in answer.headers if name.startswith("Access-Control-")]
            assert names == []
