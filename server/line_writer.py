"""Writes lines to a stream from a thread, so that callers never wait for the stream's reader.

Lines that wait are bounded in bytes. Others are dropped and counted; the count is written in their
place, once the stream takes lines again.

Rule 1: `write` never waits for the stream. It may be called from any thread, and while another
`write` of the same thread is under way: the collector may run a finalizer that logs.
Rule 2: lines leave in the order of their `write`.
Rule 3: under load they leave in batches; a line after a pause leaves at once.
"""

import io
import itertools
import queue
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

WAITING_MAX_BYTES: Final = 1 << 20
"""Max bytes of lines in memory, as many as a busy second makes; more are dropped."""

LINE_BYTES: Final = 64
"""Approximate bytes of memory that a line takes besides its text."""

GATHER_S: Final = 0.01
"""Seconds between batches, as each batch costs a switch of threads."""

FLUSH_STEP_S: Final = 0.002
"""Seconds between two checks of `flush`."""


class LineWriter:
    """Queues lines, and writes them in a thread of its own."""

    def __init__(
        self,
        stream: io.RawIOBase | io.BytesIO,
        *,
        dropped: Callable[[int], bytes],
        waiting_max_bytes: int = WAITING_MAX_BYTES,
    ) -> None:
        """Starts the thread, which lasts as long as the process.

        Args:
            stream: unbuffered: a stuck buffer would hold a lock that the interpreter needs to exit.
            dropped: makes the line for a number of dropped lines.
            waiting_max_bytes: max bytes of lines in memory; more are dropped.
        """
        self._stream = stream
        self._dropped_line = dropped
        self._waiting_max_bytes = waiting_max_bytes
        self._lock = threading.RLock()  # see rule 1
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0  # includes lines that are being written
        self._dropped = 0  # lines that came after the waiting ones
        self._missing = 0  # lines that came before the waiting ones
        self._is_asleep = True
        self._lost = 0  # lines that were never written, since the start
        self._has_failed = False
        self._end = b""  # line feed after a line that was written in part
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="line writer", daemon=True).start()

    def write(self, line: bytes) -> None:
        """Queues a line, which ends with a line feed, or counts it as dropped."""
        with self._lock:
            size = len(line) + LINE_BYTES
            if self._waiting_bytes + size > self._waiting_max_bytes:
                self._lost += 1
                if self._lines:
                    self._dropped += 1
                else:
                    self._missing += 1
            else:
                self._lines.append(line)
                self._waiting_bytes += size
            if self._is_asleep:
                self._is_asleep = False
                self._wakes.put(None)

    @property
    def lost_count(self) -> int:
        """Returns how many lines were given up since the start."""
        return self._lost

    def flush(self, timeout_s: float) -> bool:
        """Waits until all is written; returns False if that takes too long. Blocks its thread."""
        until = time.monotonic() + timeout_s
        while not self._is_asleep:
            if time.monotonic() >= until:
                return False
            time.sleep(FLUSH_STEP_S)
        return True

    def _run(self) -> None:
        while True:
            self._wakes.get()
            while (batch := self._take()) is not None:
                self._write(batch)
                time.sleep(GATHER_S)

    def _take(self) -> "_Batch | None":
        """Returns the lines to write next; None if there are none, and the writer sleeps."""
        with self._lock:
            if self._missing and (self._lines or not self._has_failed):
                line = self._dropped_line(self._missing)
                batch = _Batch((line,), self._missing, is_report=True)
                self._waiting_bytes += batch.size
                self._missing = 0
            elif self._lines:
                lines, self._lines = self._lines, deque()
                batch = _Batch(tuple(lines), len(lines))
                self._missing, self._dropped = self._dropped, 0
            else:
                self._is_asleep = True
                return None
        return batch

    def _write(self, batch: "_Batch") -> None:
        data = b"".join(batch.lines)
        end, self._end = self._end, b""
        self._has_failed = False
        left = memoryview(end + data)
        try:
            while left:
                count = self._stream.write(left)
                if count is None:  # a stream that does not block, and is full
                    select.select((), (self._stream,), ())
                else:
                    left = left[count:]
        except (OSError, ValueError):  # a full disk, a closed pipe
            self._give_up(batch, data[: max(len(data) - len(left), 0)], end)
        with self._lock:
            self._waiting_bytes -= batch.size

    def _give_up(self, batch: "_Batch", written: bytes, end: bytes) -> None:
        """Counts as missing what was not written of the batch, and all lines that wait."""
        self._has_failed = True
        if written:
            end = b"" if written.endswith(b"\n") else b"\n"
        self._end = end
        with self._lock:
            lines, self._lines = self._lines, deque()
            lost = batch.lost(len(written))
            self._missing += lost + len(lines) + self._dropped
            self._lost += len(lines) + (0 if batch.is_report else lost)
            self._dropped = 0
            self._waiting_bytes -= _size(lines)


class _Batch(NamedTuple):
    """Lines to write.

    Attributes:
        total: number of lines; for a line that reports missing lines, the number that it reports.
        is_report: True for such a line.
    """

    lines: Collection[bytes]
    total: int
    is_report: bool = False

    @property
    def size(self) -> int:
        return _size(self.lines)

    def lost(self, written: int) -> int:
        """Returns how many lines are missing if only the first bytes were written."""
        whole = sum(end <= written for end in itertools.accumulate(map(len, self.lines)))
        return 0 if whole == len(self.lines) else self.total - whole


def _size(lines: Collection[bytes]) -> int:
    return sum(map(len, lines)) + LINE_BYTES * len(lines)
