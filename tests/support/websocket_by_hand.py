"""A client of WebSocket that sends any octets, and reads frame by frame.

Follows RFC 6455 section 5. It masks with its own code, so that no fault of the library hides here.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK: Final = b"\x0a\x5f\xc0\x33"
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
"""The key of RFC 6455 section 1.3, whose answer is there too."""
GARBLED: Final = (1002, 1007, 1009)
"""Close codes after octets that are no frames."""
WAIT_S: Final = 30.0


def masked(opcode: int, payload: bytes, *, first: int = 0x80, mask: bytes | None = MASK) -> bytes:
    """A frame of a client; `first` has the bits before the opcode, without a mask it has none."""
    bit = 0 if mask is None else 0x80
    length = len(payload)
    if length < 126:
        head = bytes((first | opcode, bit | length))
    elif length < 1 << 16:
        head = bytes((first | opcode, bit | 126)) + length.to_bytes(2)
    else:
        head = bytes((first | opcode, bit | 127)) + length.to_bytes(8)
    if mask is None:
        return head + payload
    return head + mask + bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))


def text(value: object) -> bytes:
    """A text message: JSON of the value, or the text itself."""
    return masked(TEXT, (value if isinstance(value, str) else json.dumps(value)).encode())


@dataclass
class Refusal:
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


class Peer:
    """One connection.

    Attributes:
        headers: of the answer to the handshake, in lower case.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.headers = headers

    async def send(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))
        await self._writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The opcode and the payload of the next frame, which is not masked."""
        async with asyncio.timeout(WAIT_S):
            first, length = await self._reader.readexactly(2)
            assert first & 0x80
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
            return first & 0x0F, await self._reader.readexactly(length)

    async def message(self) -> Any:
        """The JSON of the next frame, which is a text."""
        opcode, payload = await self.frame()
        assert opcode == TEXT, (opcode, payload)
        return json.loads(payload)

    async def ending(self) -> tuple[int, int]:
        """Reads to the end: the code of the status, and that of the Close frame; answers it.

        A server to which octets were sent that are no frames cannot read the answer: it waits some
        time for the connection to end.
        """
        code = -1
        while (frame := await self.frame())[0] != CLOSE:
            if frame[0] == TEXT:
                code = json.loads(frame[1]).get("status", {}).get("code", code)
        await self.send(masked(CLOSE, frame[1][:2]))
        if int.from_bytes(frame[1][:2]) in GARBLED:
            self._writer.write_eof()
        async with asyncio.timeout(WAIT_S):
            assert await self._reader.read() == b""
        return code, int.from_bytes(frame[1][:2])

    def abort(self) -> None:
        self._writer.transport.abort()

    def pause(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # of sockets


@asynccontextmanager
async def opened(
    address: str, path: str, *, subprotocol: str = "", **headers: str
) -> AsyncIterator[Peer]:
    """A WebSocket on a path."""
    if subprotocol:
        headers["Sec_WebSocket_Protocol"] = subprotocol
    async with _connected(address, path, headers) as (peer, refusal):
        assert refusal is None, refusal
        yield peer


async def refused(address: str, path: str, **headers: str) -> Refusal:
    """The answer over HTTP to a handshake that is refused."""
    async with _connected(address, path, headers) as (_, refusal):
        assert refusal is not None
        return refusal


@asynccontextmanager
async def _connected(
    address: str, path: str, headers: dict[str, str]
) -> AsyncIterator[tuple[Peer, Refusal | None]]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    said = {
        "Host": address,
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        async with asyncio.timeout(WAIT_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        answered = dict(line.lower().split(": ", 1) for line in head[1:])
        status = int(head[0].split()[1])
        refusal = None
        if status != 101:
            body = await reader.readexactly(int(answered["content-length"]))
            refusal = Refusal(status, answered, body)
        yield Peer(reader, writer, answered), refusal
    finally:
        writer.transport.abort()
