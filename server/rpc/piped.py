"""Gives calls through the pipes of another port their client's address.

A pipe copies a connection to a unix socket of grpc, which sees only the pipe.

Rule: the pipes are what this file declares of them; who makes them knows grpc's socket.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, Protocol

from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler


class PipedConnection(Protocol):
    """Declares what is known of an open connection through a pipe, as of one to a port."""

    @property
    def peer(self) -> str: ...

    @property
    def idle_s(self) -> float: ...

    @property
    def received_bytes(self) -> int: ...


class Pipes(Protocol):
    """Declares the pipes to the unix socket of a server; peers are as grpc names them."""

    def client_of(self, peer: str) -> str:
        """Returns the client's address; the peer itself, if it is no pipe's."""

    def auth_context_of(self, peer: str) -> Mapping[str, Sequence[bytes]]:
        """Returns what is known of the client by its certificate."""

    def connections(self) -> Sequence[PipedConnection]:
        """Returns the open connections."""

    def end(self, peers: Collection[str]) -> Collection[str]:
        """Ends the connections of peers, and returns those peers that are no pipe's."""


class PipedClients(Interceptor):
    """Has the context of a call through a pipe name the client as its peer.

    Must not be the outermost interceptor: what wraps a handler is no coroutine function.
    """

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        pipes, client_of = self._pipes, self._pipes.client_of

        def call(request: object, context: Context) -> Awaitable[object]:
            peer = context.peer()
            # Now: a call may end after its connection, when the pipe is forgotten.
            client = client_of(peer)
            if client is not peer:
                context = _Piped(context, client, pipes.auth_context_of(peer))
            return handler(request, context)

        return call


class _Piped:
    """Wraps a grpc.aio context, and names the client as its peer."""

    __slots__ = ("_auth_context", "_client", "_context")

    def __init__(
        self, context: Context, client: str, auth_context: Mapping[str, Sequence[bytes]]
    ) -> None:
        self._context = context
        self._client = client
        self._auth_context = auth_context

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        return self._auth_context

    def peer(self) -> str:
        return self._client

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  every other member of the context
        return getattr(self._context, name)
