"""Describes a call, for every protocol and every backend.

A protocol (JSON, gRPC-Web) makes one `Call` per HTTP request and gives it to the backend. The
backend receives the messages of the request, then sets the one response or sends each of several,
or raises `TranscodeError`. The call then holds the metadata of the answer.

Rule: this file knows neither HTTP nor how a handler is found.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Protocol, overload

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from transcoder.errors import unimplemented

REQUEST_ID_KEY: Final = "x-request-id"
"""Key of the metadata that has a request's id, which HTTP has as a header."""
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"
"""Key of the trailing metadata that has a serialized google.rpc.Status."""


class Metadatum(NamedTuple):
    """One entry of metadata; `-bin` keys hold bytes, all others ASCII text."""

    key: str
    value: str | bytes


class CallMetadata(Sequence[Metadatum]):
    """Request metadata in the order received, with a look-up by name.

    Servicers and interceptors get it from `invocation_metadata()`. It behaves as the tuple that
    grpc.aio gives; `get` is that of `grpc.aio.Metadata`.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[Metadatum] = ()) -> None:
        self._items: Sequence[Metadatum] = items

    def get(self, key: str, default: str | bytes | None = None) -> str | bytes | None:
        """Returns the first value under a lower-case key."""
        return next((value for name, value in self._all() if name == key), default)

    def _all(self) -> Sequence[Metadatum]:
        return self._items

    @overload
    def __getitem__(self, index: int) -> Metadatum: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Metadatum]: ...
    def __getitem__(self, index: int | slice) -> Metadatum | Sequence[Metadatum]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __add__(self, other: Sequence[tuple[str, str | bytes]]) -> tuple[object, ...]:
        return (*self._all(), *other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self._all()) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self._all()))

    def __repr__(self) -> str:
        return repr(tuple(self._all()))


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC of a registered service."""

    path: str
    """The path that gRPC sends: "/package.Service/Method"."""
    request_type: type[Message]
    response_type: type[Message]
    client_streaming: bool
    server_streaming: bool
    descriptor: MethodDescriptor

    @property
    def is_unary(self) -> bool:
        return not (self.client_streaming or self.server_streaming)


class Call(ABC):
    """One RPC under way; each protocol has a subclass that carries its messages.

    Attributes:
        protocol: "json", "grpc-web", "connect" or "websocket", by the subclass.
        method: the method that is called.
        metadata: as received.
        deadline: `time.monotonic()` at which the caller stops waiting; None without a deadline.
        peername: the client's address as a socket gives it.
        response: of a call that does not stream its responses; set once it has ended OK.
        response_bytes: set in place of `response` if the backend has it in protobuf's binary
            format, for a call that `passes_bytes`; else None.
        initial_metadata: sent before the first response; set when `start` is called, or the call
            has ended.
        trailing_metadata: sent after the last response; set when the call has ended.
        ending: why the call ended before its handler did: CANCELLED (the client left, the server
            stops) or DEADLINE_EXCEEDED; None if it did not.
    """

    __slots__ = (
        "deadline",
        "ending",
        "initial_metadata",
        "metadata",
        "method",
        "peername",
        "response",
        "response_bytes",
        "trailing_metadata",
    )

    protocol: ClassVar[str] = ""
    response: Message

    def __init__(
        self, method: Method, metadata: CallMetadata, *, deadline: float | None, peername: object
    ) -> None:
        self.method = method
        self.metadata = metadata
        self.deadline = deadline
        self.peername = peername
        self.initial_metadata: Sequence[tuple[str, str | bytes]] = ()
        self.trailing_metadata: Sequence[tuple[str, str | bytes]] = ()
        self.ending: grpc.StatusCode | None = None
        self.response_bytes: bytes | None = None

    @abstractmethod
    async def receive(self) -> Message | None:
        """Returns the next request; None after the last. A call without a stream has one request.

        Raises:
            TranscodeError: the request is malformed, too large or too slow, or the client left.
        """

    @property
    def passes_bytes(self) -> bool:
        """True if its request and its response are wanted in protobuf's binary format alone."""
        return False

    async def receive_bytes(self) -> bytes:
        """Returns the one request of a call that `passes_bytes`, without parsing it.

        Raises:
            TranscodeError: as `receive`, but not for bytes that are no message.
        """
        raise NotImplementedError

    def response_in_binary(self) -> bytes:
        """Returns the response in protobuf's binary format."""
        given = self.response_bytes
        # Of the class: a field may have the name of the method.
        return type(self.response).SerializeToString(self.response) if given is None else given

    async def start(self) -> None:
        """Sends the initial metadata of a stream of responses; the first `send` does it too."""
        raise unimplemented(f"{self.method.path}: streams are not served by this protocol")

    async def send(self, message: Message) -> None:
        """Encodes a response of a stream, sends it, and waits while the client reads slowly.

        It is encoded before the first wait, since servicers reuse messages.

        Raises:
            TranscodeError: CANCELLED, the client left; INTERNAL, it cannot be encoded.
            EnoughSent: the client needs no more of the stream.
        """
        raise unimplemented(f"{self.method.path}: streams are not served by this protocol")

    def end_at_stop(self) -> bytes | None:
        """Returns the end of a stream that has begun, as the server stops; None cuts it."""
        return None

    def end(self, code: grpc.StatusCode) -> None:
        """Sets `ending` before the handler is cancelled; the first reason stays."""
        if self.ending is None:
            self.ending = code

    @property
    def peer(self) -> str:
        """Returns the client's address as gRPC writes it: "ipv4:127.0.0.1:5000"."""
        return peer_text(self.peername)

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Returns what is known of the client by its certificate, in properties of gRPC."""
        return {}

    def time_remaining(self) -> float | None:
        """Returns the seconds until the deadline, 0 or more; None without a deadline."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)


def peer_text(peername: object) -> str:
    """Returns the address that a socket gives, as gRPC writes it: "ipv4:127.0.0.1:5000"."""
    if isinstance(peername, tuple):
        host, port = peername[:2]
        return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
    return f"unix:{peername or ''}"


class Backend(Protocol):
    """Runs calls: by handlers in this process, or on another server.

    A backend receives requests only after interceptors have accepted the headers of the call.
    """

    def run(self, call: Call) -> Awaitable[None]:
        """Runs a call to its end: sets its response, or sends each response of its stream.

        Raises:
            TranscodeError: the call ended with a status other than OK.
        """
        ...
