"""The application in a host that the test plays: its lifespan, and calls that end early."""

import asyncio
import json
from typing import Any

import pytest

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import CASE_ERROR, CASE_WAIT
from tests.support.garbage import garbage_of
from tests.support.grpcweb_fixture import REPEAT, SAY, Echo
from tests.support.waiting import until_async
from transcoder import Limits, Transcoder
from transcoder.errors import SchemaError

LINES = (b"accept", b"application/x-ndjson")


class Host:
    """A host of echo.v1.Echo.

    Attributes:
        sent: what the application has sent.
    """

    def __init__(self, **limits: Any) -> None:
        transcoder: Any = Transcoder(limits=Limits(**limits))
        self.servicer = Echo()
        echo_pb2_grpc.add_EchoServicer_to_server(self.servicer, transcoder)
        self.application: Any = transcoder.asgi()
        self.sent: list[Any] = []

    def begin(self, verb: str, path: str, *headers: tuple[bytes, bytes], **said: Any) -> Any:
        """Begins a request, whose client stays."""
        body = json.dumps(said).encode() if said else b""
        length = (b"content-length", b"%d" % len(body))
        scope = {"type": "http", "method": verb, "path": path, "headers": [length, *headers]}
        events = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if not events:
                await asyncio.Event().wait()
            return events.pop()

        return asyncio.create_task(self.application(scope, receive, self.send))

    async def send(self, event: Any) -> None:
        self.sent.append(event)

    @property
    def answered(self) -> tuple[int, bytes]:
        """The status, and the body so far."""
        return self.sent[0]["status"], b"".join(event.get("body", b"") for event in self.sent)


async def test_a_drain_waits_for_what_is_in_flight() -> None:
    host = Host()
    async with asyncio.timeout(30):
        async with host.application.lifespan():
            calling = host.begin("POST", SAY, name="n")
            await host.servicer.started["n"].wait()
        await calling
    assert host.answered == (200, b'{"name":"n","index":1}')


async def test_a_call_that_outlasts_the_drain_is_answered_as_unavailable() -> None:
    host = Host(drain_timeout_s=0.05)
    async with asyncio.timeout(30):
        async with host.application.lifespan():
            calling = host.begin("POST", SAY, name="n", case=CASE_WAIT)
            await host.servicer.started["n"].wait()
        await calling
    assert host.answered == (503, b'{"code":14,"message":"the server is stopping"}')
    assert host.servicer.cancelled["n"].is_set()


async def test_a_stream_that_outlasts_the_drain_ends_as_its_format_does() -> None:
    host = Host(drain_timeout_s=0.05)
    async with asyncio.timeout(30):
        async with host.application.lifespan():
            calling = host.begin("POST", REPEAT, LINES, name="n", count=1, case=CASE_WAIT)
            await until_async(lambda: len(host.sent) > 1)
        await calling
    assert host.answered == (
        200,
        b'{"result":{"name":"n","index":1}}\n'
        b'{"error":{"code":14,"message":"the server is stopping"}}\n',
    )
    assert [event.get("more_body") for event in host.sent] == [None, True, False]


async def test_a_host_that_cancels_gets_no_answer_of_ours() -> None:
    host = Host()
    calling = host.begin("POST", SAY, name="n", case=CASE_WAIT)
    async with asyncio.timeout(30):
        await host.servicer.started["n"].wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await host.servicer.cancelled["n"].wait()
    assert host.sent == []


async def test_a_host_that_fails_is_told_so() -> None:
    host = Host()

    async def receive() -> Any:
        await host.servicer.started["n"].wait()
        raise OSError("the host")

    length = [(b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": SAY, "headers": length}
    host.servicer.started["n"].set()
    with pytest.raises(OSError, match="the host"):
        await host.application(scope, receive, host.send)


async def test_an_application_is_ready_until_its_lifespan_ends() -> None:
    host = Host()
    async with host.application.lifespan():
        await host.begin("GET", "/readyz")
        assert host.answered[0] == 200
    host.sent.clear()
    await host.begin("GET", "/readyz")
    assert host.answered[0] == 503


async def test_options_that_name_nothing_fail_the_start() -> None:
    application = Transcoder(without_json=["no.such.Service"]).asgi()
    events: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(event: Any) -> None:
        events.append(event)

    await application({"type": "lifespan"}, receive, send)
    assert [event["type"] for event in events] == ["lifespan.startup.failed"]
    assert "no.such.Service" in events[0]["message"]
    with pytest.raises(SchemaError):
        await application({"type": "http"}, receive, send)


async def test_no_call_leaves_garbage() -> None:
    host = Host()

    async def answered() -> None:
        await host.begin("POST", SAY, name="n")

    async def failed() -> None:
        await host.begin("POST", REPEAT, LINES, name="n", case=CASE_ERROR)

    async def cancelled() -> None:
        calling = host.begin("POST", SAY, name="c", case=CASE_WAIT)
        await host.servicer.started["c"].wait()
        calling.cancel()
        await asyncio.wait((calling,))
        await host.servicer.ended["c"].wait()

    for work in (answered, failed, cancelled):
        assert await garbage_of(work) == {}, work.__name__


async def test_an_unknown_type_of_scope_is_refused() -> None:
    host = Host()
    expected = "expected type 'lifespan', 'http' or 'websocket', got 'other'"
    with pytest.raises(RuntimeError, match=expected):
        await host.application({"type": "other"}, asyncio.Event().wait, host.send)
