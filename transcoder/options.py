"""Declares the options of a Transcoder, and every limit it keeps.

Each number has its unit in its name and its reason beside it. R-numbers are the scenarios of
`make robustness` (docs/robustness.md) that hold the limit.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from transcoder.errors import SchemaError

COMPRESS_MIN_BYTES: Final = 4 << 10
"""Min bytes of an answer that is compressed: a smaller one would save two packets at most, for a
third of the CPU of its call."""

_COMPONENT_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""Names of components in OpenAPI 3.1.0, "Components Object"."""

_RESERVED_SHARE: Final = 4
"""The part of `Limits.bodies_max_bytes` that is reserved for small bodies: one fourth."""


def large_share(bodies_max_bytes: int) -> int:
    """Returns how many bytes large bodies may hold together."""
    return bodies_max_bytes - bodies_max_bytes // _RESERVED_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """Options of writing messages as JSON; the defaults are ProtoJSON's (protobuf.dev)."""

    emit_defaults: bool = False
    """Write fields without presence even when they hold their default."""
    proto_names: bool = False
    """Write `resource_owner` instead of `resourceOwner`. Both are always read."""
    enums_as_ints: bool = False
    """Write 2 instead of "ACTION_STATE_ACTIVE". Both are always read."""
    error_envelope: bool = False
    """Write errors as Google's clients read them (AIP-193): `{"error": {"code": 404, "message": …,
    "status": "NOT_FOUND", "details": […]}}` instead of google.rpc.Status alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOptions:
    """Options of streams that are written as server-sent events (WHATWG's HTML)."""

    heartbeat_s: float = 15.0
    """Seconds without a message after which a comment is sent, which keeps the connection open."""
    retry_ms: int = 3000
    """Milliseconds after which an EventSource connects again."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The field of a method's responses that is the id of their events, by the full name of the
    method: {"shop.v1.Shop.Watch": "position"}. An EventSource that connects again sends the last id
    as Last-Event-ID, which is metadata."""

    def __post_init__(self) -> None:
        if not self.heartbeat_s > 0:
            raise SchemaError(f"heartbeat_s: expected more than 0, got {self.heartbeat_s!r}")
        if isinstance(self.retry_ms, bool) or not isinstance(self.retry_ms, int):
            raise SchemaError(f"retry_ms: expected a whole number, got {self.retry_ms!r}")
        if self.retry_ms < 0:
            raise SchemaError(f"retry_ms: expected 0 or more, got {self.retry_ms!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApi:
    """Options of the OpenAPI document; the names are those of the OpenAPI Specification 3.1.0."""

    title: str = "API"
    """The name of the API."""
    version: str = "1"
    """The version of the API, not of OpenAPI."""
    description: str = ""
    """A text about the API, as CommonMark."""
    servers: Sequence[str] = ()
    """URLs of the API, or the path below which it is mounted. Without any, clients call the server
    that the document comes from."""
    security: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Security schemes by name: {"token": {"type": "http", "scheme": "bearer"}}. A call needs one
    of them."""
    public_methods: Collection[str] = ()
    """Methods that need no security scheme: "library.v1.Library.Search", or all of
    "library.v1.*"."""
    descriptor_set: str | os.PathLike[str] | bytes = b""
    """The path or the content of a FileDescriptorSet with source info, whose comments describe the
    API. Generated code has no comments."""
    page: bool = True
    """Serve Swagger UI at `GET /docs`: a page that shows the document and makes calls."""

    def __post_init__(self) -> None:
        for name in self.security:
            if not _COMPONENT_NAME.fullmatch(name):
                expected = "a name of letters, digits, '.', '_' and '-'"
                raise SchemaError(f"security scheme: expected {expected}, got {name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the memory, the time and the connections that clients may take."""

    body_max_bytes: int = 1 << 20
    """Max bytes of a JSON body; a larger one is 413. 1 MiB of dense JSON costs half a second of CPU
    (R16, R18)."""
    message_max_bytes: int = 4 << 20
    """Max bytes of a gRPC-Web message: the default of grpc-go and grpcio for gRPC (R26)."""
    bodies_max_bytes: int = 64 << 20
    """Max bytes of the bodies of all connections together, while they are received and read;
    more is 429. A quarter is reserved for bodies of at most `inline_max_bytes`."""
    inline_max_bytes: int = 32 << 10
    """Max bytes of JSON that is read or written on the event loop; more is for a thread (R18)."""
    nesting_max: int = 100
    """Max levels of messages within messages, as protobuf's parsers count them (R12, R14)."""
    line_max_bytes: int = 8190
    """Max bytes of the request line (R15)."""
    header_max_bytes: int = 8190
    """Max bytes of one header field (R15)."""
    headers_max: int = 128
    """Max header fields in a request (R15)."""
    header_timeout_s: float = 5.0
    """Max seconds from a request's first byte to the end of its headers (R19)."""
    body_timeout_s: float = 10.0
    """Max seconds from the headers to the last byte of a unary body, and for the rest of a message
    that has begun in a stream of requests; then 408 (R21)."""
    stream_idle_timeout_s: float = 300.0
    """Max seconds that a call waits for the next message of a stream of requests to begin."""
    keepalive_timeout_s: float = 15.0
    """Max seconds of an idle connection, before its first request and between two (R20)."""
    write_timeout_s: float = 30.0
    """Max seconds for a client to take 64 KiB, or the rest, of a waiting answer (R22)."""
    ping_interval_s: float = 20.0
    """Seconds without data of a WebSocket's client after which it is pinged; after as many more its
    connection is closed (RFC 6455 section 5.5.2)."""
    connections_max: int = 4000
    """Max connections open at once; more are closed as soon as they are accepted (R23)."""
    drain_timeout_s: float = 10.0
    """Max seconds for calls in flight when serving stops (R8)."""

    @property
    def discard_max_bytes(self) -> int:
        """Returns max bytes of a body that are read after its answer, before the connection is cut.

        As many as the largest body has, of JSON or, in the base64 of text mode, of gRPC-Web.
        """
        in_base64 = self.message_max_bytes * 4 // 3 + 8  # the frame header, and padding
        return max(self.body_max_bytes, in_base64)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            is_whole = each.type is int
            is_number = isinstance(value, int if is_whole else int | float)
            if isinstance(value, bool) or not is_number or not value > 0:
                kind = "a whole number" if is_whole else "a number"
                raise SchemaError(f"limit {each.name}: expected {kind} above 0, got {value!r}")
        largest = max(self.body_max_bytes, self.message_max_bytes)
        if large_share(self.bodies_max_bytes) < largest:
            raise SchemaError(
                f"limit bodies_max_bytes: expected room for one body of {largest} bytes besides "
                f"the quarter for small ones, got {self.bodies_max_bytes}"
            )
