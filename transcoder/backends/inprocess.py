"""Runs registered handlers in this process, behind the interceptors.

A call takes the steps that it takes in grpc.aio, without the wire: the interceptors return a
handler, the handler runs, its context has the status. Messages pass by reference while the handler
has the serializers that it was registered with. If an interceptor replaces them, messages pass
through the new ones, as in grpc.aio.

Rule: the chain of interceptors is built once; a timer is armed only for a call with a deadline.
"""

import asyncio
import contextlib
import functools
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message
from grpc.aio import AbortError

from transcoder.backends.plain_handlers import PlainHandlers
from transcoder.backends.servicer_context import Requests, ServicerContext, StreamContext, kind_of
from transcoder.call import REQUEST_ID_KEY, Call, CallMetadata, Method
from transcoder.errors import (
    SchemaError,
    TranscodeError,
    deadline_exceeded,
    internal_error,
    malformed,
    unimplemented,
)
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only

FindHandler = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


AnswerBytes = Callable[[Any, ServicerContext], Awaitable[bytes]]
"""Answers a request in protobuf's binary format by a response in it."""


class UnaryForward(ABC):
    """A unary method that needs not know its messages; `answer` is the function of a handler."""

    @abstractmethod
    async def answer(self, request: Message, context: Any) -> Message: ...  # noqa: ANN401

    @abstractmethod
    async def answer_bytes(self, request: bytes, context: ServicerContext) -> bytes:
        """Does the same in protobuf's binary format, for calls that want nothing else."""


class HandlerCallDetails(grpc.HandlerCallDetails):
    """The method and the metadata of a call, as an interceptor gets them."""

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
            SchemaError: `interceptors` is not a list of interceptors.
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
        self.refuse_duplicates(handlers)
        self._handlers.update(handlers)

    def replace(self, old: Iterable[str], handlers: Mapping[str, Handler]) -> None:
        """Removes the handlers of some paths, and adds others; calls that have one keep it."""
        for path in old:
            self._handlers.pop(path, None)
        self._handlers.update(handlers)

    def refuse_duplicates(self, handlers: Mapping[str, Handler]) -> None:
        """Raises SchemaError where `register` does; adds nothing."""
        for path, handler in handlers.items():
            if self._handlers.get(path, handler) != handler:
                raise SchemaError(f"{path} has another handler already")

    def close(self) -> None:
        """Has the threads of plain handlers end after the queued calls; does not wait for them."""
        self._plain.close()

    async def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(details.method)

    def run(self, call: Call) -> Coroutine[Any, Any, None]:
        stream = StreamContext(call) if call.method.server_streaming else None
        context = ServicerContext(call) if stream is None else stream
        # Now: once interceptors have run, the method may have been replaced.
        registered = self._handlers.get(call.method.path)
        if call.deadline is None:
            return self._run(call, context, stream, registered)
        return self._until_deadline(call, context, stream, registered)

    async def _run(
        self,
        call: Call,
        context: ServicerContext,
        stream: StreamContext | None,
        registered: Handler | None,
    ) -> None:
        """Runs a call.

        Args:
            call: the call.
            context: of the call.
            stream: its context, if it streams its responses, else None.
            registered: the handler of its method; None if that is not served any more.
        """
        method = call.method
        response: object = None
        answer_bytes: AnswerBytes | None = None
        try:
            handler = await self._chain(HandlerCallDetails(method.path, call.metadata))
            if (
                handler is None
                or registered is None
                or bool(handler.response_streaming) is not method.server_streaming
            ):
                raise unimplemented("Method not found!")
            # Of another class of messages, only the deserializer differs.
            is_converted = (
                handler.request_deserializer != registered.request_deserializer
                or handler.response_serializer != registered.response_serializer
            )
            # An interceptor may return a handler that streams its requests for a method that does
            # not, for example to refuse a call without reading its request.
            function: Any
            argument: object
            if handler.request_streaming:
                function = handler.stream_stream or handler.stream_unary
                convert = functools.partial(
                    _as_deserialized, handler=handler, registered=registered
                )
                argument = context.requests = Requests(call, convert)
            else:
                function = handler.unary_stream or handler.unary_unary
                if call.passes_bytes and not is_converted:
                    answer_bytes = _answer_bytes(function)
                argument = await (call.receive() if answer_bytes is None else call.receive_bytes())
                if argument is None:  # an interceptor's handler, for a stream without a request
                    raise malformed("the stream of requests: expected a message, got none")
                if is_converted:
                    argument = _as_deserialized(argument, handler, registered)
            if stream is not None:
                if is_converted:
                    stream.as_message = functools.partial(_as_message, handler, method)
                await self._stream(function, argument, call, stream)
            elif answer_bytes is not None:
                call.response_bytes = await answer_bytes(argument, context)
            elif _is_coroutine_function(function):
                answering = function(argument, context)
                del argument  # so that the handler can free its memory
                response = await answering
            else:
                response = await self._plain.unary(function, argument, call, context)
            failure = context.failure()
            if failure is not None:
                raise failure
            if is_converted and response is not None:
                response = _as_message(handler, method, response)
        except (TranscodeError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError) and _is_cancelled():
                context.cancel()
                raise
            raise _error_of(call, context, exc) from exc
        finally:
            context.finish()
        if isinstance(response, method.response_type):
            call.response = response
        elif stream is None and answer_bytes is None:
            request_id = call.metadata.get(REQUEST_ID_KEY)
            returned = kind_of(response, method)
            logger.error("%s returned %s, request id %s", method.path, returned, request_id)
            raise internal_error(request_id)

    async def _stream(
        self, function: Callable[..., Any], argument: object, call: Call, context: StreamContext
    ) -> None:
        """Runs a handler that streams its responses: a generator or function, async or plain."""
        if inspect.isasyncgenfunction(function):
            async with contextlib.aclosing(function(argument, context)) as responses:
                async for response in responses:
                    await context.write(response)
        elif _is_coroutine_function(function):
            await function(argument, context)
        else:
            await self._plain.stream(function, argument, call, context)

    async def _until_deadline(
        self,
        call: Call,
        context: ServicerContext,
        stream: StreamContext | None,
        registered: Handler | None,
    ) -> None:
        """Runs a call in a task of its own.

        So the caller gets its error at the deadline, before the cleanup of the handler ends.
        """
        remaining_s = call.time_remaining()
        if not remaining_s:
            raise deadline_exceeded()
        try:
            await self._tasks.run(
                self._run(call, context, stream, registered),
                timeout_s=remaining_s,
                on_timeout=context.expire,
                on_cancel=context.cancel,
            )
        except TimeoutError:
            raise deadline_exceeded() from None


