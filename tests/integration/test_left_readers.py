"""A deadline answers a call while its handler still reads the body: nothing fails for that."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from aiohttp import web

from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.proto.echo_pb2_grpc import add_EchoServicer_to_server
from tests.support.grpcweb_fixture import COUNT, Echo
from tests.support.tables import cases
from transcoder import Transcoder
from transcoder.errors import TranscodeError

WAIT_S: Final = 30
HEAD: Final = (
    f"POST {COUNT} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
    "grpc-timeout: 200m\r\nTransfer-Encoding: chunked\r\n\r\n"
).encode("ascii")
MESSAGE: Final = b"3\r\n{}\n\r\n"
END: Final = b"0\r\n\r\n"


class Reader(Echo):
    """Reads in a task that a cancellation of its call does not reach at once.

    Attributes:
        is_stubborn: the task is not cancelled at all.
        outcome: the error that ended the task.
    """

    def __init__(self, *, is_stubborn: bool) -> None:
        super().__init__()
        self.is_stubborn = is_stubborn
        self.outcome: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        reading = asyncio.create_task(self._read(request_iterator))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            if not self.is_stubborn:
                for _ in range(10):
                    await asyncio.sleep(0)
                reading.cancel()
            raise

    async def _read(self, requests: AsyncIterator[EchoRequest]) -> EchoReply:
        try:
            async for _ in requests:
                pass
        except (asyncio.CancelledError, TranscodeError) as exc:
            self.outcome.set_result(exc)
        return EchoReply()


@pytest.fixture(params=["by the listener", "mounted"])
async def transcoder_at(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Any, str, int]]:
    transcoder: Any = Transcoder()
    if request.param == "mounted":
        runner = web.AppRunner(transcoder.app(), shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield transcoder, *runner.addresses[0]
        await runner.cleanup()
    else:
        host, _, port = (await transcoder.start("127.0.0.1:0")).rpartition(":")
        yield transcoder, host, int(port)
        await transcoder.stop()


@cases(
    "is_stubborn, error",
    {"is cancelled late": (False, asyncio.CancelledError), "reads on": (True, TranscodeError)},
)
async def test_what_reads_at_the_deadline_ends(
    transcoder_at: tuple[Any, str, int],
    caplog: pytest.LogCaptureFixture,
    is_stubborn: bool,
    error: type[BaseException],
) -> None:
    transcoder, host, port = transcoder_at
    servicer = Reader(is_stubborn=is_stubborn)
    add_EchoServicer_to_server(servicer, transcoder)
    reader, writer = await asyncio.open_connection(host, port)
    async with asyncio.timeout(WAIT_S):
        writer.write(HEAD + MESSAGE)
        assert await answered(reader) == 504
        assert isinstance(await servicer.outcome, error)
        if not is_stubborn:  # the rest of the body is dropped, and the connection goes on
            writer.write(MESSAGE + END + HEAD + END)
            assert await answered(reader) == 200
    writer.transport.abort()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def answered(reader: asyncio.StreamReader) -> int:
    """Reads an answer that has a length; returns its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(head.split()[1])
