"""Defines a whole store, and how one is opened; `server.store.opening` says by which engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from server.store.log import EventLog
from server.store.machine_ids import MachineIds
from server.store.read_model import ReadModel
from server.store.runs import RunStore

Progress: TypeAlias = Callable[[int, int], None]
"""Takes how many events were applied, of how many."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Says how a database is opened.

    Attributes:
        checks_whole: looks for damage everywhere, however long it takes.
        accepts_loss: goes on without events that were written and are gone.
    """

    checks_whole: bool = False
    accepts_loss: bool = False


AS_USUAL: Final = Opening()


class Store(EventLog, ReadModel, RunStore, MachineIds, Protocol):
    """All that a process asks of one database; most modules need one part of it."""

    @property
    def migrations(self) -> tuple[str, ...]:
        """The versions of the schema that were applied when this store was opened, in order."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the operator about how this store was opened, a line each."""

    async def check(self) -> None:
        """Returns if the store can be used.

        Raises:
            StorageError: it cannot.
        """