def _not_an_interceptor(given: object) -> SchemaError:
    kind = type(given).__name__
    return SchemaError(f"interceptors: expected a list of grpc.aio.ServerInterceptors, got {kind}")


def _answer_bytes(function: object) -> AnswerBytes | None:
    """Returns what passes bytes on; None if an interceptor wraps it, or it needs messages."""
    forward = getattr(function, "__self__", None)
    return forward.answer_bytes if isinstance(forward, UnaryForward) else None


def _as_deserialized(request: Any, handler: Handler, registered: Handler) -> object:  # noqa: ANN401
    """Returns a request as the handler's deserializer makes it, if that is not the registered."""
    if handler.request_deserializer == registered.request_deserializer:
        return request
    data = type(request).SerializeToString(request)  # of the class: a field may have that name
    return data if handler.request_deserializer is None else handler.request_deserializer(data)


def _as_message(handler: Handler, method: Method, response: Any) -> Message:  # noqa: ANN401
    """Returns the message of a response that a handler's own serializer writes."""
    serialize = handler.response_serializer
    return method.response_type.FromString(response if serialize is None else serialize(response))


def _is_cancelled() -> bool:
    """True if the call was cancelled; a handler may also raise CancelledError by itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _error_of(call: Call, context: ServicerContext, exc: BaseException) -> TranscodeError:
    """Returns the error of a call whose handler raised: the status that it had set, or INTERNAL.

    Logs the exception, unless it is how servicers end a call with a status.
    """
    failure = context.failure()
    request_id = call.metadata.get(REQUEST_ID_KEY)
    if isinstance(exc, BaseExceptionGroup):
        failed, others = exc.split(TranscodeError)  # reading requests in a TaskGroup
        if failed is not None and others is None:
            return _first_of(failed)
    if call.ending is not None and _is_abort(exc):  # a write in the cleanup
        return TranscodeError(call.ending, "")
    if failure is None or not (_is_abort(exc) or _is_not_overridden(failure, exc)):
        logger.error("%s failed, request id %s", call.method.path, request_id, exc_info=exc)
    return internal_error(request_id) if failure is None else failure


def _first_of(group: BaseExceptionGroup[TranscodeError]) -> TranscodeError:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _is_abort(exc: BaseException) -> bool:
    """True if the handler, or each failed task of its TaskGroup, aborted the call."""
    if isinstance(exc, BaseExceptionGroup):
        return all(map(_is_abort, exc.exceptions))
    return isinstance(exc, AbortError)


def _is_not_overridden(failure: TranscodeError, exc: BaseException) -> bool:
    """True if a generated servicer raised it for a method that its subclass does not override."""
    return failure.code is grpc.StatusCode.UNIMPLEMENTED and isinstance(exc, NotImplementedError)


def _is_coroutine_function(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_COROUTINE:
        return True
    return inspect.iscoroutinefunction(function)
