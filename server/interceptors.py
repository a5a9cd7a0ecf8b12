"""What every call passes, at every door: one ordered tuple, outermost first.

Request id and access log, error mapping, overload, authorization. So the order that a client sees
is 16, then 7 or 5, then what the service itself answers.

Each layer is a grpc.aio.ServerInterceptor that runs unchanged in front of grpc.aio's handlers and
of the transcoder's. It wraps a method's behaviour once; a call then costs a layer two awaits.
Rule: what a layer adds to a call travels in context variables. grpc.aio refuses another
HandlerCallDetails than its own.
"""

import asyncio
import os
import re
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Never, TypeAlias, TypeVar

import grpc
import structlog
from grpc.aio import BaseError, UsageError

from server.behaviours import (
    Behaviour,
    Context,
    Handler,
    Metadata,
    Pairs,
    behaviour_of,
    with_behaviour,
)
from server.domain.refusals import Kind, Refusal
from server.errors import STORAGE_FAILED, Failure, Failures, internal
from server.eventstore.contract import StorageError
from server.identity.authorization import Authorizer
from server.identity.caller import CALLER
from server.identity.permissions import PUBLIC_METHODS
from server.logs import REQUEST_ID

CALLS_MAX: Final = 1000
"""In flight at once, at all doors together (R27)."""

STREAMS_SHARE: Final = 10
"""One in so many of them may be a stream: those that only watch cannot crowd out callers."""

REQUEST_ID_KEY: Final = "x-request-id"

HANDLERS_MAX: Final = 10_000
"""Wrapped handlers that a layer keeps; more means that something makes a handler for each call."""

log = structlog.get_logger()

Req = TypeVar("Req")
Res = TypeVar("Res")
Find: TypeAlias = (
    "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Req, Res] | None]]"
)


def interceptors(
    *,
    failures: Failures,
    authorizer: Authorizer,
    permissions: Mapping[str, str],
    calls_max: int = CALLS_MAX,
    access_log: bool = True,
) -> tuple[grpc.aio.ServerInterceptor, ...]:
    """All layers, outermost first.

    Args:
        failures: what exceptions tell the caller.
        authorizer: who may do what.
        permissions: what each method asks for, by path.
        calls_max: calls in flight at once.
        access_log: whether each call is logged.
    """
    return (
        RequestIds(access_log=access_log),
        ErrorMapping(failures),
        Overload(calls_max),
        Authorization(authorizer, permissions),
    )


class Layer(grpc.aio.ServerInterceptor):
    """An interceptor that puts something around the behaviour of each method."""

    def __init__(self) -> None:
        self._wrapped: dict[tuple[int, str], tuple[Handler, Handler]] = {}

    @property
    def handlers(self) -> int:
        """How many are wrapped and kept."""
        return len(self._wrapped)

    @abstractmethod
    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        """What runs instead of the behaviour.

        Args:
            method: its path.
            handler: says whether the method streams.
            behaviour: the method, or what the layers within made of it.
        """

    async def intercept_service(
        self, continuation: "Find[Req, Res]", handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Req, Res] | None":
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        key = (id(handler), handler_call_details.method)
        known = self._wrapped.get(key)
        if known is not None:
            return known[1]
        return self._wrap_once(key, handler)

    def _wrap_once(self, key: tuple[int, str], handler: Handler) -> Handler:
        if len(self._wrapped) >= HANDLERS_MAX:
            self._wrapped.clear()
        wrapped = self.wrap(key[1], handler)
        self._wrapped[key] = (handler, wrapped)  # which keeps the handler, and so its id, alive
        return wrapped

    def wrap(self, method: str, handler: Handler) -> Handler:
        return with_behaviour(handler, self.around(method, handler, behaviour_of(handler)))


class RequestIds(Layer):
    """Gives each call an id, returns it to native callers, and logs one line a call."""

    def __init__(self, *, access_log: bool) -> None:
        super().__init__()
        self._access_log = access_log

    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        async def call(request: object, context: Context) -> object:
            metadata = context.invocation_metadata()
            if isinstance(metadata, tuple):
                request_id = _acceptable(_text(metadata, REQUEST_ID_KEY)) or _new_request_id()
                context = _Identified(context, metadata, request_id)
            else:
                # The transcoder has chosen one, and writes it into its answer itself.
                request_id = _text(metadata, REQUEST_ID_KEY) or _new_request_id()
            REQUEST_ID.set(request_id)
            return await behaviour(request, context)

        return _logged(method, call) if self._access_log else call


def _logged(method: str, behaviour: Behaviour) -> Behaviour:
    async def call(request: object, context: Context) -> object:
        started = time.perf_counter_ns()
        outcome: object = None
        try:
            return await behaviour(request, context)
        except asyncio.CancelledError:
            outcome = grpc.StatusCode.CANCELLED
            raise
        except BaseException:
            outcome = grpc.StatusCode.UNKNOWN
            raise
        finally:
            caller = CALLER.get(None)
            log.info(
                "call",
                method=method,
                code=_name(context.code() or outcome),
                ms=(time.perf_counter_ns() - started) // 10_000 / 100,
                org=caller and caller.org_id,
                user=caller and caller.user_id,
                peer=context.peer(),
            )

    return call


