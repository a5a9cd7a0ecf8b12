"""The backend that runs registered handlers in this process, behind the interceptors.

Dispatch is what grpc.aio does for a call, less the wire: the interceptors are asked for a handler,
the handler runs, its context says how the call ended. A message passes by reference as long as the
handler that the interceptors give has the serializers it was registered with; otherwise it goes
through them, as it would under grpc.aio.

Rule: the chain of interceptors is built once; a timer is armed only for a call with a deadline.
"""

import asyncio
import contextvars
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message
from grpc.aio import AbortError

from transcoder.calls import Call, Metadata
from transcoder.context import Context, SyncContext
from transcoder.errors import (
    TranscodeError,
    deadline_exceeded,
    internal,
    unimplemented,
)
from transcoder.headers import REQUEST_ID

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only

FindHandler = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class HandlerCallDetails(grpc.HandlerCallDetails):
    """What an interceptor is told of a call before it has a handler."""

    def __init__(self, method: str, invocation_metadata: Metadata) -> None:
        self.method = method
        self.invocation_metadata = invocation_metadata  # type: ignore[assignment]  # a tuple to read


class InProcess:
    """Handlers by method path, and the interceptors in front of them."""

    def __init__(self, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> None:
        """Build the chain.

        Args:
            interceptors: outermost first, as `grpc.aio.server` takes them.
        """
        self._handlers: dict[str, Handler] = {}
        find: FindHandler = self._find
        for interceptor in reversed(interceptors):
            find = functools.partial(interceptor.intercept_service, find)
        self._chain = find

    def register(self, handlers: Mapping[str, Handler]) -> None:
        """Add handlers by method path ("/package.Service/Method")."""
        self._handlers.update(handlers)

    async def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(details.method)

    async def unary(self, call: Call, request: Message) -> Message:
        context = Context(call)
        try:
            if call.deadline is None:
                return await self._run(call, request, context)
            return await self._run_until(call, request, context)
        except asyncio.CancelledError:
            context.cancel()
            raise
        finally:
            context.finish()

    async def _run_until(self, call: Call, request: Message, context: Context) -> Message:
        remaining_s = call.time_remaining()
        task = asyncio.current_task()
        if not remaining_s or task is None:
            raise deadline_exceeded()
        has_expired = False

        def expire() -> None:
            nonlocal has_expired
            has_expired = True
            context.expire()
            task.cancel()

        timer = asyncio.get_running_loop().call_later(remaining_s, expire)
        try:
            response = await self._run(call, request, context)
        except asyncio.CancelledError:
            # The client may leave in the same turn: then another cancel remains to be obeyed.
            if has_expired and task.uncancel() == 0:
                raise deadline_exceeded() from None
            raise
        except TranscodeError:
            if has_expired:
                task.uncancel()
            raise
        finally:
            timer.cancel()
        if has_expired:  # the handler swallowed its cancellation
            task.uncancel()
            raise deadline_exceeded()
        return response

    async def _run(self, call: Call, request: Message, context: Context) -> Message:
        method = call.method
        try:
            handler = await self._chain(HandlerCallDetails(method.path, call.metadata))
            if handler is None:
                raise unimplemented("Method not found!")
            registered = self._handlers[method.path]
            argument: object = request
            if handler.request_deserializer != registered.request_deserializer:
                argument = request.SerializeToString()
                if handler.request_deserializer is not None:
                    argument = handler.request_deserializer(argument)
            behaviour: Callable[..., Any] | None = handler.unary_unary
            if behaviour is None:
                raise unimplemented("Method not found!")
            if _is_coroutine_function(behaviour):
                response = await behaviour(argument, context)
            else:
                response = await _in_thread(behaviour, argument, context)
            failure = context.failure()
            if failure is not None:
                raise failure
            if handler.response_serializer != registered.response_serializer:
                if handler.response_serializer is not None:
                    response = handler.response_serializer(response)
                response = method.response_type.FromString(response)
        except (TranscodeError, asyncio.CancelledError):
            raise
        except Exception as exc:
            failure = context.failure()
            if failure is None:
                request_id = call.metadata.get(REQUEST_ID)
                logger.exception("%s failed, request id %s", method.path, request_id)
                raise internal(request_id) from exc
            raise failure from (None if isinstance(exc, AbortError) else exc)
        if type(response) is not method.response_type:
            request_id = call.metadata.get(REQUEST_ID)
            returned = type(response).__name__
            logger.error("%s returned %s, request id %s", method.path, returned, request_id)
            raise internal(request_id)
        return response


def _is_coroutine_function(behaviour: Callable[..., Any]) -> bool:
    code = getattr(behaviour, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_COROUTINE:
        return True
    return inspect.iscoroutinefunction(behaviour)


async def _in_thread(behaviour: Callable[..., Any], request: object, context: Context) -> Any:  # noqa: ANN401
    """Run a plain function in the loop's pool, as grpc.aio does, with our context variables."""
    run = contextvars.copy_context().run
    work = functools.partial(run, behaviour, request, SyncContext(context))
    return await asyncio.get_running_loop().run_in_executor(None, work)
