"""Registers services as generated code asks: it takes what `add_*_to_server` gives a server.

Knows nothing of how a service is served.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import grpc

from transcoder.backends.inprocess import Handler, HandlerCallDetails
from transcoder.call import CallMetadata
from transcoder.errors import SchemaError
from transcoder.registry import methods_of


class Register(Protocol):
    """Declares `Transcoder.register`."""

    def __call__(self, service: str, handlers: Mapping[str, Handler], *, prefix: str) -> None: ...


class Mount:
    """Registration with a prefix for REST routes; see `Transcoder.at`."""

    def __init__(self, register: Register, prefix: str) -> None:
        """Prepares to register by `Transcoder.register`."""
        self._register_handlers = register
        self._prefix = prefix
        self._seen: dict[str, Mapping[str, Handler]] = {}

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]
    ) -> None:
        """Serves the methods of its service that each handler has.

        Raises:
            SchemaError: a handler does not name its service, or the service cannot be served.
        """
        for generic in generic_rpc_handlers:
            if not isinstance(generic, grpc.ServiceRpcHandler):
                message = f"{type(generic).__name__}: expected a handler with a service_name()"
                raise SchemaError(message)
            service = generic.service_name()
            handlers: dict[str, Handler] = {}
            for path in methods_of(service):
                handler = generic.service(HandlerCallDetails(path, CallMetadata()))
                if handler is not None:
                    handlers[path.rpartition("/")[2]] = handler
            self._register(service, handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        """Serves a service's handlers; generated code calls both methods with the same ones."""
        self._register(service_name, method_handlers)

    def _register(self, service: str, handlers: Mapping[str, Handler]) -> None:
        if self._seen.get(service) == handlers:
            return
        self._register_handlers(service, handlers, prefix=self._prefix)
        self._seen[service] = handlers
