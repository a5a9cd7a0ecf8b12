"""Runs plain functions and generators as handlers, in threads, as grpc.aio does.

Rule: handlers have a pool of their own. In the default executor of the loop they would wait behind
name look-ups and file access of the application.
"""

import asyncio
import contextvars
import functools
import logging
import os
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import CancelledError as FutureCancelledError
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from grpc.aio import AbortError, UsageError

from transcoder.backends.servicer_context import (
    Requests,
    ServicerContext,
    StreamContext,
    SyncContext,
)
from transcoder.call import Call
from transcoder.errors import TranscodeError
from transcoder.threads import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)

THREADS_MAX: Final = min(32, (os.cpu_count() or 1) + 4)
"""Max threads: those of the default executor, in which grpc.aio runs plain handlers."""

_EXPECTED_AFTER_END: Final = (AbortError, UsageError, TranscodeError, FutureCancelledError)
"""Exceptions that a plain handler meets in its context once its call has ended."""

R = TypeVar("R")


class PlainHandlers:
    """Runs plain handlers in threads, which start with the first call, and again after `close`."""

    def __init__(self) -> None:
        self._threads = Threads("handler", threads_max=THREADS_MAX)

    async def unary(
        self, handler: Callable[..., Any], request: object, call: Call, context: ServicerContext
    ) -> Any:  # noqa: ANN401
        """Runs a plain function with the caller's context variables."""
        loop_side = _LoopSide()
        run = contextvars.copy_context().run
        work = functools.partial(run, handler, loop_side.given(request), SyncContext(context))
        try:
            return await self._run(work, call, context)
        finally:
            loop_side.end()

    async def stream(
        self, handler: Callable[..., Any], request: object, call: Call, context: StreamContext
    ) -> None:
        """Runs a plain generator in one thread, which waits for each write."""
        loop_side = _LoopSide()
        given = loop_side.given(request)

        def run() -> None:
            responses = handler(given, SyncContext(context))
            try:
                for response in responses:
                    loop_side.wait_for(context.write(response))
            finally:
                if isinstance(responses, Generator):
                    responses.close()

        try:
            work = functools.partial(contextvars.copy_context().run, run)
            await self._run(work, call, context)
        finally:
            # The thread goes on to its next write or read, which fails because the call is over.
            loop_side.end()

    def close(self) -> None:
        """Has the threads end after the queued calls; does not wait for them."""
        self._threads.close()

    async def _run(self, work: Callable[[], R], call: Call, context: ServicerContext) -> R:
        return await self._threads.run(functools.partial(_in_thread, work, call, context))


class _LoopSide:
    """The event loop, as the thread of one call uses it until the call is over."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: Future[Any] | None = None
        self._is_over = False

    def wait_for(self, work: Coroutine[Any, Any, R]) -> R:
        """Runs a coroutine on the loop, and waits for its result in the thread."""
        waiting: Future[R] = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._waiting = waiting
        if self._is_over:  # the call ended before it could see this one
            waiting.cancel()
        return waiting.result()

    def given(self, argument: object) -> object:
        """Returns the argument of a plain handler: for a stream of requests, an iterator."""
        return self._requests(argument) if isinstance(argument, Requests) else argument

    def end(self) -> None:
        """Cancels what the thread waits for; it gets an exception."""
        self._is_over = True
        if self._waiting is not None:
            self._waiting.cancel()

    def _requests(self, requests: Requests) -> Iterator[object]:
        while (request := self.wait_for(requests.read())) is not grpc.aio.EOF:
            yield request


def _in_thread(work: Callable[[], R], call: Call, context: ServicerContext) -> R:
    """Does the work of a thread; raises RuntimeError for exceptions that a Future must not hold.

    A Future refuses StopIteration; SystemExit would end the loop, CancelledError the call. A
    failure after the end of the call is logged here, as no caller gets it.
    """
    try:
        return work()
    except BaseException as exc:
        is_over = context.done() or context.cancelled()
        if is_over and not isinstance(exc, _EXPECTED_AFTER_END):
            logger.exception("%s failed after its end", call.method.path)
        if isinstance(exc, Exception) and not isinstance(exc, StopIteration | FutureCancelledError):
            raise
        raise RuntimeError(f"a plain function raised {type(exc).__name__}") from exc
