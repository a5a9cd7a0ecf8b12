"""Runs statements one after the other for a command, which waits for each.

The connection has an event loop of its own, and no deadline: a command works through all events.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from server.domain.events import RecordedEvent
from server.domain.sealed import Sealed
from server.store.engine import StoredContent
from server.store.log import LastEvent
from server.store.postgres import contents as sealed_contents
from server.store.postgres.connect import Connection, Server
from server.store.postgres.event_reads import events_after, last_event

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """Holds a connection inside its block; implements `engine.EventReader`, `ContentWriter`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._connection: Connection = None

    def __enter__(self) -> Self:
        """Connects.

        Raises:
            StorageError: the database cannot be reached.
        """
        try:
            self._connection = self._runner.run(self._server.connect(has_deadline=False))
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._connection.terminate()
        self._runner.close()

    def run(
        self,
        work: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Runs a coroutine function on the connection.

        Raises:
            StorageError: the database fails.
        """
        with self._server.errors:
            return self._runner.run(work(self._connection, *args, **named))

    def events(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        return self.run(events_after, after, limit)

    def last_event(self) -> LastEvent:
        return self.run(last_event)

    def contents(self, after: str, limit: int) -> Sequence[StoredContent]:
        return self.run(sealed_contents.read, after, limit)

    def replace(self, contents: Sequence[tuple[StoredContent, Sealed]]) -> None:
        self.run(sealed_contents.replace, contents)
