"""Spans on their way to a collector: batches, losses, the end."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import structlog
from structlog.testing import LogCapture

from server.tracing import export as module
from server.tracing.export import BATCH_MAX, WAITING_MAX, SpanExport
from server.tracing.trace_context import TraceContext
from server.tracing.tracer import Kind, Span
from tests.support.waiting import until_async

SPAN = Span("name", Kind.INTERNAL, TraceContext("a" * 32, "b" * 16, True), None, 0)
LOST = "traces are lost"


class Sender:
    """Keeps how many spans came in each request, once it may."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.sizes: list[int] = []
        self.may_send = threading.Event()
        self.has_begun = threading.Event()
        self.is_closed = False

    def send(self, spans: Sequence[Span]) -> str:
        self.has_begun.set()
        self.may_send.wait(60)
        self.sizes.append(len(spans))
        return self.reason

    def close(self) -> None:
        self.is_closed = True
        self.may_send.set()


class Broken(Sender):
    def send(self, spans: Sequence[Span]) -> str:
        super().send(spans)
        raise ValueError("a fault")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    capture = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture


@asynccontextmanager
async def exporting(
    sender: Sender, *, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[SpanExport]:
    export = SpanExport(sender, clock=clock)
    export.start()
    try:
        yield export
    finally:
        sender.may_send.set()
        await export.close()


async def test_spans_are_sent_in_batches_and_the_last_ones_at_the_end(lines: LogCapture) -> None:
    sender = Sender()
    sender.may_send.set()
    async with exporting(sender) as export:
        for _ in range(2 * BATCH_MAX + 1):
            export.add(SPAN)
    assert sum(sender.sizes) == 2 * BATCH_MAX + 1
    assert max(sender.sizes) <= BATCH_MAX
    assert sender.is_closed
    assert lines.entries == []


async def test_spans_without_room_are_lost_and_counted(lines: LogCapture) -> None:
    sender = Sender()
    async with exporting(sender) as export:
        export.add(SPAN)
        await asyncio.to_thread(sender.has_begun.wait, 60)
        for _ in range(WAITING_MAX + 5):
            export.add(SPAN)
        sender.may_send.set()
        await until_async(lambda: sum(sender.sizes) == WAITING_MAX + 1)
    assert [(line["event"], line["spans"]) for line in lines.entries] == [(LOST, 5)]


async def test_losses_are_one_line_a_minute(lines: LogCapture) -> None:
    now = 1000.0
    sender = Sender("no answer")
    sender.may_send.set()
    async with exporting(sender, clock=lambda: now) as export:
        for second in (1000.0, 1001.0, 1059.0, 1060.0):
            now, sent = second, len(sender.sizes)
            export.add(SPAN)
            await until_async(lambda sent=sent: len(sender.sizes) > sent)  # type: ignore[misc]
    assert [(line["event"], line["spans"], line["reason"]) for line in lines.entries] == [
        (LOST, 1, "no answer"),
        (LOST, 3, "no answer"),
    ]


async def test_a_fault_of_a_sender_does_not_end_the_others(lines: LogCapture) -> None:
    sender = Broken()
    sender.may_send.set()
    async with exporting(sender) as export:
        for sent in (1, 2):
            export.add(SPAN)
            await until_async(lambda sent=sent: len(sender.sizes) == sent)  # type: ignore[misc]
    assert "traces cannot be sent; report this" in [line["event"] for line in lines.entries]


async def test_the_end_does_not_wait_for_a_sender_that_hangs(
    lines: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_MAX_S", 0.1)
    sender = Sender()
    export = SpanExport(sender)
    export.start()
    export.add(SPAN)
    await asyncio.to_thread(sender.has_begun.wait, 60)
    export.add(SPAN)
    await export.close()
    assert sender.is_closed
    assert [line["event"] for line in lines.entries] == ["traces were lost at the end"]
