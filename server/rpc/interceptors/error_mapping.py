"""Maps what a call raises to a status.

Rule: the text of an exception reaches a caller only if it is a refusal; any other goes to the log.
"""

import asyncio

import grpc
import structlog
from grpc.aio import BaseError, UsageError

from server.domain.refusals import Refusal
from server.rpc.call_info import CALL
from server.rpc.chain import Interceptor
from server.rpc.errors import (
    STORAGE_FAILED,
    TOO_MUCH_WAITS,
    CallFailure,
    CallFailures,
    internal,
)
from server.rpc.handlers import Context, Handler, MethodHandler
from server.rpc.interceptors.access_log import code_name
from server.rpc.metadata import InvalidMetadata
from server.store.errors import StorageError
from server.threads import TooManyWaiting

log = structlog.get_logger()


class ErrorMapping(Interceptor):
    """Ends a call that raises with a status."""

    def __init__(self, failures: CallFailures) -> None:
        self._failures = failures

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        failures = self._failures

        async def call(request: object, context: Context) -> object:
            try:
                answering = handler(request, context)
                del request
                return await answering
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                # A task within was cancelled, and not this call: grpc.aio would send no status.
                failure = _fault(method, error)
            except NotImplementedError as error:
                failure = _unimplemented(method, context) or _fault(method, error)
            except BaseError as error:
                if not isinstance(error, UsageError):
                    raise  # an abort or a lost connection, which grpc.aio handles
                failure = _fault(method, error)
            except Refusal as refusal:
                failure = failures.of(refusal)
            except InvalidMetadata as error:
                failure = CallFailure(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except TooManyWaiting:
                failure = TOO_MUCH_WAITS
            except StorageError as error:
                log.error("storage failed", method=method, reason=str(error))
                failure = STORAGE_FAILED
            except Exception as error:  # noqa: BLE001  the outermost handler
                failure = _fault(method, error)
            return await context.abort(*failure)

        return call


def _fault(method: str, error: BaseException) -> CallFailure:
    log.error("call failed", method=method, exc_info=error)
    return internal(CALL.get().request_id)


def _unimplemented(method: str, context: Context) -> CallFailure | None:
    """Returns the failure of a missing method: generated code sets UNIMPLEMENTED, then raises."""
    if code_name(context.code()) != grpc.StatusCode.UNIMPLEMENTED.name:
        return None
    text = f"{method.rpartition('/')[2]} is not implemented"
    return CallFailure(grpc.StatusCode.UNIMPLEMENTED, text)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
