"""A call is authorized before its body is read."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support.composition import running
from tests.support.connections import answer_of, opened
from tests.support.refusals import DEADLINE_S, refused
from tests.support.tables import by_outcome, cases

METHOD = "/zitadel.management.v1.ManagementService/CreateAction"
REST = "/management/v1/actions"
UNAUTHENTICATED = b'{"code":16,"message":"auth header missing"'
_FRAME = b"\0" + (4 << 20).to_bytes(4) + bytes(4 << 20)
GRPC_WEB = "Content-Type: application/grpc-web+proto\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    async with running(tmp_path_factory.mktemp("order") / "data") as started:
        yield started


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def answer_to(address: str, request: bytes) -> bytes:
    """Returns the head and the body of the answer."""
    async with opened(address) as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(request)
        return b"".join(await answer_of(reader))


@cases(
    "headers, body",
    {
        "of another type": ("Content-Type: text/plain\r\nContent-Length: 1\r\n", b"a"),
        "of another coding": ("Content-Encoding: x\r\nContent-Length: 1\r\n", b"a"),
    },
)
async def test_a_body_whose_headers_are_wrong_is_415_for_every_caller(
    service: Any, headers: str, body: bytes
) -> None:
    head = f"POST {REST} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"
    answer = await answer_to(service.listen, head.encode("ascii") + body)
    assert answer.startswith(b"HTTP/1.1 415 ")


@by_outcome(
    "asked, expected",
    {
        UNAUTHENTICATED: {
            "malformed JSON": (REST, "Content-Length: 1\r\n", b"{"),
            "a body to come": (REST, "Content-Length: 9\r\n", b""),
            "chunks to come": (REST, "Transfer-Encoding: chunked\r\n", b""),
            "a body that is announced": (
                REST,
                "Content-Length: 9\r\nExpect: 100-continue\r\n",
                b"",
            ),
            "a body that cannot be inflated": (
                REST,
                "Content-Length: 4\r\nContent-Encoding: gzip\r\n",
                b"none",
            ),
            "a body over the limit": (REST, "Content-Length: 2000000\r\n", b""),
        },
        b"grpc-status:16\r\n": {
            "malformed gRPC-Web": (METHOD, f"{GRPC_WEB}Content-Length: 3\r\n", b"\xff\xff\xff"),
            "a gRPC-Web message to come": (METHOD, f"{GRPC_WEB}Content-Length: 90\r\n", b"\x00"),
        },
    },
)
async def test_a_call_without_a_token_is_refused_whatever_its_body(
    service: Any, asked: tuple[str, str, bytes], expected: bytes
) -> None:
    path, headers, body = asked
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n{headers}\r\n"
    answer = await answer_to(service.listen, head.encode("ascii") + body)
    assert b"100 Continue" not in answer
    assert expected in answer


async def test_a_body_that_is_announced_is_asked_for_where_the_token_is_good(service: Any) -> None:
    head = (
        f"POST {REST} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {service.owner.token}\r\n"
        "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    )
    async with opened(service.listen) as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(head.encode("ascii"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")


@cases(
    "headers, framed",
    {
        "binary": (GRPC_WEB, _FRAME),
        "text": ("Content-Type: application/grpc-web-text\r\n", base64.b64encode(_FRAME)),
    },
)
async def test_a_client_that_sends_the_largest_message_first_gets_its_refusal(
    service: Any, headers: str, framed: bytes
) -> None:
    head = f"POST {METHOD} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {len(framed)}\r\n\r\n"
    async with opened(service.listen) as (reader, writer), asyncio.timeout(DEADLINE_S):
        for _ in range(2):  # and the connection goes on
            writer.write(head.encode("ascii") + framed)
            await writer.drain()
            status, _ = await answer_of(reader)
            assert status.startswith(b"HTTP/1.1 200 ")


async def test_a_native_call_without_a_token_is_refused_before_its_message(service: Any) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with grpc.aio.insecure_channel(service.grpc_listen) as channel:
        call: Any = channel.stream_unary(METHOD)
        error = await refused(call(never(), timeout=DEADLINE_S))
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "auth header missing",
    )
    assert "x-request-id" in dict(error.trailing_metadata() or ())
