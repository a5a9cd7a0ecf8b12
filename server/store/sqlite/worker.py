"""Runs calls in their order in one thread, and returns each result to the loop that asked.

Leaner than an executor of one thread: a commit is one hop there and one hop back, nothing else.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from server.store.errors import StorageError

R = TypeVar("R")
T = TypeVar("T", covariant=True)


class Worker:
    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call[object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._is_closed = False

    def submit(self, function: Callable[[], R]) -> "asyncio.Future[R]":
        """Runs the call after all that were submitted before, unless its caller has left by then.

        A caller that leaves while it runs does not stop it. Calls whose callers left are passed
        over, so that callers who ask and leave, over and over, do not delay the others.
        """
        return self._put(_Call(function)).answer

    async def finish(self, function: Callable[[], R]) -> R:
        """Runs the call to its end in any case: a caller that is cancelled leaves when it is done.

        As `submit`, it runs after all that were submitted before.
        """
        call = self._put(_Call(function, is_wanted=True))
        try:
            return await call.answer
        except asyncio.CancelledError:
            await call.ended()
            raise

    @property
    def waiting_count(self) -> int:
        """Returns how many calls wait for the thread."""
        return self._calls.qsize()

    def close(self) -> None:
        """Takes no more calls; called on the loop, as `submit` is."""
        self._is_closed = True
        self._calls.put(None)

    def join(self) -> None:
        """Waits until all submitted calls are done; blocks."""
        self._thread.join()

    def _put(self, call: "_Call[R]") -> "_Call[R]":
        if self._is_closed:
            raise StorageError("event store is closed")
        self._calls.put(call)
        return call

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()
            del call  # an idle thread keeps no result, which may be large


class _Call(Generic[T]):
    __slots__ = (
        "_end",
        "_error",
        "_function",
        "_has_ended",
        "_is_wanted",
        "_loop",
        "_result",
        "answer",
    )

    def __init__(self, function: Callable[[], T], *, is_wanted: bool = False) -> None:
        """Makes a call; one that is wanted runs also if its caller has left."""
        self._loop = asyncio.get_running_loop()
        self._function = function
        self._is_wanted = is_wanted
        self._error: BaseException | None = None
        self._has_ended = False
        self._end: asyncio.Future[None] | None = None
        self.answer: asyncio.Future[T] = self._loop.create_future()

    def run(self) -> None:
        if self.answer.cancelled() and not self._is_wanted:
            return
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            self._error = error
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            self._loop.call_soon_threadsafe(self._tell)

    async def ended(self) -> None:
        """Returns once a call that its caller has left has run."""
        if not self._has_ended:
            self._end = self._loop.create_future()
            await self._end

    def _tell(self) -> None:
        self._has_ended = True
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        answer, error = self.answer, self._error
        del self.answer, self._error  # frames of the error hold this call: no cycle
        if answer.done():
            return
        if error is None:
            answer.set_result(self._result)
        else:
            answer.set_exception(error)
