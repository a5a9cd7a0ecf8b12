"""Answers the requests of an ASGI host, and takes part in its lifespan.

Follows the ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format" and "Lifespan Protocol".
Rule 1: a call runs in a task of its own, which is cancelled once: when its client leaves, or when
the host cancels the application.
Rule 2: an answer that must not look whole ends in an exception, as ASGI has no other word for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from transcoder.errors import SchemaError, stopping
from transcoder.http.asgi_events import Receive, Scope, Send
from transcoder.http.asgi_request import AsgiRequest
from transcoder.http.asgi_websocket import AsgiSocketRequest
from transcoder.http.connections import LINGER_S
from transcoder.http.request import AnswerRequest, Refuse
from transcoder.http.response import Answer, Responses
from transcoder.options import Limits
from transcoder.tasks import Tasks

_REQUESTS: Final = {"http": AsgiRequest, "websocket": AsgiSocketRequest}
_TYPES: Final = "'lifespan', 'http' or 'websocket'"


class AsgiApplication:
    """An ASGI 3 application."""

    def __init__(
        self,
        answer: AnswerRequest,
        refuse: Refuse,
        *,
        responses: Responses,
        tasks: Tasks,
        limits: Limits,
        start: Callable[[], None],
        drain: Callable[[], None],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        """Prepares an application.

        Args:
            answer: answers a request; it is cancelled when its client leaves.
            refuse: makes the answer to a request that is ended before it is answered.
            responses: knows the headers of all answers.
            tasks: waits for requests that are cancelled.
            limits: of the time for clients to read, and of the drain.
            start: called once, before the first request; raises `SchemaError`.
            drain: called when the lifespan ends, while requests are in flight.
            stop: called when they have ended.
        """
        self._answer = answer
        self._refuse = refuse
        self._responses = responses
        self._tasks = tasks
        self._limits = limits
        self._start = start
        self._drain = drain
        self._stop = stop
        self._is_started = False
        self._running: dict[asyncio.Task[None], AsgiRequest] = {}
        # Resolved when no request is in flight.
        self._emptied: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or runs the lifespan, as ASGI asks.

        Raises:
            ConnectionAbortedError: the answer has begun and must not look whole.
        """
        kind = scope["type"]
        if kind == "lifespan":
            await self._run_lifespan(receive, send)
            return
        make = _REQUESTS.get(kind)
        if make is None:
            raise RuntimeError(f"ASGI scope: expected type {_TYPES}, got {kind!r}")
        self._start_once()
        await self._run(make(scope, receive, send, write_timeout_s=self._limits.write_timeout_s))

    @asynccontextmanager
    async def lifespan(self, _application: object = None) -> AsyncIterator[None]:
        """Starts, and drains at the end; what an application around this one runs as its lifespan.

        Requests that still run `limits.drain_timeout_s` after the end are answered as UNAVAILABLE.

        Raises:
            SchemaError: options name what no service has.
        """
        self._start_once()
        try:
            yield
        finally:
            self._drain()
            await self._until_empty(self._limits.drain_timeout_s)
            for answering, request in tuple(self._running.items()):
                if not request.is_begun:
                    request.refusal = self._refuse(stopping(), request)
                _end(request, answering)
            await self._until_empty(LINGER_S)
            await self._stop()

    def _start_once(self) -> None:
        if not self._is_started:
            self._start()
            self._is_started = True

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except SchemaError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _until_empty(self, within_s: float) -> None:
        if self._running:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._emptied,), timeout=within_s)

    async def _run(self, request: AsgiRequest) -> None:
        # The host is heard first: a body that has come already is then here when it is wanted.
        listening = asyncio.create_task(request.listen(lambda: _leave(request, answering)))
        answering = asyncio.create_task(self._send_answer(request))
        self._tasks.keep(listening)
        self._tasks.keep(answering)
        self._running[answering] = request
        try:
            await asyncio.wait((answering,))
            await self._flush(request)
        except asyncio.CancelledError:
            _end(request, answering)
            await self._flush(request)
            raise
        finally:
            listening.cancel()
            del self._running[answering]
            if self._emptied is not None and not (self._running or self._emptied.done()):
                self._emptied.set_result(None)
        if listening.done():
            listening.result()  # fails as the host has
        if not answering.cancelled():
            answering.result()
        if request.is_cut:
            raise ConnectionAbortedError("the answer must not look whole: its call has failed")

    async def _send_answer(self, request: AsgiRequest) -> None:
        answer = await self._answer(request)
        if answer is not None:
            await self._send(request, answer)

    async def _flush(self, request: AsgiRequest) -> None:
        """Sends what the end of a call has left to be sent."""
        with contextlib.suppress(OSError):  # the client left
            if request.refusal is not None:
                await self._send(request, request.refusal)
            await request.flush()

    async def _send(self, request: AsgiRequest, answer: Answer) -> None:
        await request.answer(answer.status, self._responses.headers(answer), answer.body)


def _leave(request: AsgiRequest, answering: "asyncio.Task[None]") -> None:
    """Ends the call of a client that has left."""
    request.end_call()
    answering.cancel()


def _end(request: AsgiRequest, answering: "asyncio.Task[None]") -> None:
    """Ends a call whose client is there, and its stream, if it has begun one."""
    request.stop_call()
    request.end_call()
    answering.cancel()
