"""Requests by a host that the test plays: events in, events out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.http.asgi_request import AsgiRequest

PIECE = b"x" * (16 << 10)


def scope(*headers: tuple[bytes, bytes], **fields: Any) -> Any:
    return {"type": "http", "method": "POST", "path": "/a", "headers": headers, **fields}


class Host:
    """A host.

    Attributes:
        events: what `receive` gives next.
        asked: how often it was called.
        sent: what the application has sent.
        is_full: True if `send` waits for ever.
    """

    def __init__(self, scope: Any, *, write_timeout_s: float = 30) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.asked = 0
        self.sent: list[Any] = []
        self.is_full = False
        self.left = 0
        self.request = AsgiRequest(
            scope, self._receive, self._send, write_timeout_s=write_timeout_s
        )

    async def _receive(self) -> Any:
        self.asked += 1
        return await self.events.get()

    async def _send(self, event: Any) -> None:
        if self.is_full:
            await asyncio.Event().wait()
        self.sent.append(event)

    def body(self, *pieces: bytes, more: bool = False) -> None:
        for at, piece in enumerate(pieces, start=1):
            is_more = more or at < len(pieces)
            self.events.put_nowait({"type": "http.request", "body": piece, "more_body": is_more})

    def leave(self) -> None:
        self.events.put_nowait({"type": "http.disconnect"})

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Has the request listen to the host."""

        def note() -> None:
            self.left += 1

        listening = asyncio.create_task(self.request.listen(note))
        try:
            await turns()
            yield
        finally:
            listening.cancel()


async def turns() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


CHUNKED = (b"transfer-encoding", b"chunked")


@cases(
    "version, headers, expected",
    {
        "a length": ("1.1", [(b"content-length", b"3")], True),
        "no bytes": ("1.1", [(b"content-length", b"0")], False),
        "chunks": ("1.1", [CHUNKED], True),
        "nothing said over HTTP/1.1": ("1.1", [], False),
        "nothing said over HTTP/2": ("2", [], True),
        "no bytes over HTTP/2": ("2", [(b"content-length", b"0")], False),
    },
)
def test_headers_tell_whether_there_is_a_body(
    version: str, headers: list[tuple[bytes, bytes]], expected: bool
) -> None:
    host = Host(scope(*headers, http_version=version))
    assert (host.request.has_body, host.request.has_arrived) == (expected, not expected)


async def test_a_body_is_whole_once_the_host_says_so() -> None:
    host = Host(scope(CHUNKED))
    async with host.heard():
        host.body(b"a", b"b")
        await turns()
        assert (host.request.has_arrived, host.request.is_read) == (True, False)
        assert (host.request.arrived(), host.request.is_read) == (b"ab", True)


async def test_a_body_that_nobody_reads_waits_at_the_client() -> None:
    host = Host(scope(CHUNKED))
    async with host.heard():
        host.body(*[PIECE] * 10, more=True)
        await turns()
        assert host.request.arrived_bytes == 64 << 10
        assert await host.request.piece() == PIECE * 4
        await turns()
        assert host.request.arrived_bytes == 128 << 10


async def test_a_client_that_waits_to_be_asked_is_asked_when_its_body_is_wanted() -> None:
    host = Host(scope(CHUNKED, (b"expect", b"100-continue")))
    async with host.heard():
        assert host.asked == 0
        reading = asyncio.create_task(host.request.piece())
        await turns()
        assert host.asked == 1
        host.body(b"a")
        assert await reading == b"a"


async def test_the_host_is_asked_once_the_answer_has_begun() -> None:
    host = Host(scope(CHUNKED, (b"expect", b"100-continue")))
    async with host.heard():
        await host.request.begin(200, [])
        await turns()
        assert host.asked == 1


