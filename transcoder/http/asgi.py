"""Answers the requests of an ASGI host, and takes part in its lifespan.

Follows the ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format" and "Lifespan Protocol".
Rule 1: a call runs in a task of its own, which is cancelled once: when its client leaves, or when
the host cancels the application.
Rule 2: an answer that must not look whole ends in an exception, as ASGI has no other word for it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from transcoder.errors import SchemaError
from transcoder.http.asgi_events import Receive, Scope, Send
from transcoder.http.asgi_request import AsgiRequest
from transcoder.http.asgi_websocket import AsgiSocketRequest
from transcoder.http.request import AnswerRequest
from transcoder.http.response import Responses
from transcoder.tasks import Tasks

_REQUESTS: Final = {"http": AsgiRequest, "websocket": AsgiSocketRequest}
_TYPES: Final = "'lifespan', 'http' or 'websocket'"


class AsgiApplication:
    """An ASGI 3 application."""

    def __init__(
        self,
        answer: AnswerRequest,
        *,
        responses: Responses,
        tasks: Tasks,
        write_timeout_s: float,
        start: Callable[[], None],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        """Prepares an application.

        Args:
            answer: answers a request; it is cancelled when its client leaves.
            responses: knows the headers of all answers.
            tasks: waits for requests that are cancelled.
            write_timeout_s: max seconds for a client to take 64 KiB of an answer.
            start: called once, before the first request; raises `SchemaError`.
            stop: called when the lifespan ends.
        """
        self._answer = answer
        self._responses = responses
        self._tasks = tasks
        self._write_timeout_s = write_timeout_s
        self._start = start
        self._stop = stop
        self._is_started = False

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
        await self._run(make(scope, receive, send, write_timeout_s=self._write_timeout_s))

    @asynccontextmanager
    async def lifespan(self, _application: object = None) -> AsyncIterator[None]:
        """Starts, and stops at the end; what an application around this one runs as its lifespan.

        Raises:
            SchemaError: options name what no service has.
        """
        self._start_once()
        try:
            yield
        finally:
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

    async def _run(self, request: AsgiRequest) -> None:
        # The host is heard first: a body that has come already is then here when it is wanted.
        listening = asyncio.create_task(request.listen(lambda: _leave(request, answering)))
        answering = asyncio.create_task(self._send_answer(request))
        self._tasks.keep(listening)
        self._tasks.keep(answering)
        try:
            await asyncio.wait((answering,))
        except asyncio.CancelledError:
            request.stop_call()
            request.end_call()
            answering.cancel()
            await request.flush()
            raise
        finally:
            listening.cancel()
        if listening.done():
            listening.result()  # fails as the host has
        if not answering.cancelled():
            answering.result()
        await request.flush()
        if request.is_cut:
            raise ConnectionAbortedError("the answer must not look whole: its call has failed")

    async def _send_answer(self, request: AsgiRequest) -> None:
        answer = await self._answer(request)
        if answer is not None:
            headers = self._responses.headers(answer)
            await request.answer(answer.status, headers, answer.body)


def _leave(request: AsgiRequest, answering: "asyncio.Task[None]") -> None:
    """Ends the call of a client that has left."""
    request.end_call()
    answering.cancel()
