"""Runs plain functions and generators as handlers, in threads, as grpc.aio does.

Rule: handlers have a pool of their own. In the default executor of the loop they would wait behind
name look-ups and file access of the application.
"""

import asyncio
import contextvars
import functools
import logging
import os
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError as FutureCancelledError
from typing import TYPE_CHECKING, Any, Final, TypeVar

from grpc.aio import AbortError, UsageError

from transcoder.backends.servicer_context import ServicerContext, StreamContext, SyncContext
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
        run = contextvars.copy_context().run
        work = functools.partial(run, handler, request, SyncContext(context))
        return await self._run(work, call, context)

    async def stream(
        self, handler: Callable[..., Any], request: object, call: Call, context: StreamContext
    ) -> None:
        """Runs a plain generator in one thread, which waits for each write."""
        loop = asyncio.get_running_loop()
        writing: Future[None] | None = None
        is_over = False

        def run() -> None:
            nonlocal writing
            responses = handler(request, SyncContext(context))
            try:
                for response in responses:
                    writing = asyncio.run_coroutine_threadsafe(context.write(response), loop)
                    if is_over:  # the call ended before it could see this write
                        writing.cancel()
                    writing.result()
            finally:
                if isinstance(responses, Generator):
                    responses.close()

        try:
            work = functools.partial(contextvars.copy_context().run, run)
            await self._run(work, call, context)
        finally:
            # The thread goes on to its next write, which fails because the call is over.
            is_over = True
            if writing is not None:
                writing.cancel()

    def close(self) -> None:
        """Has the threads end after the queued calls; does not wait for them."""
        self._threads.close()

    async def _run(self, work: Callable[[], R], call: Call, context: ServicerContext) -> R:
        return await self._threads.run(functools.partial(_in_thread, work, call, context))


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
