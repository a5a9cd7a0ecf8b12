"""Remembers what was read for some seconds; whoever asks meanwhile waits for the same read.

Rule 1: a caller that leaves does not end a read for others. A read ends by its own deadline.
Rule 2: memory is bounded; what was read longest ago is dropped first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from server import tasks
from server.clock import Clock, elapsed_clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_US: Final = 1_000_000


class Remembered(Generic[K, V]):
    """Has values by key."""

    def __init__(
        self,
        *,
        size_max: int,
        size_of: Callable[[V], int],
        clock: Clock = elapsed_clock,
    ) -> None:
        """Takes its bound.

        Args:
            size_max: max sum of the sizes of values.
            size_of: returns a value's size.
            clock: a clock that is never set back.
        """
        self._size_max = size_max
        self._size_of = size_of
        self._clock = clock
        self._size = 0
        self._kept: dict[K, tuple[V, int]] = {}  # with its end; what was read last is last
        self._reading: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, read: Callable[[], Awaitable[tuple[V, float]]]) -> V:
        """Returns the value of a key.

        Args:
            key: its key.
            read: returns the value, and the seconds for which it is remembered; never raises.
        """
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(key, read))
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        """Drops the value of a key; a read that is under way is not remembered."""
        self._drop(key)
        self._reading.pop(key, None)

    def discard(self, key: K, value: V) -> None:
        """Drops the value of a key if it is this one still."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] == value:
            self._drop(key)

    async def close(self) -> None:
        """Ends all reads."""
        for task in [*self._reading.values()]:
            await tasks.end(task)

    async def _read(self, key: K, read: Callable[[], Awaitable[tuple[V, float]]]) -> V:
        task = asyncio.current_task()
        try:
            value, seconds = await read()
            if self._reading.get(key) is task:
                self._keep(key, value, self._clock() + int(seconds * _US))
            return value
        finally:
            if self._reading.get(key) is task:
                del self._reading[key]

    def _keep(self, key: K, value: V, until: int) -> None:
        self._drop(key)
        self._kept[key] = (value, until)
        self._size += self._size_of(value)
        while self._size > self._size_max:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= self._size_of(kept[0])
