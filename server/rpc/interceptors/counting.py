"""Counts calls by method, door and code, and measures them.

Rule: the methods are those that are registered, so clients add no values of labels.
"""

import asyncio
import time
from typing import Final

import grpc

from server.metrics.instruments import Histogram, Number
from server.metrics.service import CallMetrics
from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler
from server.rpc.interceptors.access_log import code_name

_GRPC: Final = "grpc"
"""The door of contexts that do not name their protocol, as those of grpc.aio."""

_NS: Final = 1e-9


class Counting(Interceptor):
    """Counts each call when it ends."""

    def __init__(self, metrics: CallMetrics) -> None:
        self._metrics = metrics

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        in_flight = self._metrics.in_flight
        counts: dict[tuple[str, object], tuple[Number, Histogram]] = {}
        instruments = self._instruments

        async def call(request: object, context: Context) -> object:
            started = time.perf_counter_ns()
            outcome: object = None
            in_flight.value += 1
            answering = handler(request, context)
            del request
            try:
                return await answering
            except asyncio.CancelledError:
                outcome = grpc.StatusCode.CANCELLED
                raise
            except BaseException:
                outcome = grpc.StatusCode.UNKNOWN
                raise
            finally:
                in_flight.value -= 1
                key = (getattr(context, "protocol", _GRPC), context.code() or outcome)
                found = counts.get(key)
                if found is None:
                    found = counts[key] = instruments(method, *key)
                number, histogram = found
                number.value += 1
                histogram.observe((time.perf_counter_ns() - started) * _NS)

        return call

    def _instruments(self, method: str, door: str, code: object) -> tuple[Number, Histogram]:
        name = method.removeprefix("/")
        number = self._metrics.ended.of(name, door, code_name(code))
        return number, self._metrics.seconds.of(name, door)
