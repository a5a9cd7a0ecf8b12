"""Checks every second if the store can be used, and reports changes.

Knows nothing of stores or of readiness: it gets a function for each.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from server import tasks
from server.store.errors import StorageError

CHECK_S: Final = 1.0
"""Seconds between two checks."""

CHECK_MAX_S: Final = 5.0
"""Max seconds of a check; a store that needs longer is unavailable."""

Check: TypeAlias = Callable[[], Awaitable[None]]
"""Returns if the store can be used; raises StorageError if not."""

OnChange: TypeAlias = Callable[[bool], Awaitable[None]]
"""Called when the store becomes available (True) or unavailable (False)."""

log = structlog.get_logger()


class StorageWatch:
    """Checks the store from `start` to `close`."""

    def __init__(self, check: Check, on_change: OnChange, *, interval_s: float = CHECK_S) -> None:
        """Starts nothing; the store counts as available until `start`."""
        self._check = check
        self._on_change = on_change
        self._interval_s = interval_s
        self._is_available = True
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="storage watch")

    async def close(self) -> None:
        await tasks.end(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            problem = await self._problem()
            if (not problem) is self._is_available:
                continue
            self._is_available = not problem
            if problem:
                log.error("storage is unavailable", reason=problem)
            else:
                log.info("storage is available again")
            await self._on_change(self._is_available)

    async def _problem(self) -> str:
        """Returns why the store cannot be used; empty if it can."""
        try:
            async with asyncio.timeout(CHECK_MAX_S):
                await self._check()
        except StorageError as error:
            return str(error)
        except TimeoutError:
            return f"it did not answer within {CHECK_MAX_S:g} s"
        return ""
