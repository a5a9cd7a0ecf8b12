"""Connections without sockets: protocols are fed by hand, and what they write is kept."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from unittest import mock

_TURNS: Final = 12
"""Turns of the loop in which whatever does not wait for anything has ended."""

MakeProtocol = Callable[[Any], asyncio.Protocol]


class Wire(asyncio.Transport):
    """The transport of one connection.

    Attributes:
        written: what the server has sent.
        is_closed: True once the server has closed the connection.
        protocol: what the data are fed to.
    """

    def __init__(self, make_protocol: MakeProtocol) -> None:
        super().__init__(extra={"peername": ("127.0.0.1", 5000), "socket": mock.Mock()})
        self.written = b""
        self.is_closed = False
        self.protocol: Any = make_protocol(None)
        self.protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        """Has data arrive, unless the server has closed the connection."""
        if not self.is_closed:
            self.protocol.data_received(data)

    def end_input(self) -> None:
        """Has the client shut down its side for writing."""
        if not self.is_closed and not self.protocol.eof_received():
            self.close()

    def write(self, data: Any) -> None:
        if not self.is_closed:
            self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self.protocol
        return protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Does nothing: the reader takes all at once."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Does nothing: a test feeds what it likes."""

    def resume_reading(self) -> None:
        """Does nothing, as above."""


async def settled() -> None:
    """Lets the server do all that does not wait for anything."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def protocols_of(
    start: Callable[[str], Awaitable[object]], *, reads_whole: bool = True
) -> MakeProtocol:
    """Starts a server that listens to nobody; returns what makes the protocols of connections.

    Args:
        start: starts the server at an address.
        reads_whole: False leaves every request to aiohttp.
    """
    made: list[MakeProtocol] = []
    bound: list[socket.socket] = []

    def acceptor(
        sockets: Iterable[socket.socket], connect: functools.partial[Any], **_: object
    ) -> mock.Mock:
        bound.extend(sockets)
        made.append(connect.args[0])
        return mock.Mock()

    with (
        mock.patch("transcoder.http.server.Acceptor", acceptor),
        mock.patch("transcoder.http.server.IS_AVAILABLE", reads_whole),
    ):
        await start("127.0.0.1:0")
    for listening in bound:
        listening.close()
    return made[0]
