"""The page of metrics is served over HTTP/1.1, to few clients, each for a bounded time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from server.metrics import page
from server.metrics.page import MetricsPage


async def made() -> bytes:
    return b"jobs_total 1\n"


async def broken() -> bytes:
    raise RuntimeError("secret")


@asynccontextmanager
async def serving(make: page.MakePage = made, *, timeout_s: float = 30.0) -> AsyncIterator[int]:
    bound = socket.create_server(("127.0.0.1", 0))
    served = MetricsPage(make, content_type="text/plain; version=0.0.4", timeout_s=timeout_s)
    await served.start([bound])
    try:
        yield bound.getsockname()[1]
    finally:
        await served.close()


async def received(reader: asyncio.StreamReader) -> bytes:
    """Returns all until the end of the connection, which may be a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await received(reader)
    finally:
        writer.close()


async def test_a_client_of_http_reads_the_page() -> None:
    async with (
        serving() as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics?a=b") as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4"
        assert await response.read() == b"jobs_total 1\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"404", id="another path"),
        pytest.param(b"POST /metrics HTTP/1.1\r\n\r\n", b"405", id="another verb"),
        pytest.param(b"nonsense\r\n\r\n", b"400", id="no HTTP"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400", id="HTTP/2"),
        pytest.param(
            b"GET /metrics HTTP/1.1\r\nA: " + b"a" * page.HEAD_MAX_BYTES + b"\r\n\r\n",
            b"431",
            id="a head that is too large",
        ),
    ],
)
async def test_other_requests_are_refused(request_: bytes, status: bytes) -> None:
    async with serving() as port:
        assert (await asked(port, request_)).startswith(b"HTTP/1.1 " + status)


async def test_head_has_the_headers_alone() -> None:
    async with serving() as port:
        answer = await asked(port, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 13\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_fault_is_500_and_its_text_stays_in_the_log() -> None:
    async with serving(broken) as port:
        answer = await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"secret" not in answer


async def test_a_client_that_sends_nothing_is_closed() -> None:
    async with serving(timeout_s=0.05) as port:
        assert await asked(port, b"GET /metr") == b""


async def test_connections_beyond_the_limit_are_closed_and_there_is_room_again() -> None:
    async with serving() as port:
        held = [
            await asyncio.open_connection("127.0.0.1", port) for _ in range(page.CONNECTIONS_MAX)
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await received(reader) == b""
        for other in (writer, *(writer for _, writer in held)):
            other.close()
        answer = b""
        async with asyncio.timeout(20):
            while not answer:
                answer = await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"jobs_total 1\n")
