"""Sends messages over a connection that passes octets.

Follows RFC 6455 section 5.2 (base framing).
"""

from typing import Final

from transcoder.http.switched import Outgoing, Wire
from transcoder.protocols.websocket.framing import frame


class FramedWire:
    """A connection of a listener, for messages."""

    __slots__ = ("_wire",)

    has_pings: Final = True

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def is_full(self) -> bool:
        return self._wire.is_full

    def write(self, *messages: Outgoing) -> None:
        self._wire.write(b"".join(frame(kind, *parts) for kind, parts in messages))

    def write_soon(self, *messages: Outgoing) -> None:
        for kind, parts in messages:
            self._wire.write_soon(frame(kind, *parts))

    async def drained(self) -> None:
        await self._wire.drained()

    def read_on(self, *, is_on: bool) -> None:
        self._wire.read_on(is_on=is_on)

    def close(self) -> None:
        self._wire.close()

    def abort(self) -> None:
        self._wire.abort()
