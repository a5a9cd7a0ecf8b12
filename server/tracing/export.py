"""Sends ended spans in batches, from a thread of its own.

Must not know the format of a collector: a `Sender` does.
Rule 1: a call never waits for a collector; spans that there is no room for are lost, and counted.
Rule 2: losses are one line of the log a minute at most.
Rule 3: the thread does not hold up the end of the process.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from server.tracing.tracer import Span

BATCH_MAX: Final = 512
"""Max spans of one request."""

WAITING_MAX: Final = 8192
"""Max spans that wait, about 8 MiB; more are lost."""

SEND_EVERY_S: Final = 1.0
"""Max seconds that a span waits while the collector answers."""

LAST_MAX_S: Final = 3.0
"""Max seconds for the spans that wait when the service ends."""

LINE_EVERY_S: Final = 60.0
"""Min seconds between two lines of the log about lost spans."""

log = structlog.get_logger()


class Sender(Protocol):
    """Sends spans to a collector."""

    def send(self, spans: Sequence[Span]) -> str:
        """Returns why the spans are lost; empty if they arrived. Blocks."""

    def close(self) -> None:
        """Makes `send` give up soon, also in another thread."""


class SpanExport:
    """Keeps ended spans until they are sent."""

    def __init__(self, sender: Sender, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sender = sender
        self._clock = clock
        self._waiting: deque[Span] = deque()
        self._wake = threading.Event()
        self._is_closing = False
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._overflown = 0
        self._lost = 0
        self._line_at = -math.inf

    def start(self) -> None:
        self._thread.start()

    def add(self, span: Span) -> None:
        """Takes an ended span; on the loop."""
        if len(self._waiting) >= WAITING_MAX:
            self._overflown += 1
            return
        self._waiting.append(span)
        if len(self._waiting) == BATCH_MAX:
            self._wake.set()

    async def close(self) -> None:
        """Sends the spans that wait, as long as there is time."""
        self._is_closing = True
        self._wake.set()
        try:
            async with asyncio.timeout(LAST_MAX_S):
                await self._ended.wait()
        except TimeoutError:
            log.warning("traces were lost at the end", spans=len(self._waiting) + self._lost)
        self._sender.close()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._wake.wait(SEND_EVERY_S)
                self._wake.clear()
                self._send_waiting()
            self._send_waiting()
        finally:
            self._tell_ended()

    def _send_waiting(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), BATCH_MAX)
            batch = [self._waiting.popleft() for _ in range(count)]
            try:
                reason = self._sender.send(batch)
            except Exception:
                log.exception("traces cannot be sent; report this")
                reason = "a fault of the service"
            if reason:
                self._lost += len(batch)
            self._tell_of_losses(reason or "more spans than the collector takes")

    def _tell_of_losses(self, reason: str) -> None:
        lost = self._lost + self._overflown
        if lost and self._clock() - self._line_at >= LINE_EVERY_S:
            self._line_at = self._clock()
            log.warning("traces are lost", spans=lost, reason=reason)
            self._lost = self._overflown = 0

    def _tell_ended(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:  # the loop has ended, as nothing waits any more
            return
