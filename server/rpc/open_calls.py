"""Limits the open calls of the gRPC port, from their headers until the client has taken the answer.

A call holds a place while its message is awaited, while it runs, and while its answer is sent. A
place is idle if it waits for the client: for a message, or for the client to take an answer. Idle
places are taken back after a time, and at once if another call needs a place. The connection with
most idle places loses its oldest ones, so a quick caller always gets a place.

Follows grpc/doc/statuscodes.md for a request without a message.
Rule 1: a quick call costs one entry in a dictionary; one timer serves all calls.
Rule 2: a task that waits for grpc is never cancelled here: grpc would write to freed memory. Such a
call is ended by aborting its context from another task.
"""

import asyncio
import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from operator import itemgetter
from typing import Any, Final, Never

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc.aio import EOF, AbortError, BaseError

from server.rpc.chain import Interceptor
from server.rpc.handlers import (
    Context,
    Handler,
    MethodHandler,
)

MESSAGE_TIMEOUT_S: Final = 10
"""Max seconds from the headers of a call to the end of its message; `body_timeout_s` over HTTP."""

ANSWER_TIMEOUT_S: Final = 30
"""Max seconds for a client to take 64 KiB of an answer, as `write_timeout_s` over HTTP."""

_DRAIN_LOOK_S: Final = 0.02
"""Seconds between checks for calls in flight while the server stops."""
_PROGRESS_BYTES: Final = 64 << 10
"""Bytes of an answer that a client must take within `ANSWER_TIMEOUT_S`."""
_TICK_S: Final = 1.0
"""Seconds between two checks of idle places; times of places are counted in them."""
_ABORT_S: Final = 2
"""Max seconds for an abort to be sent; then the connection is ended."""
_UNIX: Final = "unix:"
"""Prefix of the peer of a unix socket; all its callers have one name, so its oldest calls end."""
_TAKEN_BACK_SHARE: Final = 10
"""One place in ten is taken back at a time: taking many costs little more than taking one."""

_AWAITED: Final = 0
_RUNNING: Final = 1
_STREAMING: Final = 2
_ANSWERED: Final = 3

EndConnections = Callable[[Iterable[str]], None]
OnRefusal = Callable[[str], None]

log = structlog.get_logger()


class OpenCall:
    """Holds a place for one open call.

    Attributes:
        context: None once the call has ended, so that no cycle of references is left.
        is_service: False for health and reflection.
        task: runs the call.
        state: one of `_AWAITED`, `_RUNNING`, `_STREAMING`, `_ANSWERED`.
        since: the tick at which the state began.
        answer: the message that the client has yet to take.
    """

    __slots__ = (
        "_native",
        "_peer",
        "answer",
        "context",
        "is_service",
        "places",
        "since",
        "state",
        "task",
    )

    def __init__(
        self,
        context: Context,
        places: "dict[OpenCall, None]",
        since: int,
        *,
        is_service: bool,
    ) -> None:
        self.context: Context | None = context
        # Has the peer as grpc names it; `context` may name who is behind a pipe.
        self._native: Context | None = context
        self.is_service: Final = is_service
        self.places = places
        self.task: asyncio.Task[Any] | None = None
        self.state = _AWAITED
        self.since = since
        self.answer: object = None
        self._peer = ""

    def peer(self) -> str:
        """Returns the peer as grpc names it; empty once the call has ended."""
        if not self._peer and self._native is not None:
            self._peer = self._native.peer()
        return self._peer

    def answered(self, tick: int) -> None:
        self.state = _ANSWERED
        self.since = tick

    def end(self, _task: object) -> None:
        self.places.pop(self, None)
        self.context = self._native = self.answer = self.task = None


_CALL: Final[ContextVar[OpenCall]] = ContextVar("open call")


