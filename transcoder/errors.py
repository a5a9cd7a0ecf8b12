"""Defines the two errors of the library, and the gRPC code and HTTP status of each failure.

`TranscodeError` is a fault of a request: it has a gRPC status and becomes one answer. `SchemaError`
is a fault of the configuration: it is raised while a service is registered, and names the method
and the rule.

Follows google/rpc/code.proto (the HTTP mapping in its comments) and google/rpc/status.proto.
Rule: a message has the input, the expected and the given value (cut to `SHOWN_MAX_CHARS`), and
never the text of an exception of another library.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Final, Self

import orjson
from grpc import StatusCode

SHOWN_MAX_CHARS: Final = 40
"""Max characters of a value in an error message."""

_QUOTED_VALUE: Final = re.compile(r"""(?<!\w)(['"])(?:\\.|(?!\1)[^\\])*(?:\1|\\?\Z)""", re.DOTALL)
"""Matches a quoted text as `repr` writes it.

Takes linear time: each character matches one alternative. An apostrophe inside of a word opens no
quote; a quote that is not closed reaches to the end.
"""

HTTP_STATUS: Final[dict[StatusCode, int]] = {
    StatusCode.OK: 200,
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNAUTHENTICATED: 401,
}

CODE_NUMBER: Final[dict[StatusCode, int]] = {code: code.value[0] for code in StatusCode}
CODE_BY_NUMBER: Final[dict[int, StatusCode]] = {code.value[0]: code for code in StatusCode}


class SchemaError(ValueError):
    """A service, a rule or an option that cannot be served; raised before serving starts."""


class SchemaFaults:
    """Gathers faults of a service, so that one error lists all of them."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        self._texts.append(text)

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Adds a SchemaError that the block raises."""
        try:
            yield
        except SchemaError as fault:
            self._texts.append(str(fault))

    def raise_all(self) -> None:
        """Raises SchemaError if there are faults: the text of one, or a list of several."""
        if len(self._texts) > 1:
            faults = "".join(f"\n- {text}" for text in self._texts)
            raise SchemaError(f"{len(self._texts)} faults:{faults}")
        for text in self._texts:
            raise SchemaError(text)


class TranscodeError(Exception):
    """A request that ends with a status other than OK.

    Attributes:
        code: the gRPC status code.
        message: for the caller; may be empty.
        details: a serialized google.rpc.Status (`grpc-status-details-bin`), or empty.
        http_status: the HTTP status; by default the one of `code` in google/rpc/code.proto.
        headers: HTTP headers that are added to the answer (`Allow` with a 405).
    """

    def __init__(
        self,
        code: StatusCode,
        message: str,
        *,
        details: bytes = b"",
        http_status: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = details
        self.http_status = HTTP_STATUS[code] if http_status is None else http_status
        self.headers = headers

    def released(self) -> Self:
        """Returns the error without its traceback and its causes.

        Their frames keep the request and its message alive and refer to the error: a cycle that
        only the garbage collector frees. The code that answers with an error calls this.
        """
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class EnoughSent(TranscodeError):
    """Ends a stream whose caller needs no further response: HEAD has only the headers."""

    def __init__(self) -> None:
        super().__init__(StatusCode.CANCELLED, "the caller needs no more responses")


class InvalidHeader(TranscodeError, ValueError):
    """A header whose value is not valid as metadata; raised when a service reads it by name.

    It is a ValueError too, for interceptors that do not know this library.
    """

    def __init__(self, key: str) -> None:
        super().__init__(
            StatusCode.INVALID_ARGUMENT, f"header {key}: expected printable ASCII characters"
        )


def malformed(message: str) -> TranscodeError:
    return TranscodeError(StatusCode.INVALID_ARGUMENT, message)


def route_not_found(message: str = "Not Found") -> TranscodeError:
    return TranscodeError(StatusCode.NOT_FOUND, message)


def wrong_method(allowed: Sequence[str]) -> TranscodeError:
    """Returns 405 with Allow (RFC 9110 section 15.5.6): the path has routes of other methods."""
    return TranscodeError(
        StatusCode.UNIMPLEMENTED,
        "Method Not Allowed",
        http_status=405,
        headers=(("Allow", ", ".join(allowed)),),
    )


def precondition_failed(aborted: TranscodeError) -> TranscodeError:
    """Returns ABORTED as 412 (RFC 9110 section 15.5.13), for a request with If-Match."""
    aborted.http_status = 412
    return aborted


def range_not_satisfiable(out_of_range: TranscodeError) -> TranscodeError:
    """Returns OUT_OF_RANGE as 416 (RFC 9110 section 15.5.17), for a request with Range."""
    out_of_range.http_status = 416
    return out_of_range


def too_large(what: str, *, limit_bytes: int) -> TranscodeError:
    return TranscodeError(
        StatusCode.RESOURCE_EXHAUSTED,
        f"{what} is larger than the limit of {limit_bytes} bytes",
        http_status=413,
    )


def unsupported_media_type(message: str, *headers: tuple[str, str]) -> TranscodeError:
    """Returns 415 with a header of accepted values (RFC 9110 section 15.5.16)."""
    return TranscodeError(StatusCode.INVALID_ARGUMENT, message, http_status=415, headers=headers)


def too_slow(what: str, *, limit_s: float) -> TranscodeError:
    return TranscodeError(
        StatusCode.DEADLINE_EXCEEDED,
        f"{what} did not arrive within {limit_s:g} s",
        http_status=408,
    )


def foreign_origin(origin: str | None) -> TranscodeError:
    if origin is None:
        problem = "cross-site request without an Origin header: expected one of the allowed origins"
    else:
        problem = f"origin {shown(origin)}: not one of the allowed origins"
    return TranscodeError(StatusCode.PERMISSION_DENIED, problem)


def client_left() -> TranscodeError:
    message = "the client left before its request was whole"
    return TranscodeError(StatusCode.CANCELLED, message)


def unimplemented(message: str) -> TranscodeError:
    return TranscodeError(StatusCode.UNIMPLEMENTED, message)


def deadline_exceeded() -> TranscodeError:
    return TranscodeError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def exhausted(message: str) -> TranscodeError:
    """Returns 429: a resource that all callers share is used up for now."""
    return TranscodeError(StatusCode.RESOURCE_EXHAUSTED, message)


def unavailable(message: str) -> TranscodeError:
    return TranscodeError(StatusCode.UNAVAILABLE, message)


def stopping() -> TranscodeError:
    """Returns UNAVAILABLE for a call that the server's stop ends."""
    return unavailable("the server is stopping")


def internal_error(request_id: object) -> TranscodeError:
    """Returns INTERNAL for a fault of the server; the log has the cause under the request id."""
    return TranscodeError(StatusCode.INTERNAL, f"internal error (request id {request_id})")


def shown(value: object) -> str:
    """Returns the repr of a value for an error message, cut to `SHOWN_MAX_CHARS`."""
    text = value if isinstance(value, str) else repr(value)
    return repr(text[:SHOWN_MAX_CHARS] + "…" if len(text) > SHOWN_MAX_CHARS else text)


def without_values(message: str) -> str:
    """Returns a message for the log, without the values that it quotes.

    They come from the request and may be secrets: only the caller reads them.
    """
    return _QUOTED_VALUE.sub("'…'", message)


def status_json(
    error: TranscodeError, details: Sequence[object] = (), *, has_envelope: bool = False
) -> bytes:
    """Writes an error as google.rpc.Status in JSON, or in the envelope of AIP-193.

    Args:
        error: the failure.
        details: the status's Any details as JSON values; left out when there are none.
        has_envelope: True writes `{"error": …}` with the HTTP status and the name of the code.
    """
    rest: dict[str, object] = {"details": details} if details else {}
    write = _envelope if has_envelope else _status_object
    try:
        return orjson.dumps(write(error, error.message, rest))
    except (TypeError, ValueError):
        # The message has a lone surrogate, or the details nest deeper than orjson writes. The
        # caller needs the code, and writing an error must not fail (CVE-2024-34363).
        return orjson.dumps(write(error, "the error could not be written as JSON", {}))


def _status_object(
    error: TranscodeError, message: str, rest: dict[str, object]
) -> dict[str, object]:
    return {"code": CODE_NUMBER[error.code], "message": message, **rest}


def _envelope(error: TranscodeError, message: str, rest: dict[str, object]) -> dict[str, object]:
    status = error.code.name
    return {"error": {"code": error.http_status, "message": message, "status": status, **rest}}