class ErrorMapping(Layer):
    """Ends a call that raises with a status; only the log sees what is no answer of ours."""

    def __init__(self, failures: Failures) -> None:
        super().__init__()
        self._failures = failures

    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        failures = self._failures

        async def call(request: object, context: Context) -> object:
            try:
                return await behaviour(request, context)
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                # Something within was cancelled, not this call: grpc.aio would send no status.
                failure = _fault(method, error)
            except NotImplementedError as error:
                failure = _unimplemented(method, context) or _fault(method, error)
            except BaseError as error:
                if not isinstance(error, UsageError):
                    raise  # an abort, or a connection that is gone: grpc.aio knows what to do
                failure = _fault(method, error)
            except Refusal as refusal:
                failure = failures.of(refusal)
            except StorageError as error:
                log.error("storage failed", method=method, reason=str(error))
                failure = STORAGE_FAILED
            except Exception as error:  # noqa: BLE001  the outermost handler
                failure = _fault(method, error)
            return await context.abort(*failure)

        return call


class Overload(Layer):
    """Refuses at once what would be too much at once."""

    def __init__(self, calls_max: int) -> None:
        super().__init__()
        self._calls = _Places(calls_max)
        self._streams = _Places(max(calls_max // STREAMS_SHARE, 1))

    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        is_stream = handler.request_streaming or handler.response_streaming
        places = self._streams if is_stream else self._calls

        async def call(request: object, context: Context) -> object:
            if places.taken >= places.limit:
                raise Refusal(Kind.RESOURCE_EXHAUSTED, "too many calls in flight, try again later")
            places.taken += 1
            try:
                return await behaviour(request, context)
            finally:
                places.taken -= 1

        return call


class Authorization(Layer):
    """Lets pass who may, and public methods; sets `CALLER`."""

    def __init__(self, authorizer: Authorizer, permissions: Mapping[str, str]) -> None:
        super().__init__()
        self._authorizer = authorizer
        self._permissions = permissions

    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        authorizer = self._authorizer
        permission = self._permissions.get(method)
        if permission is None:
            return behaviour if method in PUBLIC_METHODS else _refused(method)

        async def call(request: object, context: Context) -> object:
            metadata = context.invocation_metadata()
            authorization = _text(metadata, "authorization")
            org_id = _text(metadata, "x-zitadel-orgid")
            caller = authorizer.known(authorization, org_id, permission)
            if caller is None:
                caller = await authorizer.authorize(authorization, org_id, permission)
            CALLER.set(caller)
            return await behaviour(request, context)

        return call


class _Places:
    __slots__ = ("limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0


class _Identified:
    """A grpc.aio context whose trailers carry the request id, whatever a servicer sets or aborts.

    In the trailers, because initial metadata sent ahead of the answer costs a batch of its own.
    """

    __slots__ = ("_context", "_metadata", "_pair")

    def __init__(self, context: Context, metadata: Metadata, request_id: str) -> None:
        self._context = context
        self._metadata = metadata
        self._pair = (REQUEST_ID_KEY, request_id)
        context.set_trailing_metadata((self._pair,))

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def set_trailing_metadata(self, trailing_metadata: Pairs) -> None:
        self._context.set_trailing_metadata((*trailing_metadata, self._pair))

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Pairs = (),
    ) -> Never:
        if trailing_metadata:
            trailing_metadata = (*trailing_metadata, self._pair)
        await self._context.abort(code, details, trailing_metadata)

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, tuple(status.trailing_metadata or ()))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  every other member of the context
        return getattr(self._context, name)


def _refused(method: str) -> Behaviour:
    async def call(_request: object, _context: Context) -> object:
        raise Refusal(Kind.PERMISSION_DENIED, f"{method} is neither public nor has a permission")

    return call


def _fault(method: str, error: BaseException) -> Failure:
    log.error("call failed", method=method, exc_info=error)
    return internal(REQUEST_ID.get(""))


def _unimplemented(method: str, context: Context) -> Failure | None:
    """What a servicer's generated base class means; it sets the code, and then it raises."""
    if _name(context.code()) != grpc.StatusCode.UNIMPLEMENTED.name:
        return None
    return Failure(grpc.StatusCode.UNIMPLEMENTED, f"{method.rpartition('/')[2]} is not implemented")


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _text(metadata: Metadata, key: str) -> str:
    """The first value under the key; empty when there is none."""
    if not isinstance(metadata, tuple):
        value = metadata.get(key)
        return value if isinstance(value, str) else ""
    for name, value in metadata:
        if name == key:
            return value if isinstance(value, str) else ""
    return ""


def _acceptable(request_id: str) -> str:
    return request_id if _REQUEST_ID.fullmatch(request_id) else ""


def _new_request_id() -> str:
    return os.urandom(8).hex()


def _name(code: object) -> str:
    """The name of a code, which servicers may also set as a number."""
    if isinstance(code, int):
        return _NAMES.get(code, str(code))
    return code.name if isinstance(code, grpc.StatusCode) else grpc.StatusCode.OK.name


_REQUEST_ID: Final = re.compile(r"[!-~]{1,128}")
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}
