"""Sends the responses of a stream one by one, and reads the requests of a stream as they come.

All protocols that stream share this file; each brings its own framing: `StreamingCall.piece_of` for
responses, a `Splitter` for requests.

Rule 1: a response is sent before its handler goes on, and waits while the client reads slowly. So
one response is in memory at a time.
Rule 2: of the requests one unfinished message is in memory, and what the connection reads ahead.
Rule 3: no task for a message; a timer only while a part of the body is waited for.
"""

import asyncio
import time
from abc import abstractmethod
from typing import Final, Generic, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from transcoder.call import Method
from transcoder.errors import TranscodeError
from transcoder.http.ceiling import Held
from transcoder.http.exchange import Exchange, HttpCall
from transcoder.http.headers import initial_headers
from transcoder.options import Limits

TURN_S: Final = 0.002
"""Max seconds that a stream holds the event loop before it lets other tasks run."""

FED_AT_ONCE_BYTES: Final = 16 << 10
"""Max bytes that a splitter gets at once: of the densest JSON they take a few milliseconds."""

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


def left_stream() -> TranscodeError:
    """Returns the error of a response whose client left."""
    return TranscodeError(grpc.StatusCode.CANCELLED, "the client left")


class Turn:
    """Measures how long a stream has held the event loop.

    A handler that never waits, for a client that is fast, would hold it for all of its messages.
    """

    __slots__ = ("_began",)

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        """True if other tasks should run now."""
        return time.monotonic() - self._began > TURN_S

    async def share(self) -> None:
        """Lets other tasks run, and begins the next turn."""
        await asyncio.sleep(0)
        self._began = time.monotonic()


class StreamingCall(HttpCall):
    """A call that may stream its responses, each of which leaves as a piece of the answer's body.

    Attributes:
        is_started: True once a part of the answer has been sent.
        turn: of both directions.
    """

    __slots__ = ("is_started", "turn")

    def __init__(self, method: Method, exchange: Exchange) -> None:
        """Prepares a call.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(method, exchange)
        self.is_started = False
        self.turn = Turn()

    @abstractmethod
    async def piece_of(self, message: Message) -> bytes:
        """Returns a response as it travels; it is encoded before the first wait."""

    async def start(self) -> None:
        await self.write(b"")

    async def send(self, message: Message) -> None:
        await self.write(await self.piece_of(message))
        if self.turn.is_over:
            await self.turn.share()

    async def write(self, piece: bytes) -> None:
        """Sends a piece of the body, before it the head, and waits while the client reads slowly.

        Raises:
            TranscodeError: CANCELLED, the client left.
        """
        try:
            if not self.is_started:
                self.is_started = True
                await self.begin()
            await self.exchange.write(piece)
        except OSError as exc:
            raise left_stream() from exc

    async def begin(self) -> None:
        """Sends the head, with the initial metadata as headers."""
        exchange = self.exchange
        exchange.answer_headers += initial_headers(self.initial_metadata)
        await exchange.begin(200)


class Splitter(Protocol[P_co]):
    """Divides the body of a request into messages."""

    @property
    def held_bytes(self) -> int:
        """Returns the bytes that were fed and are in no message that `next` has returned."""
        ...

    @property
    def is_within(self) -> bool:
        """True if a message has begun, and `next` needs more of it."""
        ...

    def feed(self, piece: bytes) -> None:
        """Adds a piece of the body."""
        ...

    def finish(self) -> None:
        """Notes the end of the body."""
        ...

    def next(self) -> P_co | None:
        """Returns the next message; None if it needs more of the body, or the body has ended.

        Raises:
            TranscodeError: the body is malformed, or a message is too large.
        """
        ...


class BodySource(Protocol):
    """Gives the body of a request piece by piece."""

    async def next_piece(self, *, until: float, timeout_s: float, what: str) -> tuple[bytes, bool]:
        """Returns the next piece, and True if more follows; as `HttpExchange.next_piece`."""
        ...


class RequestMessages(Generic[P]):
    """The messages in the body of one request, read as they come."""

    __slots__ = (
        "_body",
        "_failure",
        "_fed_bytes",
        "_fed_max_bytes",
        "_held",
        "_is_finished",
        "_is_read",
        "_limits",
        "_splitter",
        "_turn",
        "_unfed",
    )

    def __init__(
        self,
        body: BodySource,
        splitter: Splitter[P],
        *,
        limits: Limits,
        held: Held,
        turn: Turn,
        fed_max_bytes: int = FED_AT_ONCE_BYTES,
    ) -> None:
        """Prepares to read.

        Args:
            body: unread; an `HttpExchange`, or what decodes one's body.
            splitter: divides the body.
            limits: of the waits.
            held: counts the bytes of the body that wait for a reader.
            turn: of the call.
            fed_max_bytes: max bytes that the splitter gets at once.
        """
        self._body = body
        self._splitter = splitter
        self._limits = limits
        self._held = held
        self._turn = turn
        self._fed_max_bytes = fed_max_bytes
        self._unfed = b""
        self._fed_bytes = 0
        self._is_read = False
        self._is_finished = False
        self._failure: TranscodeError | None = None

    async def next(self) -> P | None:
        """Returns the next message; None after the last.

        A message that has begun has to be whole within `body_timeout_s`; the next one has to begin
        within `stream_idle_timeout_s`. Both count only while the call waits for it.

        Raises:
            TranscodeError: the body is malformed, too slow, or too large with those of all
                connections, or a message is too large, or the client left; again at each call.
        """
        if self._failure is not None:
            raise self._failure
        try:
            return await self._next()
        except TranscodeError as error:
            # A copy: the traceback of this one refers to what holds it.
            self._failure = TranscodeError(
                error.code, error.message, http_status=error.http_status, headers=error.headers
            )
            raise

    async def _next(self) -> P | None:
        splitter, limits, turn = self._splitter, self._limits, self._turn
        if turn.is_over:
            await turn.share()
        now = asyncio.get_running_loop().time
        begun_until: float | None = None
        idle_until: float | None = None
        while (message := splitter.next()) is None:
            if self._unfed:
                end = self._fed_bytes + self._fed_max_bytes
                splitter.feed(self._unfed[self._fed_bytes : end])
                self._fed_bytes = end  # the rest stays where it is: each cut is a copy
                if end >= len(self._unfed):
                    self._unfed, self._fed_bytes = b"", 0
            elif self._is_finished:
                return None
            elif self._is_read:
                self._is_finished = True
                splitter.finish()
            else:
                if splitter.is_within:
                    timeout_s = limits.body_timeout_s
                    until = begun_until = begun_until or now() + timeout_s
                    what = "the rest of a message"
                else:
                    timeout_s = limits.stream_idle_timeout_s
                    until = idle_until = idle_until or now() + timeout_s
                    what = "the next message"
                self._unfed, goes_on = await self._body.next_piece(
                    until=until, timeout_s=timeout_s, what=what
                )
                self._is_read = not goes_on
                self._held.resize(splitter.held_bytes + len(self._unfed))
            if turn.is_over:
                await turn.share()
        self._held.resize(splitter.held_bytes + len(self._unfed))
        return message
