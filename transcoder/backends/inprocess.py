"""The backend that runs registered handlers in this process, behind the interceptors.

Dispatch is what grpc.aio does for a call, less the wire: the interceptors are asked for a handler,
the handler runs, its context says how the call ended. A message passes by reference as long as the
handler that the interceptors give has the serializers it was registered with; otherwise it goes
through them, as it would under grpc.aio.

Rule: the chain of interceptors is built once; a timer is armed only for a call with a deadline.
"""

import asyncio
import contextlib
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc.aio import AbortError

from transcoder.backends.plain_handlers import PlainHandlers
from transcoder.backends.servicer_context import Requests, ServicerContext, StreamContext, kind_of
from transcoder.call import Call, CallMetadata, Method, Receive, Sink
from transcoder.errors import (
    SchemaError,
    TranscodeError,
    deadline_exceeded,
    internal_error,
    unimplemented,
)
from transcoder.http.headers import REQUEST_ID_HEADER
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only

R = TypeVar("R")
FindHandler = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class HandlerCallDetails(grpc.HandlerCallDetails):
    """What an interceptor is told of a call before it has a handler."""

    def __init__(self, method: str, invocation_metadata: CallMetadata) -> None:
        self.method = method
        self.invocation_metadata = invocation_metadata  # type: ignore[assignment]  # a tuple to read


class InProcess:
    """Handlers by method path, and the interceptors in front of them."""

    def __init__(
        self,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        *,
        tasks: Tasks | None = None,
    ) -> None:
        """Builds the chain of interceptors.

        Args:
            interceptors: outermost first, as `grpc.aio.server` takes them.
            tasks: runs calls that have a deadline.

        Raises:
            SchemaError: they are no list, or one of them is no interceptor.
        """
        self._handlers: dict[str, Handler] = {}
        self._tasks = tasks or Tasks()
        self._plain = PlainHandlers()
        find: FindHandler = self._find
        given: object = interceptors
        if not isinstance(given, Sequence):
            raise _not_an_interceptor(given)
        for given in reversed(interceptors):
            if not isinstance(given, grpc.aio.ServerInterceptor):
                raise _not_an_interceptor(given)
            find = functools.partial(given.intercept_service, find)
        self._chain = find

    def register(self, handlers: Mapping[str, Handler]) -> None:
        """Adds handlers by method path ("/package.Service/Method"): all of them, or none.

        Raises:
            SchemaError: a method has another handler already.
        """
        self.refuse_others(handlers)
        self._handlers.update(handlers)

    def refuse_others(self, handlers: Mapping[str, Handler]) -> None:
        """Checks what `register` checks, and adds nothing."""
        for path, handler in handlers.items():
            if self._handlers.get(path, handler) != handler:
                raise SchemaError(f"{path} is registered already, with another handler")

    def close(self) -> None:
        """Ends the threads of plain handlers once they have done what waits; waits for nothing."""
        self._plain.close()

    async def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(details.method)

    async def unary(self, call: Call, receive: Receive) -> Message:
        context = ServicerContext(call)
        if call.deadline is None:
            return await self._unary(call, receive, context)
        run = functools.partial(self._unary, call, receive, context)
        return await self._until_deadline(call, context, run)

    async def stream(self, call: Call, receive: Receive, sink: Sink) -> None:
        context = StreamContext(call, sink)
        run = functools.partial(self._stream, call, receive, context)
        await (run() if call.deadline is None else self._until_deadline(call, context, run))

    async def _unary(self, call: Call, receive: Receive, context: ServicerContext) -> Message:
        method = call.method
        try:
            handler = await self._chain(HandlerCallDetails(method.path, call.metadata))
            if handler is None or handler.response_streaming:
                raise unimplemented("Method not found!")
            registered = self._handlers[method.path]
            behaviour, argument = await _begin(handler, registered, receive, context)
            if _is_coroutine_function(behaviour):
                answering = behaviour(argument, context)
                del argument  # a handler that is done with it frees its memory
                response = await answering
            else:
                response = await self._plain.unary(behaviour, argument, call, context)
            failure = context.failure()
            if failure is not None:
                raise failure
            if handler.response_serializer != registered.response_serializer:
                response = _as_message(response, handler, method)
        except (TranscodeError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError) and _is_told_to_end():
                context.cancel()
                raise
            raise _ending(call, context, exc) from exc
        finally:
            context.finish()
        if type(response) is not method.response_type:
            request_id = call.metadata.get(REQUEST_ID_HEADER)
            returned = kind_of(response, method)
            logger.error("%s returned %s, request id %s", method.path, returned, request_id)
            raise internal_error(request_id)
        return response

    async def _stream(self, call: Call, receive: Receive, context: StreamContext) -> None:
        method = call.method
        try:
            handler = await self._chain(HandlerCallDetails(method.path, call.metadata))
            if handler is None or not handler.response_streaming:
                raise unimplemented("Method not found!")
            registered = self._handlers[method.path]
            behaviour, argument = await _begin(handler, registered, receive, context)
            if handler.response_serializer != registered.response_serializer:
                context.as_message = functools.partial(_as_message, handler=handler, method=method)
            if inspect.isasyncgenfunction(behaviour):
                async with contextlib.aclosing(behaviour(argument, context)) as responses:
                    async for response in responses:
                        await context.write(response)
            elif _is_coroutine_function(behaviour):
                await behaviour(argument, context)
            else:
                await self._plain.stream(behaviour, argument, call, context)
            failure = context.failure()
            if failure is not None:
                raise failure
        except (TranscodeError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError) and _is_told_to_end():
                context.cancel()
                raise
            raise _ending(call, context, exc) from exc
        finally:
            context.finish()

    async def _until_deadline(
        self, call: Call, context: ServicerContext, run: Callable[[], Coroutine[Any, Any, R]]
    ) -> R:
        """Runs a call in a task of its own.

        So the caller gets its error at the deadline, and not after the cleanup of the handler.
        """
        remaining_s = call.time_remaining()
        if not remaining_s:
            raise deadline_exceeded()
        try:
            return await self._tasks.run(
                run(),
                timeout_s=remaining_s,
                on_timeout=context.expire,
                on_cancel=context.cancel,
            )
        except TimeoutError:
            raise deadline_exceeded() from None


