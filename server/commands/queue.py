"""Commands queue up while a transaction runs; the next transaction takes all that wait.

The batch is the unit of commit: each command is decided in order, sees the earlier ones, and is
answered once the batch is durable. A refusal fails one command, a storage failure fails the batch.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from server.commands.base import Command, R
from server.domain.events import RecordedEvent
from server.eventstore.contract import EventStore

BATCH_MAX: Final = 256
WAITING_MAX: Final = 10_000
PACE_S: Final = 0.003

OnCommit: TypeAlias = Callable[[Sequence[RecordedEvent]], None]


class CommandQueue:
    def __init__(
        self,
        store: EventStore,
        *,
        on_commit: OnCommit | None = None,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        """Make a queue that commits to the store; the store's clock is the time of commands.

        Args:
            on_commit: is given the events of each batch, on the loop, before callers are answered.
        """

    async def start(self) -> None: ...

    async def close(self) -> None:
        """Finish the batch that runs; what still waits is refused as UNAVAILABLE."""

    async def execute(self, command: Command[R]) -> R:
        """Decide and commit the command; durable when this returns.

        Raises:
            Refusal: the rules say no; or UNAVAILABLE when storage fails or the queue is closed,
                RESOURCE_EXHAUSTED when too many wait.
        """
        raise NotImplementedError
