"""Refuses calls beyond the number that may be in flight."""

from typing import Final

from server.domain.refusals import Kind, Refusal
from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler

CALLS_MAX: Final = 1000
"""Max calls in flight, over all protocols together (R27)."""

STREAMS_SHARE: Final = 10
"""One call in ten may be a stream, so that watchers leave room for other calls."""


class Overload(Interceptor):
    """Counts calls in flight, and refuses those beyond the limit at once."""

    def __init__(self, calls_max: int) -> None:
        self._calls = _InFlight(calls_max)
        self._streams = _InFlight(max(calls_max // STREAMS_SHARE, 1))

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        is_stream = method_handler.request_streaming or method_handler.response_streaming
        in_flight = self._streams if is_stream else self._calls

        async def call(request: object, context: Context) -> object:
            if in_flight.count >= in_flight.limit:
                raise Refusal(Kind.RESOURCE_EXHAUSTED, "too many calls in flight, try again later")
            in_flight.count += 1
            try:
                answering = handler(request, context)
                del request
                return await answering
            finally:
                in_flight.count -= 1

        return call


class _InFlight:
    __slots__ = ("count", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