class Places(Interceptor):
    """Gives each call a place until it ends. Must be the outermost interceptor."""

    def __init__(
        self,
        calls_max: int,
        streams_max: int,
        end_connections: EndConnections,
        *,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        """Sets the limits.

        Args:
            calls_max: max open calls.
            streams_max: max open calls that stream.
            end_connections: ends the connections of peers.
            on_refusal: called for each call that a limit refuses or ends, with what is too many:
                calls, or streams.
        """
        self._calls: dict[OpenCall, None] = {}
        self._streams: dict[OpenCall, None] = {}
        self._calls_max = calls_max
        self._streams_max = streams_max
        self._end_connections = end_connections
        self._on_refusal = on_refusal
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None
        self._logged_at = -1
        self._ending: set[asyncio.Task[None]] = set()
        self._is_draining = False

    async def drained(self, grace_s: float) -> bool:
        """Refuses new calls of services, and waits for those in flight.

        Health and reflection are served until the end, and not waited for. Neither is a call whose
        message has not arrived: it may never.

        Returns:
            True if there were calls, and all ended within the grace.
        """
        self._is_draining = True
        if grace_s <= 0 or not self._has_service_calls():
            return False
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        while self._has_service_calls():
            if loop.time() >= until:
                return False
            await asyncio.sleep(_DRAIN_LOOK_S)
        return True

    def _has_service_calls(self) -> bool:
        return any(
            call.is_service and call.state != _AWAITED
            for call in itertools.chain(self._calls, self._streams)
        )

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        calls = self._calls
        is_service = not method.startswith("/grpc.")

        async def call(request: object, context: Context) -> object:
            if is_service and self._is_draining:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
            if len(calls) >= self._calls_max and not self._take_back(calls, context):
                self._count_refusals(calls, 1)
                await _refuse(context)
            place = OpenCall(context, calls, self._tick, is_service=is_service)
            calls[place] = None
            # Not `context.add_done_callback`: the context and its callbacks would be a cycle.
            task = place.task = asyncio.current_task()
            if task is not None:
                task.add_done_callback(place.end)
            if self._timer is None:
                self._start_timer()
            _CALL.set(place)
            try:
                place.answer = answer = await handler(request, context)
            except BaseException as error:
                place.answered(self._tick)
                # The state of the call has the exception of an abort; the exception has the frames
                # it passed; their contexts have the state: a cycle, which this breaks.
                del request, context, place, task
                if isinstance(error, AbortError):
                    error.__traceback__ = error.__cause__ = error.__context__ = None
                raise
            place.answered(self._tick)
            return answer

        return call

    def peers(self) -> set[str]:
        """Returns the peers with open calls."""
        return {call.peer() for call in itertools.chain(self._calls, self._streams)}

    async def begin_stream(self, context: Context) -> None:
        """Moves the current call to the places of streams, or refuses it."""
        streams = self._streams
        if len(streams) >= self._streams_max and not self._take_back(streams, context):
            self._count_refusals(streams, 1)
            await _refuse(context)
        place = _CALL.get()
        place.places.pop(place, None)  # it may have been taken back at the same moment
        place.places = streams
        streams[place] = None
        place.context = context
        place.state = _STREAMING

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _take_back(self, calls: dict[OpenCall, None], newcomer: Context) -> bool:
        """Ends calls with idle places, of the peers with most of them, oldest first.

        Ends none if the newcomer's peer has most. Each peer keeps half as many as the peer with
        most had.

        Returns:
            True if there is a place now.
        """
        of_peer: dict[str, list[OpenCall]] = defaultdict(list)
        for place in calls:
            if place.state != _RUNNING:
                of_peer[place.peer()].append(place)
        most = max(map(len, of_peer.values()), default=0)
        peer = newcomer.peer()
        if len(of_peer.get(peer, ())) >= most and not peer.startswith(_UNIX):
            return False
        ranked = (
            (len(places) - index, place)
            for places in of_peer.values()
            for index, place in enumerate(places[: max(len(places) - most // 2, 0)])
        )
        wanted = max(len(calls) // _TAKEN_BACK_SHARE, 1)
        taken = [place for _, place in heapq.nlargest(wanted, ranked, key=itemgetter(0))]
        if self._logged_at != self._tick:
            self._logged_at = self._tick
            log.warning("open calls are ended for others", calls=len(taken), peers=len(of_peer))
        text = "too many calls in flight, and nothing came of this one"
        self._count_refusals(calls, len(taken))
        self._end(taken, grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        return True

    def _count_refusals(self, calls: dict[OpenCall, None], number: int) -> None:
        if self._on_refusal is not None:
            for _ in range(number):
                self._on_refusal("streams" if calls is self._streams else "calls")

    def _start_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._sweep)

    def _sweep(self) -> None:
        self._tick += 1
        late, stuck = [], []
        for place in self._calls:
            waited_s = (self._tick - place.since - 1) * _TICK_S
            if place.state == _AWAITED and waited_s >= MESSAGE_TIMEOUT_S:
                late.append(place)
            elif place.state == _ANSWERED and waited_s >= _time_to_take(place.answer):
                stuck.append(place)
        text = f"the request's message did not arrive within {MESSAGE_TIMEOUT_S} s"
        self._end(late, grpc.StatusCode.DEADLINE_EXCEEDED, text)
        self._end(stuck, grpc.StatusCode.CANCELLED, "")
        if self._calls or self._streams:
            self._start_timer()
        else:
            self._timer = None

    def _end(self, places: Iterable[OpenCall], code: grpc.StatusCode, text: str) -> None:
        peers = set()
        for place in places:
            if place.context is None:
                continue
            place.places.pop(place, None)
            if place.state == _ANSWERED:
                peers.add(place.peer())
            else:
                ending = asyncio.create_task(self._end_call(place, place.peer(), code, text))
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
        if peers:
            self._end_connections(peers)

    async def _end_call(self, place: OpenCall, peer: str, code: grpc.StatusCode, text: str) -> None:
        aborting = asyncio.create_task(_abort(place, code, text))
        done, _ = await asyncio.wait((aborting,), timeout=_ABORT_S)
        if not done:
            # The status waits behind an answer that the client does not take.
            self._end_connections((peer,))
            await aborting
        if place.task is not None and place.state == _STREAMING:
            place.task.cancel()  # its handler may wait for something else than the client


class Receiving(Interceptor):
    """Reads the message of a call, and answers if it is missing or invalid.

    grpc.aio itself waits for a message until the connection ends, answers UNKNOWN if it is invalid,
    and does not answer if it is missing.
    """

    reads_request = True

    def __init__(self, places: Places) -> None:
        self._places = places

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        if method_handler.request_streaming:
            return self._streaming(handler)
        decode: Any = method_handler.request_deserializer or bytes
        if method_handler.response_streaming:
            handler = self._streaming(handler)

        async def call(_requests: object, context: Context) -> object:
            place = _CALL.get()
            place.context = context  # this one adds the headers that every answer has
            octets = await context.read()
            place.state = _RUNNING
            if octets is EOF:
                await _miss(context)
            try:
                message = decode(octets)
            except DecodeError:
                text = f"the request is not {_type_of(decode)} in protobuf's binary format"
                await context.abort(grpc.StatusCode.INTERNAL, text)
            answering = handler(message, context)
            del octets, message  # the last user of the message frees its memory
            return await answering

        return call

    def _streaming(self, handler: Handler) -> Handler:
        begin = self._places.begin_stream

        async def call(request: object, context: Context) -> object:
            await begin(context)
            return await handler(request, context)

        return call


def _time_to_take(answer: object) -> float:
    size = answer.ByteSize() if isinstance(answer, Message) else 0
    return ANSWER_TIMEOUT_S * (1 + size // _PROGRESS_BYTES)


async def _miss(context: Context) -> Never:
    await asyncio.sleep(0)  # a call that is cancelled ends here
    text = "the request has no message, expected one"
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)


async def _refuse(context: Context) -> Never:
    text = "too many calls in flight, try again later"
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)


async def _abort(place: OpenCall, code: grpc.StatusCode, text: str) -> None:
    """Aborts a call from outside, unless it has ended."""
    if place.context is None:
        return  # grpc.aio has freed its memory
    try:
        await place.context.abort(code, text)
    except AbortError as error:
        error.__traceback__ = None
    except BaseError:
        return


def _type_of(decode: object) -> str:
    """Returns the message type of a deserializer in words, for an error."""
    kind = getattr(decode, "__self__", None)
    if isinstance(kind, type) and issubclass(kind, Message):
        return f"a {kind.DESCRIPTOR.full_name}"
    return "a message"
