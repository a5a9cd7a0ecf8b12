"""Carries the metrics of worker processes to the process that started them, and adds them up.

Each worker has a socket to that process. An octet asks for a snapshot; the answer is its length and
its JSON, or a length of 0 if the worker cannot make one.

Rule: a counter does not fall: of a worker that is silent or has ended the last known counts stay.
"""

import asyncio
import socket
from typing import Final

import msgspec
import structlog

from server.metrics.instruments import Registry, reading
from server.metrics.serving import Collect
from server.metrics.snapshot import Kind, Snapshot, merged
from server.tasks import end

ANSWER_MAX_S: Final = 2.0
"""Max seconds to wait for the snapshot of a worker; its last counts stand in for a late one."""

_ASK: Final = b"?"
_LENGTH_BYTES: Final = 4

log = structlog.get_logger()


class FiguresGiver:
    """Gives the metrics of this process to the one that started it, from `start` to `close`."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect
        self._task: asyncio.Task[None] | None = None

    def start(self, connected: socket.socket) -> None:
        """Answers on a connected socket."""
        self._task = asyncio.get_running_loop().create_task(self._answer_all(connected))

    async def close(self) -> None:
        await end(self._task)

    async def _answer_all(self, connected: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connected)
        try:
            while await reader.read(1):
                answer = await self._answer()
                writer.write(len(answer).to_bytes(_LENGTH_BYTES) + answer)
                await writer.drain()
        except OSError:
            return  # the other process has ended
        finally:
            writer.transport.abort()

    async def _answer(self) -> bytes:
        try:
            return msgspec.json.encode(await self._collect())
        except Exception:  # nobody awaits the task, so the error would be lost
            log.exception("the page of metrics cannot be made")
            return b""


class WorkersFigures:
    """Collects the metrics of all workers."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._ended: Snapshot = ()
        registry = Registry()
        registry.read(
            "actions_workers",
            Kind.GAUGE,
            "Worker processes that serve.",
            reading(lambda: len(self._workers)),
        )
        self._silent = registry.counter(
            "actions_workers_silent", "Times that a worker process gave no figures in time."
        ).of()
        self._registry = registry

    async def add(self, number: int, connected: socket.socket) -> None:
        """Collects from a worker, too, until `remove`; its socket is closed then."""
        reader, writer = await asyncio.open_connection(sock=connected)
        self._workers[number] = _Worker(reader, writer)

    def remove(self, number: int) -> None:
        """Keeps the last counts of a worker that has ended."""
        worker = self._workers.pop(number, None)
        if worker is not None:
            worker.close()
            self._ended = merged((self._ended, _counts(worker.last)))

    async def collect(self) -> Snapshot:
        asked = [*self._workers.values()]
        answered = await asyncio.gather(*(worker.ask() for worker in asked))
        silent = [
            worker for worker, has_answered in zip(asked, answered, strict=True) if not has_answered
        ]
        self._silent.value += len(silent)
        known = (
            _counts(worker.last) if worker in silent else worker.last
            for worker in self._workers.values()  # some have ended meanwhile
        )
        return merged((*known, self._ended, self._registry.snapshot()))


class _Worker:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reading: asyncio.Task[bool] | None = None
        self.last: Snapshot = ()

    async def ask(self) -> bool:
        """Asks for a snapshot; True if it came, and is the last one."""
        if self._reading is None:  # else a late answer to an earlier question is waited for
            self._writer.write(_ASK)
            self._reading = asyncio.get_running_loop().create_task(self._read())
        reading = self._reading
        await asyncio.wait((reading,), timeout=ANSWER_MAX_S)
        if not reading.done():
            return False
        self._reading = None
        return not reading.cancelled() and reading.result()

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._writer.transport.abort()

    async def _read(self) -> bool:
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES))
            answer = await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            return False
        if length:
            self.last = msgspec.json.decode(answer, type=Snapshot)
        return length > 0


def _counts(snapshot: Snapshot) -> Snapshot:
    """Returns the metrics that only rise."""
    return tuple(metric for metric in snapshot if metric.kind is not Kind.GAUGE)
