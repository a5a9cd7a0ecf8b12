"""Runs work off the event loop, in bounded pools of threads, one for each purpose.

`asyncio.to_thread` and the loop's default executor are forbidden (lint and tests check it): all
purposes share them, so one that fills them stops the others. The composition root makes the pools
and passes them down. This module knows nothing of the service.

Rule 1: the owners of waiting calls take turns, so that no owner waits for all calls of another.
Rule 2: waiting calls are bounded, and one owner has at most half of them. More are refused.
"""

import asyncio
import contextlib
import contextvars
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

WAITING_MAX: Final = 512
"""Max calls that wait for a thread of a pool; more are refused."""

P = ParamSpec("P")
R = TypeVar("R")


class TooManyWaiting(Exception):
    """The pool is full for this owner, or closed; the call did not begin."""


class ThreadPool:
    """Runs blocking functions in threads of its own."""

    def __init__(self, purpose: str, *, threads_max: int, waiting_max: int = WAITING_MAX) -> None:
        """Starts no thread yet.

        Args:
            purpose: the prefix of the threads' names.
            threads_max: max threads; for CPU work one, as Python runs one at a time.
            waiting_max: max calls that wait for a thread.
        """
        self._purpose = purpose
        self._executor = ThreadPoolExecutor(threads_max, thread_name_prefix=purpose)
        self._free = threads_max
        self._waiting_max = waiting_max
        self._waiting_count = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """Waiting calls by owner; the first owner has the next turn."""
        self._is_closed = False

    async def run(
        self, owner: str, function: Callable[P, R], *args: P.args, **named: P.kwargs
    ) -> R:
        """Runs the function in a thread, with the caller's context variables.

        A caller that is cancelled leaves; a function that has begun runs to its end and keeps its
        thread until then.

        Args:
            owner: whose work it is: an organisation's id, or "" for the service itself.
            function: does not touch the event loop.
            *args: of the function.
            **named: of the function.

        Raises:
            TooManyWaiting: the function was not called.
        """
        self._refuse_when_closed()
        if self._free:
            self._free -= 1
        else:
            await self._turn(owner)
            self._refuse_when_closed()
        work = partial(contextvars.copy_context().run, function, *args, **named)
        return await asyncio.wrap_future(self._begin(work))

    @property
    def waiting_count(self) -> int:
        """Returns how many calls wait for a thread."""
        return self._waiting_count

    def close(self) -> None:
        """Refuses all calls from now on, also those that wait; does not wait for running ones."""
        self._is_closed = True
        for turns in self._waiting.values():
            for turn in turns:
                if not turn.done():
                    turn.set_exception(TooManyWaiting(f"{self._purpose}: closed"))
        self._waiting.clear()
        self._waiting_count = 0
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise TooManyWaiting(f"{self._purpose}: closed")

    def _begin(self, work: Callable[[], R]) -> "Future[R]":
        """Starts the work in a free thread.

        A function of its own: if a frame of `run` held the future, the frame, the future and the
        error of the work would be a cycle.
        """
        loop = asyncio.get_running_loop()

        def ended(_: "Future[R]") -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._release)

        try:
            future = self._executor.submit(work)
        except RuntimeError:  # the system has no thread left
            self._release()
            raise
        future.add_done_callback(ended)
        return future

    async def _turn(self, owner: str) -> None:
        """Waits for a thread, which is then the caller's."""
        turns = self._waiting.get(owner, ())
        if len(turns) >= max(1, self._waiting_max // 2) or self._waiting_count >= self._waiting_max:
            raise TooManyWaiting(f"{self._purpose}: {self._waiting_count} calls wait already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        self._waiting_count += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(owner, turn)
            elif turn.exception() is None:
                self._release()  # the turn came at the same moment
            raise

    def _forget(self, owner: str, turn: "asyncio.Future[None]") -> None:
        turns = self._waiting.get(owner)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        self._waiting_count -= 1
        if not turns:
            del self._waiting[owner]

    def _release(self) -> None:
        """Gives the thread to the next owner's oldest call; that owner is then the last in turn."""
        while self._waiting:
            owner = next(iter(self._waiting))
            turns = self._waiting.pop(owner)
            turn = turns.popleft()
            self._waiting_count -= 1
            if turns:
                self._waiting[owner] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
