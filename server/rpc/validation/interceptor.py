"""Refuses a request that breaks a rule of its .proto."""

from collections.abc import Awaitable, Mapping

from server.domain.refusals import Kind, Refusal
from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler
from server.rpc.validation.message_checks import MessageCheck


class Validation(Interceptor):
    """Checks the request of each method that has rules."""

    def __init__(self, checks: Mapping[str, MessageCheck]) -> None:
        """Takes the checks of `checks_of`."""
        self._checks = checks

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        check = self._checks.get(method)
        if check is None:
            return handler

        def call(request: object, context: Context) -> Awaitable[object]:
            fault = check(request)
            if fault is not None:
                raise Refusal(Kind.INVALID_ARGUMENT, fault)
            return handler(request, context)

        return call
