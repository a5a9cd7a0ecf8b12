"""WebSockets by a host that the test plays: events in, events out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.garbage import garbage_of
from tests.support.tables import cases
from transcoder.http.asgi_websocket import AsgiSocketRequest
from transcoder.http.switched import Kind, MessageWire, Outgoing

TEXT = Outgoing(Kind.TEXT, (b"a", "ß".encode()))
CLOSE = Outgoing(Kind.CLOSE, (b"\x0f\xa5", b"NOT_FOUND"))


def scope(**fields: Any) -> Any:
    return {"type": "websocket", "path": "/a", "headers": (), **fields}


class Receiver:
    """Keeps the messages of a client."""

    def __init__(self) -> None:
        self.messages: list[tuple[Kind, bytes]] = []
        self.ends = 0
        self.stops = 0

    def feed_message(self, kind: Kind, data: bytes) -> None:
        self.messages.append((kind, data))

    def feed_eof(self) -> None:
        self.ends += 1

    def stop(self) -> None:
        self.stops += 1


class Host:
    """A host.

    Attributes:
        events: what `receive` gives next.
        sent: what the application has sent.
        takes: set while `send` does not wait.
        has_left: True if `send` fails.
    """

    def __init__(self, scope: Any) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[Any] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.has_left = False
        self.left = 0
        self.receiver = Receiver()
        self.request = AsgiSocketRequest(scope, self.events.get, self._send, write_timeout_s=30)

    async def _send(self, event: Any) -> None:
        await self.takes.wait()
        if self.has_left:
            raise ConnectionResetError
        self.sent.append(event)

    def say(self, kind: str, **fields: Any) -> None:
        self.events.put_nowait({"type": f"websocket.{kind}", **fields})

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        def note() -> None:
            self.left += 1

        self.say("connect")
        listening = asyncio.create_task(self.request.listen(note))
        try:
            yield
        finally:
            listening.cancel()

    async def opened(self) -> MessageWire:
        return await self.request.accept("", [], self.receiver)


async def turns() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


async def test_a_handshake_is_accepted_with_a_subprotocol_and_headers() -> None:
    host = Host(scope(subprotocols=["a", "b"]))
    assert host.request.headers["sec-websocket-protocol"] == "a, b"
    async with host.heard():
        await host.request.accept("b", [("X-A", "1")], host.receiver)
    assert host.sent == [
        {"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-a", b"1")]}
    ]


@cases(
    "extensions, sent",
    {
        "with a body": (
            {"websocket.http.response": {}},
            [
                {"type": "websocket.http.response.start", "status": 404, "headers": []},
                {"type": "websocket.http.response.body", "body": b"{}", "more_body": False},
            ],
        ),
        "without": (None, [{"type": "websocket.close"}]),
    },
)
async def test_a_handshake_is_refused_as_the_host_can(extensions: Any, sent: list[Any]) -> None:
    host = Host(scope(extensions=extensions))
    await host.request.answer(404, [], b"{}")
    assert host.sent == sent


async def test_messages_pass_both_ways() -> None:
    host = Host(scope())
    async with host.heard():
        wire = await host.opened()
        host.say("receive", text="ß", bytes=None)
        host.say("receive", bytes=b"\xff")
        await turns()
        assert host.receiver.messages == [(Kind.TEXT, "ß".encode()), (Kind.BINARY, b"\xff")]
        wire.write_soon(TEXT, Outgoing(Kind.BINARY, (b"\xff",)))
        wire.write(CLOSE)
        await host.request.flush()
    assert host.sent[1:] == [
        {"type": "websocket.send", "text": "aß"},
        {"type": "websocket.send", "bytes": b"\xff"},
        {"type": "websocket.close", "code": 4005, "reason": "NOT_FOUND"},
    ]


async def test_messages_that_are_not_wanted_wait_at_the_host() -> None:
    host = Host(scope())
    async with host.heard():
        wire = await host.opened()
        await turns()
        wire.read_on(is_on=False)
        for text in "abc":
            host.say("receive", text=text)
        await turns()
        assert len(host.receiver.messages) == 1  # the host was asked for it before
        wire.read_on(is_on=True)
        await turns()
        assert len(host.receiver.messages) == 3


async def test_a_client_that_reads_slowly_makes_the_call_wait() -> None:
    host = Host(scope())
    async with host.heard():
        wire = await host.opened()
        host.takes.clear()
        is_full = []
        for message in (TEXT, Outgoing(Kind.TEXT, (b"x" * 20_000,))):
            wire.write_soon(message)
            is_full.append(wire.is_full)
        assert is_full == [False, True]
        waiting = asyncio.create_task(wire.drained())
        await turns()
        assert not waiting.done()
        host.takes.set()
        await waiting
        assert not wire.is_full


async def test_a_client_that_leaves_is_told_to_its_receiver_once() -> None:
    host = Host(scope())
    async with host.heard():
        wire = await host.opened()
        host.say("disconnect", code=1001)
        await turns()
        assert (host.receiver.ends, host.left) == (1, 0)
        host.has_left = True
        wire.write_soon(TEXT)
        with pytest.raises(ConnectionResetError):
            await wire.drained()
        with pytest.raises(ConnectionResetError):
            wire.write_soon(TEXT)
    assert host.receiver.ends == 1


async def test_a_client_that_leaves_in_the_handshake_ends_the_request() -> None:
    host = Host(scope())
    async with host.heard():
        host.say("disconnect", code=1006)
        await turns()
    assert (host.receiver.ends, host.left) == (0, 1)


async def test_a_connection_leaves_no_garbage() -> None:
    async def answered() -> None:
        host = Host(scope())
        async with host.heard():
            (await host.opened()).write(TEXT, CLOSE)
            await host.request.flush()

    async def left() -> None:
        host = Host(scope())
        async with host.heard():
            await host.opened()
            host.say("disconnect", code=1001)
            await turns()

    for work in (answered, left):
        # The test's own host and its request refer to each other.
        assert "AsgiWire" not in await garbage_of(work), work.__name__


async def test_a_call_that_is_stopped_is_told_so() -> None:
    host = Host(scope())
    await host.opened()
    host.request.stop_call()
    assert host.receiver.stops == 1
