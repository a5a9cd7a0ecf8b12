"""Tells what other processes change, by reading the events that they commit.

Positions are in the order of commits, so a reader that goes on after the last one misses nothing,
also after its connection was lost. It asks many times a second instead of listening (LISTEN): that
costs less than a notification for each batch, and works behind a pooler of connections.
Rule: while the events cannot be read in time, everything is told to be forgotten, again and again:
what a process keeps in memory is never older than `POLL_S` and `ANSWER_MAX_S` together.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from server.domain.events import RecordedEvent
from server.store.engine import Forgetful
from server.store.errors import StorageError
from server.store.log import Writes
from server.store.postgres.connect import Connection, Server

POLL_S: Final = 0.1
"""Seconds between two reads."""

ANSWER_MAX_S: Final = 0.5
"""Max seconds of a read."""

EVENTS_MAX: Final = 1_000
"""Max events of a read; if there are more, all is forgotten in place of reading them."""

# Without what events carry: a script may be long, and nobody asks for it.
_SELECT: Final = """
SELECT position, org_id, aggregate_type, aggregate_id, sequence, type, editor, created_at
FROM events WHERE position > $1 ORDER BY position LIMIT $2
"""
_LAST: Final = "SELECT coalesce(max(position), 0) FROM events"


class Follower:
    """Reads on from the position at its start."""

    def __init__(self, server: Server, position: int) -> None:
        """Takes the position of the last event that everybody knows."""
        self._server = server
        self._position = position
        self._connection: Connection = None

    def note(self, writes: Writes) -> None:
        """Skips events of this process, which knows them already."""
        if writes.events and writes.events[0].position == self._position + 1:
            self._position = writes.events[-1].position

    @contextlib.asynccontextmanager
    async def telling(self, kept: Sequence[Forgetful]) -> AsyncIterator[None]:
        """Tells those who keep something in memory, while the block lasts."""
        task = asyncio.get_running_loop().create_task(self._follow(kept), name="event follower")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))
            self._close()

    async def _follow(self, kept: Sequence[Forgetful]) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                async with asyncio.timeout(ANSWER_MAX_S):
                    events = await self._next()
            except (StorageError, TimeoutError):
                self._close()
                events = None
            for each in kept:
                if events is None:
                    each.forget_all()
                elif events:
                    each.forget(events)

    async def _next(self) -> Sequence[RecordedEvent] | None:
        """Returns new events, without what they carry; None if there are too many."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._server.connect()
        with self._server.errors:
            rows = await self._connection.fetch(_SELECT, self._position, EVENTS_MAX + 1)
            if len(rows) > EVENTS_MAX:
                self._position = await self._connection.fetchval(_LAST)
                return None
        events = [RecordedEvent(**row, payload={}) for row in rows]
        if events:
            self._position = max(self._position, events[-1].position)
        return events

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
