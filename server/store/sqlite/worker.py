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
        if self._is_closed:
            raise StorageError("event store is closed")
        call = _Call(function)
        self._calls.put(call)
        return call.answer

    def close(self) -> None:
        """Takes no more calls; called on the loop, as `submit` is."""
        self._is_closed = True
        self._calls.put(None)

    def join(self) -> None:
        """Waits until all submitted calls are done; blocks."""
        self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()
            del call  # an idle thread keeps no result, which may be large


class _Call(Generic[T]):
    __slots__ = ("_error", "_function", "_loop", "_result", "answer")

    def __init__(self, function: Callable[[], T]) -> None:
        self._loop = asyncio.get_running_loop()
        self._function = function
        self._error: BaseException | None = None
        self.answer: asyncio.Future[T] = self._loop.create_future()

    def run(self) -> None:
        if self.answer.cancelled():
            return
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            self._error = error
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self.answer.done():
            return
        if self._error is None:
            self.answer.set_result(self._result)
        else:
            self.answer.set_exception(self._error)
