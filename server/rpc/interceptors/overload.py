"""Refuses calls beyond the number that may be in flight."""

from collections.abc import Callable
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

    def __init__(self, calls_max: int, *, on_refusal: Callable[[str], None] | None = None) -> None:
        """Sets the limit; `on_refusal` is called with what is too many: calls, or streams."""
        self._calls = _InFlight("calls", calls_max)
        self._streams = _InFlight("streams", max(calls_max // STREAMS_SHARE, 1))
        self._on_refusal = on_refusal

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        is_stream = method_handler.request_streaming or method_handler.response_streaming
        in_flight = self._streams if is_stream else self._calls
        on_refusal = self._on_refusal

        async def call(request: object, context: Context) -> object:
            if in_flight.count >= in_flight.limit:
                if on_refusal is not None:
                    on_refusal(in_flight.of)
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
    __slots__ = ("count", "limit", "of")

    def __init__(self, of: str, limit: int) -> None:
        self.of = of
        self.limit = limit
        self.count = 0
