"""Requests behind which a connection must not go on, over real sockets."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.listener.test_listener import HELLO, Client, Server, echo
from tests.support.tables import cases
from transcoder.options import Limits

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
ASKING = b"GET / HTTP/1.1\r\nHost: a\r\n" + H2C + b"\r\n"
SENDING = b"POST / HTTP/1.1\r\nHost: a\r\n" + H2C + b"Content-Length: 4\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\n" + H2C + b"Transfer-Encoding: chunked\r\n\r\n"
WEBSOCKET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OLD = b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    server = Server(echo, Limits(drain_timeout_s=5.0))
    await server.start()
    yield await server.connect()
    await server.close()


@cases(
    "sent, body, said",
    {
        "HTTP/1.0 with Transfer-Encoding": (
            OLD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            b"body",
            None,
        ),
        "Upgrade: h2c": (ASKING, b"", "close"),
        "Upgrade: h2c with a body": (SENDING + b"body", b"body", "close"),
        "Upgrade: h2c, in chunks": (CHUNKED + b"4\r\nbody\r\n0\r\n\r\n", b"body", "close"),
        "Upgrade: websocket": (WEBSOCKET, b"", "close"),
    },
)
async def test_a_request_that_hides_the_next_is_the_last(
    client: Client, sent: bytes, body: bytes, said: str | None
) -> None:
    await client.send(sent + HELLO)
    answer = await client.answer()
    assert (answer.status, answer.headers.get("connection"), answer.body) == (200, said, body)
    assert await client.end() == b""


async def test_a_body_that_brings_the_next_request_with_it_is_the_last(client: Client) -> None:
    await client.send(SENDING + b"bo")
    await client.send(b"dy" + HELLO)
    assert (await client.answer()).body == b"body"
    assert await client.end() == b""


async def test_requests_before_an_upgrade_are_answered(client: Client) -> None:
    await client.send(HELLO + HELLO + ASKING)
    answers = [await client.answer() for _ in range(3)]
    assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]
    assert await client.end() == b""


@cases(
    "pieces, body",
    {
        "whole": ([ASKING], b""),
        "with a body": ([SENDING + b"body"], b"body"),
        "with a body in pieces": ([SENDING, b"bo", b"dy"], b"body"),
    },
)
async def test_a_client_that_offers_h2c_keeps_its_connection(
    client: Client, pieces: list[bytes], body: bytes
) -> None:
    for _ in range(2):
        for piece in pieces:
            await client.send(piece)
        assert (await client.answer()).body == body
    await client.send(HELLO)
    assert (await client.answer()).status == 200


async def test_an_old_client_with_a_length_keeps_its_connection(client: Client) -> None:
    for _ in range(2):
        await client.send(OLD + b"Content-Length: 4\r\n\r\nbody")
        answer = await client.answer()
        assert (answer.headers["connection"], answer.body) == ("keep-alive", b"body")
