"""Receives messages over one WebSocket, and sends what answers them.

Follows RFC 6455 sections 5.5 (control frames) and 7 (closing). framing.py knows the frames, unless
a host does.

Rule 1: messages wait in a queue with a bound; when it is full, reading stops, and all that the
client sends waits there. A ping or a close behind it is seen when the call has read on.
Rule 2: whichever side ends first, the call is ended once: by the call itself, by a Close frame, by
octets that are no frames, or by a connection that is lost.
Rule 3: a pong is owed for the last ping alone, and waits while the client does not read.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import grpc

from transcoder.errors import TranscodeError, client_left, malformed, too_slow, unavailable
from transcoder.http.ceiling import Held
from transcoder.http.switched import Kind, MessageWire, Outgoing
from transcoder.options import Limits
from transcoder.protocols.json_errors import JsonErrors
from transcoder.protocols.streams import left_stream
from transcoder.protocols.websocket.endings import Metadata, end_messages
from transcoder.protocols.websocket.framing import (
    GOING_AWAY,
    TOO_LARGE,
    FrameError,
    FrameReader,
    Received,
    close_code_of,
    close_message,
)

QUEUED_MAX: Final = 64
"""Max messages that wait for the call."""
_RESUMED_AT: Final = QUEUED_MAX // 2
"""Messages in the queue at which more are read."""
QUEUED_MAX_BYTES: Final = 64 << 10
"""Max bytes of the messages that wait, before the last of them."""
LINGER_S: Final = 1.0
"""Max seconds for a client to answer a Close frame."""
HALF_CLOSE: Final = Received(Kind.TEXT, b"")
"""The message by which a client says that it sends no more."""


class Socket:
    """One WebSocket, from its handshake to its end."""

    def __init__(self, limits: Limits, errors: JsonErrors, held: Held) -> None:
        """Begins without a connection.

        Args:
            limits: of messages and waits.
            errors: writes the status of a call that is ended here.
            held: counts the bytes that wait.
        """
        self._limits = limits
        self._errors = errors
        self._held = held
        self._reader = FrameReader(
            text_max_bytes=limits.body_max_bytes, binary_max_bytes=limits.message_max_bytes
        )
        # A message that came with the handshake.
        self._early: Received | None = None
        self._queue: deque[Received] = deque()
        self._queued_bytes = 0
        self._takes_more = True
        self._wire: MessageWire | None = None
        self._on_end: Callable[[], None] = _nothing
        # A Close frame was sent; nothing more may be.
        self._is_ended = False
        # The client sent what is no frame: what follows is dropped.
        self._is_garbled = False
        # The client has closed its side, or the connection is lost.
        self._is_over = False
        self._is_reading = True
        self._owed_pong: bytes | None = None
        self._is_heard = False
        self._is_pinged = False
        self._timer: asyncio.TimerHandle | None = None
        # Resolved when something has come.
        self._arrival: asyncio.Future[None] | None = None

    def open(self, wire: MessageWire, on_end: Callable[[], None]) -> None:
        """Takes over a connection.

        Args:
            wire: the connection, behind the handshake.
            on_end: called once if the call has to end before it has answered.
        """
        self._wire = wire
        self._on_end = on_end
        if wire.has_pings:
            self._await_silence()
        self._read_on()
        early, self._early = self._early, None
        if early is not None:
            self.feed_message(*early)

    # Called by the connection.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._is_heard = True
        if not (self._is_garbled or self._is_over):
            self._reader.feed(data)
            if self._wire is not None:
                self._read_on()
        return False, b""

    def feed_message(self, kind: Kind, data: bytes) -> None:
        if self._is_garbled or self._is_over:
            return
        if self._wire is None:
            self._early = Received(kind, data)
            return
        try:
            self._reader.require_size(kind, len(data))
            self._take(Received(kind, data))
            self._held.resize(self._queued_bytes)
        except (FrameError, TranscodeError) as error:
            self._refuse(error)
        self._go_on()

    def feed_eof(self) -> None:
        self._is_over = True
        self._end_call()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._wire = None
        self._reader.clear()
        self._clear_queue()
        self._held.resize(0)
        self._wake()

    def stop(self) -> None:
        self.end(unavailable("the server is stopping"), close_code=GOING_AWAY)

    # Called by the call.

    async def next(self, *, begin_s: float | None, what: str) -> Received:
        """Returns the next message.

        Args:
            begin_s: max seconds for it to begin, None for no limit; it has `body_timeout_s` to
                become whole.
            what: the message, for the error's text.

        Raises:
            TranscodeError: it did not come in time, or the client left.
        """
        if not self._queue:
            await self._arrived(begin_s, what)
        received = self._queue.popleft()
        self._queued_bytes -= len(received.data)
        # In batches: a step for each message would cost as much as to read it.
        if not self._queue or (not self._is_reading and len(self._queue) <= _RESUMED_AT):
            self._read_on()
        return received

    async def _arrived(self, begin_s: float | None, what: str) -> None:
        """Waits for a message; takes and raises what `next` does."""
        now = asyncio.get_running_loop().time
        idle_until = None if begin_s is None else now() + begin_s
        begun_until: float | None = None
        while not self._queue:
            if self._is_over or self._is_ended:
                raise client_left()
            until, limit_s = idle_until, begin_s
            if self._reader.is_within:
                limit_s = self._limits.body_timeout_s
                until = begun_until = begun_until or now() + limit_s
            else:
                begun_until = None  # what had begun was a control frame
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrival
            except TimeoutError:
                raise too_slow(what, limit_s=limit_s or 0.0) from None
            finally:
                self._arrival = None

    def expect_no_more(self) -> None:
        """Has a further message end the call; an empty text message is none.

        Raises:
            TranscodeError: there is one already.
        """
        self._takes_more = False
        if any(each != HALF_CLOSE for each in self._queue):
            raise _too_many()
        self._clear_queue()

    def send_soon(self, *messages: Outgoing) -> bool:
        """Sends messages once the call waits for anything; True if it has to wait for `drained`.

        Raises:
            TranscodeError: CANCELLED, the client left.
        """
        wire = self._wire
        if wire is None or self._is_ended:
            raise left_stream()
        try:
            wire.write_soon(*messages)
        except OSError as exc:
            raise left_stream() from exc
        return wire.is_full

    async def drained(self) -> None:
        """Waits while the client reads slowly.

        Raises:
            TranscodeError: CANCELLED, the client left.
        """
        if self._wire is not None:
            try:
                await self._wire.drained()
            except OSError as exc:
                raise left_stream() from exc
        self._send_pong()

    def end(
        self,
        error: TranscodeError | None,
        trailing: Metadata = (),
        *,
        before: tuple[Outgoing, ...] = (),
        close_code: int | None = None,
    ) -> None:
        """Sends the end of the call and a Close frame, unless one was sent.

        Args:
            error: the failure of the call; None for OK.
            trailing: metadata.
            before: messages that come first.
            close_code: another than that of the status.
        """
        if not self._is_ended:
            ending = end_messages(self._errors, error, trailing, close_code=close_code)
            self._close(*before, *ending)

    async def closed(self) -> None:
        """Waits for the client to close its side too, then closes the connection."""
        self._on_end = _nothing  # the call has ended
        until = asyncio.get_running_loop().time() + LINGER_S
        while not self._is_over:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrival
            except TimeoutError:
                break
            finally:
                self._arrival = None
        if self._wire is not None:
            self._wire.close()

    # Steps.

    def _read_on(self) -> None:
        """Takes the frames that there is room for."""
        try:
            while self._has_room() and (received := self._reader.next()) is not None:
                self._take(received)
            self._held.resize(self._reader.held_bytes + self._queued_bytes)
        except (FrameError, TranscodeError) as error:
            self._refuse(error)
        self._go_on()

    def _go_on(self) -> None:
        """Reads on if there is room, and wakes the call."""
        self._set_reading(is_on=self._has_room())
        self._wake()

    def _has_room(self) -> bool:
        return len(self._queue) < QUEUED_MAX and self._queued_bytes < QUEUED_MAX_BYTES

    def _take(self, received: Received) -> None:
        kind, data = received
        if kind is Kind.CLOSE:
            self._is_over = True
            if not self._is_ended:
                self._close(close_message(close_code_of(data), ""))
                self._end_call()
                if self._wire is not None:
                    self._wire.close()
        elif self._is_ended or kind is Kind.PONG:
            return
        elif kind is Kind.PING:
            self._owed_pong = data
            self._send_pong()
        elif self._takes_more:
            self._queue.append(received)
            self._queued_bytes += len(data)
        elif received != HALF_CLOSE:
            self._fail(_too_many())

    def _refuse(self, fault: FrameError | TranscodeError) -> None:
        """Ends the call by what cannot be taken, and drops all that follows."""
        self._drop_rest()
        if isinstance(fault, TranscodeError):
            self._fail(fault.released())
            return
        code = grpc.StatusCode.INVALID_ARGUMENT
        if fault.close_code == TOO_LARGE:
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
        self._fail(TranscodeError(code, fault.problem), close_code=fault.close_code)

    def _fail(self, error: TranscodeError, *, close_code: int | None = None) -> None:
        """Ends the call by a fault of the client."""
        if not self._is_ended:
            self.end(error, close_code=close_code)
            self._end_call()

    def _close(self, *messages: Outgoing) -> None:
        """Sends the last messages."""
        self._is_ended = True
        self._write(*messages)
        self._clear_queue()
        self._set_reading(is_on=True)

    def _write(self, *messages: Outgoing) -> None:
        """Sends messages, unless the connection is lost, which ends the call anyway."""
        if self._wire is not None:
            with contextlib.suppress(ConnectionResetError):
                self._wire.write(*messages)

    def _end_call(self) -> None:
        on_end, self._on_end = self._on_end, _nothing
        on_end()

    def _drop_rest(self) -> None:
        """Has all that the client still sends dropped: the start of the next frame is unknown."""
        self._is_garbled = True
        self._reader.clear()
        self._held.resize(0)

    def _clear_queue(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _send_pong(self) -> None:
        wire = self._wire
        if self._owed_pong is None or wire is None or wire.is_full or self._is_ended:
            return
        payload, self._owed_pong = self._owed_pong, None
        self._write(Outgoing(Kind.PONG, (payload,)))

    def _set_reading(self, *, is_on: bool) -> None:
        if is_on is not self._is_reading and self._wire is not None:
            self._is_reading = is_on
            self._wire.read_on(is_on=is_on)

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _await_silence(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            self._limits.ping_interval_s, self._check_silence
        )

    def _check_silence(self) -> None:
        """Pings a client that was silent; closes the connection of one that was pinged before."""
        wire = self._wire
        if wire is None or self._is_ended:
            return
        self._send_pong()
        # A client that is not read, or does not read, cannot answer.
        if self._is_heard or not self._is_reading or wire.is_full:
            self._is_pinged = False
        elif self._is_pinged:
            self._end_call()
            wire.abort()
            return
        else:
            self._is_pinged = True
            self._write(Outgoing(Kind.PING, ()))
        self._is_heard = False
        self._await_silence()


def _too_many() -> TranscodeError:
    return malformed("expected no further message, as the call takes no more, got one")


def _nothing() -> None:
    """Does nothing: there is no call to end."""
