"""Ends background tasks. Knows nothing of the service."""

import asyncio
from typing import Any


async def end(task: asyncio.Task[Any] | None) -> None:
    """Cancels a task and waits until it has ended; does nothing if there is none."""
    if task is not None:
        task.cancel()
        await asyncio.wait((task,))