async def test_a_client_that_leaves_ends_the_call_once_and_what_reads_or_writes() -> None:
    host = Host(scope(CHUNKED))
    async with host.heard():
        reading = asyncio.create_task(host.request.piece())
        host.leave()
        with pytest.raises(TranscodeError, match="the client left"):
            await reading
        with pytest.raises(ConnectionResetError):
            await host.request.begin(200, [])
    assert (host.left, host.sent) == (1, [])


async def test_what_came_before_the_client_left_is_still_read() -> None:
    host = Host(scope(CHUNKED))
    async with host.heard():
        host.body(b"a", more=True)
        host.leave()
        await turns()
        assert await host.request.piece() == b"a"


async def test_the_end_of_an_answer_is_not_the_clients_leaving() -> None:
    host = Host(scope())
    async with host.heard():
        await host.request.answer(200, [], b"a")
        host.leave()
        await turns()
    assert host.left == 0


async def test_a_host_that_fails_ends_the_call() -> None:
    host = Host(scope(CHUNKED))
    listening = asyncio.create_task(host.request.listen(lambda: None))
    host.events.put_nowait({})
    with pytest.raises(KeyError):
        await listening
    with pytest.raises(TranscodeError):
        await host.request.piece()


async def test_a_client_that_does_not_read_is_given_up() -> None:
    host = Host(scope(), write_timeout_s=0.05)
    host.is_full = True
    async with host.heard():
        with pytest.raises(OSError):  # noqa: PT011  the promise is this class
            await host.request.begin(200, [])
        assert host.left == 1


async def test_an_answer_is_written_in_pieces_that_a_client_can_take_in_time() -> None:
    host = Host(scope())
    await host.request.answer(200, [("X-A", "b")], PIECE * 9)
    start, *bodies = host.sent
    assert start == {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]}
    assert [(len(each["body"]), each["more_body"]) for each in bodies] == [
        (64 << 10, True),
        (64 << 10, True),
        (16 << 10, False),
    ]


TRAILERS: Any = {"http_version": "2", "extensions": {"http.response.trailers": {}}}


async def test_trailers_are_sent_where_the_host_has_them_and_the_client_takes_them() -> None:
    host = Host(scope((b"te", b"trailers"), **TRAILERS))
    await host.request.begin(200, [("Connection", "close"), ("X-A", "b")])
    await host.request.write(b"a")
    await host.request.finish(b"b", [("Grpc-Trailer-X", "1")])
    assert host.sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"x-a", b"b")],
            "trailers": True,
        },
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": False},
        {
            "type": "http.response.trailers",
            "headers": [(b"grpc-trailer-x", b"1")],
            "more_trailers": False,
        },
    ]


async def test_trailers_are_never_an_empty_list() -> None:
    host = Host(scope((b"te", b"trailers"), **TRAILERS))
    await host.request.begin(200, [("X-Request-Id", "1"), ("X-A", "b")])
    await host.request.finish(b"")
    assert host.sent[-1]["headers"] == [(b"x-request-id", b"1")]


async def test_a_client_that_takes_no_trailers_gets_none() -> None:
    host = Host(scope(**TRAILERS))
    await host.request.begin(200, [("X-A", "b")])
    await host.request.finish(b"", [("Grpc-Trailer-X", "1")])
    assert [event["type"] for event in host.sent] == ["http.response.start", "http.response.body"]
    assert "trailers" not in host.sent[0]


async def test_head_gets_no_body() -> None:
    host = Host(scope(method="HEAD"))
    await host.request.begin(200, [])
    await host.request.write(b"a")
    await host.request.finish(b"b")
    assert [event.get("body") for event in host.sent] == [None, b""]


async def test_a_call_that_is_stopped_sends_its_last_piece_and_no_more() -> None:
    host = Host(scope())
    await host.request.begin(200, [])
    host.request.finish_at_once(b"end")
    with pytest.raises(ConnectionResetError):
        await host.request.write(b"late")
    await host.request.flush()
    await host.request.flush()
    assert [event.get("body") for event in host.sent] == [None, b"end"]
