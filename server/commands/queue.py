"""Queues commands while a transaction runs; the next transaction takes all that wait.

The batch is the unit of commit: each command is decided in order, sees the earlier ones, and is
answered once the batch is durable. A refusal fails one command, a storage failure fails the batch.
A batch begins once a turn of the loop brings nobody: what the loop has at hand is done first.
Where callers come one by one but many at a time, as grpc.aio delivers them, a transaction each
would cost more than all the rest. So a batch is gathered as long as more come, but only while the
process has no CPU time to spare: with time to spare, a transaction each costs nobody anything.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, Self, TypeAlias

from server.commands.base import Change, Command, R
from server.commands.batch import Batch, needs_of
from server.commands.load import ProcessLoad
from server.domain.events import RecordedEvent
from server.domain.refusals import Kind, Refusal, Unchanged
from server.store.errors import StorageError
from server.store.log import LoadedFacts, Transactions, Writes

BATCH_MAX: Final = 256
"""Max commands of one transaction; with more, a batch gains little and its callers wait longer."""

BATCH_MAX_CHARS: Final = 1 << 20
"""Max characters written in one transaction, on the loop: about 5 ms (R18)."""

FULL: Final = 32
"""Commands that are worth a transaction, without waiting for more."""

COMMANDS_WAITING_MAX: Final = 10_000
"""Max commands that wait, about half a second of work; more are RESOURCE_EXHAUSTED."""

PAUSE_S: Final = 0.001
"""Max seconds between callers who come one by one."""

GATHER_MAX_S: Final = 0.010
"""Max seconds that the first of a batch waits for others, in a process without time to spare."""

SPARE_UNTIL: Final = 0.94
SATURATED: Final = 0.99
"""Shares of a core that the process uses: up to the first nobody waits, from the second on for
`GATHER_MAX_S`, and in between for a part of it (docs/decisions/0020)."""

_log: Final = logging.getLogger(__name__)

OnCommit: TypeAlias = Callable[[Sequence[RecordedEvent]], None]


class Observer(Protocol):
    """Counts batches, and commands that are refused."""

    def batch_ended(
        self, commands: Sequence[Command[object]], seconds: float, *, is_written: bool
    ) -> None: ...

    def refused(self) -> None: ...


class BatchFailed(Exception):
    """A fault of this program failed the batch; nothing was written. The log has the cause."""

    def __str__(self) -> str:
        return "the batch of the command failed"


class CommandQueue:
    """Commits commands to a store, whose clock is the time of each command.

    `on_commit` takes the events of each batch, on the loop, before its callers are answered; also
    of a batch that failed while it was committed, as it may be stored. `load` returns how much of a
    core the process uses. `observers` are called on the loop.
    """

    def __init__(
        self,
        store: Transactions,
        *,
        on_commit: OnCommit | None = None,
        waiting_max: int = COMMANDS_WAITING_MAX,
        load: Callable[[], float] | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._observers = observers
        self._load = load or ProcessLoad().share
        self._store = store
        self._on_commit = on_commit
        self._waiting_max = waiting_max
        self._waiting: deque[_Caller[object]] = deque()
        self._arrived = asyncio.Event()
        self._open = False
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def start(self) -> None:
        self._open = True
        self._runner = asyncio.create_task(self._run(), name="command queue")

    async def close(self) -> None:
        """Finishes the batch that runs; commands that still wait fail with UNAVAILABLE."""
        self._open = False
        self._arrived.set()
        if self._runner is not None:
            await self._runner

    @property
    def waiting_count(self) -> int:
        """Returns how many commands wait for a batch."""
        return len(self._waiting)

    async def execute(self, command: Command[R], *, allow_noop: bool = False) -> R:
        """Decides and commits the command; durable when this returns.

        A caller that is cancelled leaves its command undone if no batch has taken it yet.

        Args:
            command: decided once, with the batch that takes it.
            allow_noop: True if a command that changes nothing succeeds; decided by the facts of the
                batch, as all else is.

        Raises:
            Refusal: the rules forbid it; or UNAVAILABLE if the queue is closed, RESOURCE_EXHAUSTED
                if too many wait.
            StorageError: nothing of its batch was written.
            BatchFailed: the same, by a fault of this program.
        """
        return await self._queued(command, allow_noop=allow_noop)

    def _queued(self, command: Command[R], *, allow_noop: bool) -> "asyncio.Future[R]":
        """Returns the answer to come.

        Do not name it where it is awaited: the exception of a future holds the frames that it is
        raised in, and a frame that held the future would be a cycle.
        """
        if not self._open:
            raise _closed()
        if len(self._waiting) >= self._waiting_max:
            for observer in self._observers:
                observer.refused()
            raise Refusal(Kind.RESOURCE_EXHAUSTED, "Errors.Command.TooManyWaiting")
        caller = _Caller(command, allow_noop=allow_noop)
        self._waiting.append(caller)
        self._arrived.set()
        return caller.answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        last = 0
        try:
            while self._open:
                if not self._waiting:
                    since = loop.time()
                    self._arrived.clear()
                    await self._arrived.wait()
                    if loop.time() - since >= GATHER_MAX_S:
                        last = 0
                    continue
                await self._take_turns()
                if last:
                    await self._gather(last)
                callers = self._take()
                if self._observers:
                    await self._observed_commit(callers)
                else:
                    await self._commit(callers)
                last = len(callers) if len(callers) > 1 or self._waiting else 0
        finally:
            self._open = False
            for caller in self._waiting:
                caller.fail(_closed())
            self._waiting.clear()

    async def _take_turns(self) -> None:
        """Lets the loop do what it has at hand, as long as each turn brings a caller.

        Answers to the last batch are on their way before the next one begins, and callers who ask
        at once are in it.
        """
        seen = 0
        while seen < len(self._waiting) < FULL:
            seen = len(self._waiting)
            await asyncio.sleep(0)

    async def _gather(self, last: int) -> None:
        """Waits as long as more come, and until half as many wait as were in the last batch.

        Does not wait while the process has CPU time to spare.
        """
        patience = (self._load() - SPARE_UNTIL) / (SATURATED - SPARE_UNTIL)
        if patience <= 0:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + GATHER_MAX_S * min(patience, 1)
        seen = 0
        while (here := len(self._waiting)) < FULL and loop.time() < until:
            if here == seen and here >= last // 2:
                return
            seen = here
            await asyncio.sleep(PAUSE_S)

    def _take(self) -> "list[_Caller[object]]":
        """Returns the next batch, without the callers that left."""
        waiting = self._waiting
        chars_left = BATCH_MAX_CHARS
        taken: list[_Caller[object]] = []
        while waiting and len(taken) < BATCH_MAX and chars_left > 0:
            caller = waiting.popleft()
            if not caller.answer.done():
                taken.append(caller)
                chars_left -= caller.command.cost_chars
        return taken

    async def _observed_commit(self, callers: "list[_Caller[object]]") -> None:
        started = time.perf_counter()
        is_written = await self._commit(callers)
        took_s = time.perf_counter() - started
        commands = [caller.command for caller in callers]
        for observer in self._observers:
            observer.batch_ended(commands, took_s, is_written=is_written)

    async def _commit(self, callers: "list[_Caller[object]]") -> bool:
        """Commits a batch and answers its callers; returns True if it was written."""
        events: Sequence[RecordedEvent] = ()

        def decide(loaded: LoadedFacts) -> Writes:
            nonlocal events
            batch = Batch(loaded)
            for caller in callers:
                caller.decide(batch)
            writes = batch.writes()
            events = writes.events
            return writes

        needs = needs_of([caller.command for caller in callers])
        # An error for each caller: one for all would grow a traceback with each that raises it.
        try:
            await self._store.commit(needs, decide)
        except StorageError as error:
            _log.error("batch of %d failed: %s", len(callers), error)
            self._announce(events)
            for caller in callers:
                caller.fail(StorageError(*error.args))
        except Exception:  # noqa: BLE001  a fault of ours; the runner outlives it
            _log.exception("batch of %d failed", len(callers))
            self._announce(events)
            for caller in callers:
                caller.fail(BatchFailed())
        else:
            self._announce(events)
            for caller in callers:
                caller.tell()
            return True
        return False

    def _announce(self, events: Sequence[RecordedEvent]) -> None:
        """Calls `on_commit`. Its failure is only logged: it changes nothing about the writes."""
        if self._on_commit is None or not events:
            return
        try:
            self._on_commit(events)
        except Exception:  # noqa: BLE001  whatever it is, nobody's command failed
            _log.exception("what follows a commit of %d events failed", len(events))


class _Caller(Generic[R]):
    """One command, what was decided about it, and the answer that its caller waits for."""

    __slots__ = ("_allow_noop", "_error", "_outcome", "answer", "command")

    def __init__(self, command: Command[R], *, allow_noop: bool) -> None:
        self.command = command
        self._allow_noop = allow_noop
        self.answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._error: Exception | None = None

    def decide(self, batch: Batch) -> None:
        """Decides the command and applies its changes; an error is this caller's alone."""
        command = self.command
        self._error = None
        changes: Sequence[Change] = ()
        try:
            changes = command.decide(batch)
        except Unchanged as refusal:
            if not self._allow_noop:
                self._error = refusal.with_traceback(None)
                return
        except Refusal as refusal:
            self._error = refusal.with_traceback(None)
            return
        except Exception as error:  # noqa: BLE001 - its caller's alone; the batch goes on
            self._error = error
            return
        batch.apply(changes, editor=command.editor)
        self._outcome = command.outcome(batch)

    def tell(self) -> None:
        if self.answer.done():
            return
        if self._error is None:
            self.answer.set_result(self._outcome)
        else:
            self.answer.set_exception(self._error)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _closed() -> Refusal:
    return Refusal(Kind.UNAVAILABLE, "Errors.Command.Closing")
