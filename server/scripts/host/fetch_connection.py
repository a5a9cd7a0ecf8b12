"""Connects to a web server that a script chose, and bounds memory and CPU of its answer.

A layer below aiohttp's client: it counts and delays octets before they are parsed.

Rule 1: all octets of an answer are counted, with heads and chunk framing; the number of
informational answers is bounded.
Rule 2: the first octets of an answer are parsed as they arrive. The others wait for a turn;
organisations take turns, which use a bounded part of the loop's time.
Rule 3: a connection is closed at once, whatever is still to be sent (`abort`).
"""

import asyncio
import time
from collections import deque
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

WIRE_MAX_BYTES: Final = 2 << 20
"""Max octets of an answer as sent; twice the max of a body, for chunks and heads."""

HEAD_MAX_BYTES: Final = 64 << 10
"""Max octets to the end of an answer's head; more end the connection."""

INFORMATIONAL_MAX: Final = 5
"""Max answers with a status of 1xx before the answer; more end the connection."""

ORG_CONNECTIONS_MAX: Final = 32
"""Max connections and look-ups of one organisation; more wait."""

KEPT_MAX: Final = 4
"""Max connections of one organisation that are kept for its next request."""

DIRECT_BYTES: Final = 16 << 10
"""Max octets of an answer that are parsed as they arrive: most answers have fewer; takes 2 ms."""

PARSED_BYTES: Final = 4 << 10
"""Max octets that are parsed between two checks of limits: about 240 informational answers."""

TURN_BYTES: Final = 16 << 10
"""Max octets that are parsed in one turn."""

RATE_MAX: Final = 16 << 20
"""Max octets per second of all turns."""

BUSY_MAX: Final = 0.25
"""Max part of the loop's time for turns."""


class Refused(aiohttp.ClientError):
    """The answer exceeds a limit; the text is for the script."""


class OrgConnections:
    """Counts the open connections of one organisation."""

    def __init__(self) -> None:
        self.open = 0


class ParsingTurns:
    """Decides which connection is parsed next, and when."""

    def __init__(self) -> None:
        self._waiting: dict[OrgConnections, deque[Connection]] = {}
        self._is_under_way = False
        self._next_at = 0.0

    def enter(self, connection: "Connection") -> None:
        self._waiting.setdefault(connection.share, deque()).append(connection)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting and not self._is_under_way:
            self._is_under_way = True
            asyncio.get_running_loop().call_at(self._next_at, self._turn)

    def _turn(self) -> None:
        share = next(iter(self._waiting))
        connections = self._waiting.pop(share)
        connection = connections.popleft()
        began = time.thread_time()
        try:
            if connection.take_turn():
                connections.append(connection)
        finally:  # an error of one connection must not end the turns of others
            if connections:
                self._waiting[share] = connections  # behind those of the others
            # Scheduled, so that it also measures the reader of what was parsed, which runs before.
            asyncio.get_running_loop().call_soon(self._rest, began)

    def _rest(self, began: float) -> None:
        took = time.thread_time() - began
        pause_s = max(TURN_BYTES / RATE_MAX, took * (1 / BUSY_MAX - 1))
        self._next_at = asyncio.get_running_loop().time() + pause_s
        self._is_under_way = False
        self._go_on()


class Connection(ResponseHandler):
    """Holds one connection, which sends one request after the other."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, turns: ParsingTurns, share: OrgConnections
    ) -> None:
        super().__init__(loop)
        self.share = share
        self._turns = turns
        self._refusal: Refused | None = None
        self._later = bytearray()
        self._has_turn_to_come = False
        self._is_full = False
        self._arrived = 0
        self._messages = 0
        self._has_head = False

    @property
    def should_close(self) -> bool:
        return super().should_close or self.share.open > KEPT_MAX

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401  aiohttp's own, passed on
        """Begins a request."""
        self._arrived = self._messages = 0
        self._has_head = False
        super().set_response_params(**params)

    def close(self) -> None:
        self.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.share.open += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.share.open -= 1
        self._later.clear()
        if self._refusal is not None:
            self._parser = None  # it would report an answer that ends too early
            exc = self._refusal
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not data:  # aiohttp asks the parser to go on
            super().data_received(data)
            return
        if self._refusal is not None or self.transport is None:
            return
        if self._parser is None or self._is_answered():
            self.abort()  # no request is open
            return
        direct = max(0, DIRECT_BYTES - self._arrived) if not self._later else 0
        self._arrived += len(data)
        if self._arrived > WIRE_MAX_BYTES:
            self._refuse(f"an answer of more than {WIRE_MAX_BYTES} bytes as sent")
            return
        self._later += data
        self._parse(direct)
        self._hold()

    # --- flow control: octets that wait here are parsed before more are read

    def pause_reading(self) -> None:
        self._is_full = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        self._is_full = False
        super().resume_reading(resume_parser)
        self._hold()

    def _hold(self) -> None:
        """Pauses reading until the octets that wait are parsed."""
        if not self._later or self.transport is None or self.transport.is_closing():
            return
        self.transport.pause_reading()
        if not self._has_turn_to_come and not self._is_full:
            self._has_turn_to_come = True
            self._turns.enter(self)

    def take_turn(self) -> bool:
        """Parses some octets that wait; returns True if more are left."""
        self._has_turn_to_come = False
        self._parse(TURN_BYTES)
        if self.transport is None or self.transport.is_closing() or self._is_full:
            return False
        if not self._later:
            self.transport.resume_reading()
            return False
        self._has_turn_to_come = True
        return True

    def _parse(self, most: int) -> None:
        while self._later and most > 0 and not self._is_full and self.is_connected():
            part = bytes(self._later[: min(most, PARSED_BYTES)])
            del self._later[: len(part)]
            most -= len(part)
            super().data_received(part)
            self._check_limits()

    # --- limits

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Receives a parsed head."""
        self._messages += 1
        self._has_head = self._has_head or data[0].code >= 200
        super().feed_data(data, size)

    def _is_answered(self) -> bool:
        return self._has_head and (self._payload is None or self._payload.is_eof())

    def _check_limits(self) -> None:
        if self._messages > INFORMATIONAL_MAX + 1:
            self._refuse(f"more than {INFORMATIONAL_MAX} informational answers")
        elif not self._has_head and self._arrived - len(self._later) > HEAD_MAX_BYTES:
            self._refuse(f"an answer whose head has more than {HEAD_MAX_BYTES} bytes")

    def _refuse(self, text: str) -> None:
        transport = self.transport
        if transport is None or self._refusal is not None:
            return
        self._refusal = Refused(text)
        self._later.clear()
        self.set_exception(self._refusal)
        if self._payload is not None:
            self._payload.set_exception(self._refusal)
        transport.abort()


class Connector(aiohttp.TCPConnector):
    """Makes the connections of one organisation."""

    def __init__(self, resolver: AbstractResolver, *, turns: ParsingTurns) -> None:
        super().__init__(resolver=resolver, use_dns_cache=False, limit=ORG_CONNECTIONS_MAX)
        loop, share = asyncio.get_running_loop(), OrgConnections()

        def connection() -> ResponseHandler:
            return Connection(loop, turns=turns, share=share)

        self._factory = partial(connection)
