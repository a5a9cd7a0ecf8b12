"""Handlers behind all interceptors, called with a stand-in for grpc.aio's context.

It shows what an interceptor asks of a context; tests/integration has the real one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Never

import grpc
from grpc.aio import AbortError

from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.identity.authorization import Authorizer
from server.locale import load_all
from server.rpc.errors import CallFailures
from server.rpc.handlers import MethodHandler
from server.rpc.interceptors import service_chain
from server.rpc.interceptors.access_log import ClientOf
from server.rpc.metadata import Metadata, Pairs
from tests.support.named_answers import NamedAnswers

OPEN = "/grpc.health.v1.Health/Check"
GUARDED = "/test.Service/Guarded"
TOKEN = ("authorization", "Bearer act_" + "s" * 43)


class Accounts(NamedAnswers):
    def __init__(self) -> None:
        self.looked_up = 0

    async def token_by_hash(self, secret_hash: bytes) -> Token | None:
        self.looked_up += 1
        return Token("3", "1", "2", secret_hash, "", None, 1, 1, 1, 1)

    async def user_by_id(self, user_id: str) -> User | None:
        return User(user_id, "1", "someone", "", "", 1, 1, 1, 1)

    async def user_by_subject(self, subject: str) -> User | None:
        return None

    async def org_by_id(self, org_id: str) -> Org | None:
        return Org(org_id, "somewhere", 1, 1, 1, 1)

    async def memberships_of(self, user_id: str) -> Sequence[Member]:
        return [Member("1:2", "1", user_id, ("ORG_OWNER",), 1, 1, 1, 1)]


class Indexed:
    """Metadata as the transcoder gives it."""

    def __init__(self, values: Mapping[str, str | bytes]) -> None:
        self._values = values

    def get(self, key: str) -> str | bytes | None:
        return self._values.get(key)

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        return iter(self._values.items())


class Context:
    """Stands in for grpc.aio's context: an abort is final, and raises."""

    def __init__(self, metadata: Metadata = ()) -> None:
        self.metadata = metadata
        self._code: grpc.StatusCode | int | None = None
        self.message = ""
        self.initial: Pairs = ()
        self.trailing: Pairs = ()
        self.written: list[object] = []

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Pairs = ()
    ) -> Never:
        self._code, self.message = code, details
        self.trailing = trailing_metadata or self.trailing
        raise AbortError("Locally aborted.")

    def code(self) -> grpc.StatusCode | int | None:
        return self._code

    def set_code(self, code: grpc.StatusCode | int) -> None:
        self._code = code

    def peer(self) -> str:
        return "ipv4:127.0.0.1:5000"

    async def send_initial_metadata(self, initial_metadata: Pairs) -> None:
        self.initial = initial_metadata

    def set_trailing_metadata(self, trailing_metadata: Pairs) -> None:
        self.trailing = trailing_metadata

    async def write(self, message: object) -> None:
        self.written.append(message)


class Intercepted:
    """Handlers behind the interceptors, as a server would have them."""

    def __init__(
        self, *, calls_max: int = 10, access_log: bool = False, client_of: ClientOf | None = None
    ) -> None:
        self.accounts = Accounts()
        self.chain = service_chain(
            failures=CallFailures(load_all()),
            authorizer=Authorizer(self.accounts),
            permissions={GUARDED: "org.action.write"},
            checks={},
            calls_max=calls_max,
            access_log=access_log,
            client_of=client_of,
        )

    async def call(
        self,
        handler: Callable[..., Any],
        context: Context,
        *,
        method: str = OPEN,
        make: Callable[[Callable[..., Any]], MethodHandler] = grpc.unary_unary_rpc_method_handler,
    ) -> object:
        registered = make(handler)

        async def find(_details: grpc.HandlerCallDetails) -> MethodHandler | None:
            return registered

        wrapped: Any = await self.chain.intercept_service(find, Details(method, context.metadata))
        outermost = (
            wrapped.unary_unary
            or wrapped.unary_stream
            or wrapped.stream_unary
            or wrapped.stream_stream
        )
        return await outermost("request", context)


class Details(grpc.HandlerCallDetails):
    def __init__(self, method: str, metadata: Any = ()) -> None:
        self.method = method
        self.invocation_metadata = metadata


async def answer(_request: object, _context: object) -> str:
    return "answer"


def raising(error: BaseException) -> Callable[[object, object], Any]:
    async def handler(_request: object, _context: object) -> Never:
        raise error

    return handler
