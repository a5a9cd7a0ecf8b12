"""Declares the two ends of a connection that has left HTTP: its octets, and who reads them.

Follows RFC 9110 section 7.8 (Upgrade).
"""

from typing import Protocol


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
