"""Maps a refusal to the gRPC status and ErrorDetail that a caller reads.

Follows docs/api.md "Errors": the message is `<text> (<id>)`, and the first detail is
zitadel.v1.ErrorDetail with the id and the text; details of the refusal follow it. A refusal without
an id is a status without details.
Rule: the text of another exception never reaches a caller, only the log.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from server.domain.refusals import Kind, Refusal
from server.locale import Locale, Texts
from server.rpc.language import texts_of_call
from zitadel.message_pb2 import ErrorDetail

CODE: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Kind.FAILED_PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.ABORTED: grpc.StatusCode.ABORTED,
    Kind.RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}

_STATUS_DETAILS: Final = "grpc-status-details-bin"


class CallFailure(NamedTuple):
    """Holds the status of a failed call: the arguments of `ServicerContext.abort`.

    Attributes:
        trailing_metadata: the google.rpc.Status with the detail; empty for a plain status.
    """

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, bytes], ...] = ()


class DetailedRefusal(Refusal):
    """A refusal with details besides its text.

    Attributes:
        details: of the status, after the ErrorDetail; must be small, as they are sent as metadata.
    """

    def __init__(self, refusal: Refusal, *details: Message) -> None:
        super().__init__(refusal.kind, refusal.key, refusal.id, values=refusal.values)
        self.details = details


STORAGE_FAILED: Final = CallFailure(
    grpc.StatusCode.UNAVAILABLE, "storage is unavailable, try again"
)

TOO_MUCH_WAITS: Final = CallFailure(
    grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls of this size are waiting, try again later"
)


def internal(request_id: str) -> CallFailure:
    """Returns the answer to a fault of the service; the log has its cause, with the request id."""
    return CallFailure(grpc.StatusCode.INTERNAL, f"internal error (request id {request_id})")


class CallFailures:
    """Maps refusals to statuses, in the language of the current call."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        self._constant: dict[tuple[Texts, Kind, str, str], CallFailure] = {}

    def of(self, refusal: Refusal) -> CallFailure:
        texts = texts_of_call(self._locale)
        if refusal.values or not refusal.id or isinstance(refusal, DetailedRefusal):
            return _translated(refusal, texts)
        key = (texts, refusal.kind, refusal.key, refusal.id)
        failure = self._constant.get(key)
        if failure is None:
            failure = self._constant[key] = _translated(refusal, texts)
        return failure


def _translated(refusal: Refusal, texts: Texts) -> CallFailure:
    code = CODE[refusal.kind]
    text = texts.text(refusal.key, refusal.values)
    if not refusal.id:
        return CallFailure(code, text)
    message = f"{text} ({refusal.id})"
    status = Status(code=code.value[0], message=message)
    status.details.add().Pack(ErrorDetail(id=refusal.id, message=text))
    if isinstance(refusal, DetailedRefusal):
        for detail in refusal.details:
            status.details.add().Pack(detail)
    return CallFailure(code, message, ((_STATUS_DETAILS, status.SerializeToString()),))
