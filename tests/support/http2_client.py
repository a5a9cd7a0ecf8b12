"""One call over HTTP/2 without TLS, by the library h2, both of whose directions the test steers.

Follows RFC 9113, with prior knowledge (section 3.3).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import h2.config
import h2.connection
import h2.events

_STREAM: Final = 1
WAIT_S: Final = 30.0


class Http2Call:
    """A call.

    Attributes:
        headers: of the answer; empty before they have come.
        trailers: of the answer; empty while there are none.
        body: of the answer, as far as it has come and was not taken.
        is_ended: True once the server has ended the answer.
        reset_code: by which the server has reset the stream; None if it has not.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = b""
        self.is_ended = False
        self.reset_code: int | None = None
        self._reader = reader
        self._writer = writer
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()

    def begin(self, verb: str, path: str, headers: Mapping[str, str]) -> None:
        pseudo = {":method": verb, ":path": path, ":scheme": "http", ":authority": "test"}
        self._connection.send_headers(_STREAM, [*pseudo.items(), *headers.items()])
        self._flush()

    def send(self, data: bytes, *, is_last: bool = False) -> None:
        self._connection.send_data(_STREAM, data, end_stream=is_last)
        self._flush()

    def reset(self) -> None:
        """Leaves the call, and keeps the connection."""
        self._connection.reset_stream(_STREAM, error_code=8)
        self._flush()

    async def receive(self, count: int) -> bytes:
        """Returns the next bytes of the body; fails if it ends before."""
        while len(self.body) < count:
            assert not self.is_ended, self.body
            await self._read()
        taken, self.body = self.body[:count], self.body[count:]
        return taken

    async def end(self) -> bytes:
        """Returns the rest of the body, once the answer has ended."""
        while not self.is_ended:
            await self._read()
        return self.body

    async def _read(self) -> None:
        async with asyncio.timeout(WAIT_S):
            data = await self._reader.read(1 << 16)
        assert data, "the server has closed the connection"
        for event in self._connection.receive_data(data):
            self._take(event)
        self._flush()

    def _take(self, event: Any) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.headers = _by_name(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            self.trailers = _by_name(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.body += event.data or b""
            self._connection.acknowledge_received_data(event.flow_controlled_length, _STREAM)
        elif isinstance(event, h2.events.StreamReset):
            self.reset_code = event.error_code
            self.is_ended = True
        elif isinstance(event, h2.events.StreamEnded):
            self.is_ended = True

    def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())


def _by_name(headers: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers}


@asynccontextmanager
async def http2_call(
    address: str, verb: str, path: str, headers: Mapping[str, str]
) -> AsyncIterator[Http2Call]:
    """Begins a call on a connection of its own, which is closed with the block."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        call = Http2Call(reader, writer)
        call.begin(verb, path, headers)
        yield call
    finally:
        writer.close()
