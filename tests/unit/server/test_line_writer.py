"""Lines that a thread writes: order, bounds, and a stream that stops taking them."""

import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.line_writer import LINE_BYTES, LineWriter

WAIT_S = 10


def told(count: int) -> bytes:
    return b"%d dropped\n" % count


class Stuck(io.BytesIO):
    """A stream that takes nothing until it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waiting, self.is_read = threading.Event(), threading.Event()

    def write(self, data: object) -> int:
        self.is_waiting.set()
        assert self.is_read.wait(WAIT_S)
        return super().write(data)  # type: ignore[arg-type]


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stream = Stuck()
    yield stream
    stream.is_read.set()


def test_lines_leave_in_their_order() -> None:
    output = io.BytesIO()
    writer = LineWriter(output, dropped=told)
    lines = [b"%d\n" % number for number in range(1000)]
    for line in lines:
        writer.write(line)
    assert writer.flush(WAIT_S)
    assert output.getvalue() == b"".join(lines)


def test_a_stream_that_is_not_read_delays_no_writer_and_the_loss_is_reported(stuck: Stuck) -> None:
    writer = LineWriter(stuck, dropped=told, waiting_max_bytes=3 * (2 + LINE_BYTES))
    writer.write(b"1\n")
    assert stuck.is_waiting.wait(WAIT_S)
    for line in (b"2\n", b"3\n", b"4\n", b"5\n"):
        writer.write(line)
    assert not writer.flush(0.01)
    stuck.is_read.set()
    assert writer.flush(WAIT_S)
    writer.write(b"6\n")
    assert writer.flush(WAIT_S)
    assert stuck.getvalue() == b"1\n2\n3\n2 dropped\n6\n"


def test_a_loss_is_reported_although_no_line_follows(stuck: Stuck) -> None:
    writer = LineWriter(stuck, dropped=told, waiting_max_bytes=2 + LINE_BYTES)
    writer.write(b"1\n")
    assert stuck.is_waiting.wait(WAIT_S)
    writer.write(b"2\n")
    stuck.is_read.set()
    until = time.monotonic() + WAIT_S
    while stuck.getvalue() != b"1\n1 dropped\n":
        assert time.monotonic() < until
        time.sleep(0.001)


class Full(io.BytesIO):
    """A disk that is full after some bytes, until there is room again."""

    room = 0

    def write(self, data: object) -> int:
        part = bytes(data)[: self.room]  # type: ignore[call-overload]
        if not part:
            raise OSError
        self.room -= len(part)
        return super().write(part)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        pytest.param(0, b"2 dropped\nlater\n", id="nothing written"),
        pytest.param(6, b"whole\n1 dropped\nlater\n", id="a line written"),
        pytest.param(8, b"whole\ncu\n1 dropped\nlater\n", id="a line cut"),
    ],
)
def test_lines_that_cannot_be_written_are_counted_and_a_cut_line_is_ended(
    room: int, expected: bytes
) -> None:
    output = Full()
    output.room = room
    writer = LineWriter(output, dropped=told)
    with writer._lock:  # noqa: SLF001  so that both are of one batch
        writer.write(b"whole\n")
        writer.write(b"cut\n")
    assert writer.flush(WAIT_S)
    output.room = 1000
    writer.write(b"later\n")
    assert writer.flush(WAIT_S)
    assert output.getvalue() == expected


def test_a_count_that_cannot_be_written_is_not_lost() -> None:
    output = Full()
    writer = LineWriter(output, dropped=told)
    for _ in range(3):
        writer.write(b"lost\n")
        assert writer.flush(WAIT_S)
    output.room = 1000
    writer.write(b"later\n")
    assert writer.flush(WAIT_S)
    assert output.getvalue() == b"3 dropped\nlater\n"


def test_a_finalizer_may_write_while_a_line_is_written() -> None:
    output = io.BytesIO()
    writer = LineWriter(output, dropped=told)

    class Line(bytes):
        def __len__(self) -> int:
            writer.write(b"of the finalizer\n")
            return super().__len__()

    writer.write(Line(b"1\n"))
    assert writer.flush(WAIT_S)
    assert sorted(set(output.getvalue().splitlines())) == [b"1", b"of the finalizer"]


def test_a_stream_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb", buffering=0) as reader, open(writing, "wb", buffering=0) as stream:  # noqa: PTH123  descriptors
        writer = LineWriter(stream, dropped=told)
        text = b"a" * 200_000 + b"\n"
        writer.write(text)
        got = b""
        while len(got) < len(text):
            got += reader.read(65536)
        assert got == text
        assert writer.flush(WAIT_S)