def _not_an_interceptor(given: object) -> SchemaError:
    kind = type(given).__name__
    return SchemaError(f"interceptors: expected a list of grpc.aio.ServerInterceptors, got {kind}")


async def _begin(
    handler: Handler, registered: Handler, receive: Receive, context: ServicerContext
) -> tuple[Callable[..., Any], object]:
    """Returns the behaviour of a call and what it takes, which is the request, now received.

    An interceptor may give a handler that streams its requests for a method that does not, as one
    that refuses without the request does: it takes an iterator, and receives by itself.
    """
    behaviour: Any
    if handler.request_streaming:
        behaviour = handler.stream_stream or handler.stream_unary
        context.requests = Requests(receive, functools.partial(_as_asked, handler=handler))
        return behaviour, context.requests
    behaviour = handler.unary_stream or handler.unary_unary
    request = await receive()
    if handler.request_deserializer != registered.request_deserializer:
        return behaviour, _as_asked(request, handler)
    return behaviour, request


def _as_asked(request: Message, handler: Handler) -> object:
    """Returns the request in the form that a handler with another deserializer, or none, takes."""
    data = type(request).SerializeToString(request)  # of the class: a field may have that name
    return data if handler.request_deserializer is None else handler.request_deserializer(data)


def _as_message(response: Any, handler: Handler, method: Method) -> Message:  # noqa: ANN401
    """Returns the message of a response that another serializer, or none, is for."""
    serialize = handler.response_serializer
    return method.response_type.FromString(response if serialize is None else serialize(response))


def _is_told_to_end() -> bool:
    """True if the call is cancelled from outside; a handler may raise CancelledError by itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _ending(call: Call, context: ServicerContext, exc: BaseException) -> TranscodeError:
    """Returns the error that ends a call whose handler raised: the status it had set, or INTERNAL.

    Logs what was raised, unless a servicer raises it to set a status.
    """
    failure = context.failure()
    request_id = call.metadata.get(REQUEST_ID_HEADER)
    if call.ending is not None and _is_abort(exc):  # a write in the cleanup
        return TranscodeError(call.ending, "")
    if failure is None or not (_is_abort(exc) or _is_unwritten(failure, exc)):
        logger.error("%s failed, request id %s", call.method.path, request_id, exc_info=exc)
    return internal_error(request_id) if failure is None else failure


def _is_abort(exc: BaseException) -> bool:
    """True if the handler, or each failed task of its TaskGroup, aborted the call."""
    if isinstance(exc, BaseExceptionGroup):
        return all(map(_is_abort, exc.exceptions))
    return isinstance(exc, AbortError)


def _is_unwritten(failure: TranscodeError, exc: BaseException) -> bool:
    """True if it is what a generated servicer raises for a method that is not overridden."""
    return failure.code is grpc.StatusCode.UNIMPLEMENTED and isinstance(exc, NotImplementedError)


def _is_coroutine_function(behaviour: Callable[..., Any]) -> bool:
    code = getattr(behaviour, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_COROUTINE:
        return True
    return inspect.iscoroutinefunction(behaviour)
