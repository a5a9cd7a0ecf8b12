"""Declares the two ends of a connection that has left HTTP: what passes, and who reads it.

A listener passes octets, an ASGI host messages of WebSocket, which it frames itself.

Follows RFC 9110 section 7.8 (Upgrade) and RFC 6455 section 5.2 (opcodes).
"""

from enum import IntEnum
from typing import NamedTuple, Protocol


class Kind(IntEnum):
    """The opcodes of whole messages and of control frames."""

    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Outgoing(NamedTuple):
    """A whole message or a control frame to a client, in parts that follow each other."""

    kind: Kind
    parts: tuple[bytes, ...]


class Receiver(Protocol):
    """Gets what a client sends."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Takes octets; returns False and none of them back, as aiohttp asks its parsers."""
        ...

    def feed_eof(self) -> None:
        """Notes that the connection is closed."""
        ...

    def stop(self) -> None:
        """Tells the client that the server stops; the connection is closed next."""
        ...


class MessageReceiver(Protocol):
    """Gets the messages that a client sends."""

    def feed_message(self, kind: Kind, data: bytes) -> None:
        """Takes a whole message, a text or a binary one."""
        ...

    def feed_eof(self) -> None:
        """Notes that the connection is closed."""
        ...

    def stop(self) -> None:
        """Tells the client that the server stops; the connection is closed next."""
        ...


class Wire(Protocol):
    """The connection to a client."""

    @property
    def is_full(self) -> bool:
        """True while the client has to read before more should be written."""
        ...

    def write(self, octets: bytes) -> None:
        """Sends octets.

        Raises:
            ConnectionResetError: the connection is closed; so does `write_soon`.
        """
        ...

    def write_soon(self, octets: bytes) -> None:
        """Sends octets once the running task waits for anything.

        Those that follow each other without a wait are sent together: to send once costs as much as
        to make a message.
        """
        ...

    async def drained(self) -> None:
        """Waits while the client reads slowly.

        Raises:
            ConnectionError: the connection is lost.
        """
        ...

    def read_on(self, *, is_on: bool) -> None:
        """Reads what the client sends, or leaves it to wait at the client."""
        ...

    def close(self) -> None:
        """Closes the connection once all is sent."""
        ...

    def abort(self) -> None:
        """Closes the connection at once."""
        ...


class MessageWire(Protocol):
    """The connection to a client of WebSocket; its members are those of `Wire`, for messages."""

    @property
    def has_pings(self) -> bool:
        """True if control frames pass; False if a host sends and answers pings by itself."""
        ...

    @property
    def is_full(self) -> bool: ...

    def write(self, *messages: Outgoing) -> None: ...

    def write_soon(self, *messages: Outgoing) -> None: ...

    async def drained(self) -> None: ...

    def read_on(self, *, is_on: bool) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...
