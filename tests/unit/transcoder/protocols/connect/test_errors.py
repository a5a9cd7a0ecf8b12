import json

import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.errors import TranscodeError
from transcoder.protocols.connect.errors import ConnectErrors

ERRORS = ConnectErrors(Codec())


def packed(message: Message) -> any_pb2.Any:
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


def answered(error: TranscodeError) -> object:
    return json.loads(ERRORS.answer(error, [])[1])


@cases(
    "code, status, name",
    {
        "canceled": (StatusCode.CANCELLED, 499, "canceled"),
        "unknown": (StatusCode.UNKNOWN, 500, "unknown"),
        "invalid_argument": (StatusCode.INVALID_ARGUMENT, 400, "invalid_argument"),
        "deadline_exceeded": (StatusCode.DEADLINE_EXCEEDED, 504, "deadline_exceeded"),
        "not_found": (StatusCode.NOT_FOUND, 404, "not_found"),
        "already_exists": (StatusCode.ALREADY_EXISTS, 409, "already_exists"),
        "permission_denied": (StatusCode.PERMISSION_DENIED, 403, "permission_denied"),
        "resource_exhausted": (StatusCode.RESOURCE_EXHAUSTED, 429, "resource_exhausted"),
        "failed_precondition": (StatusCode.FAILED_PRECONDITION, 400, "failed_precondition"),
        "aborted": (StatusCode.ABORTED, 409, "aborted"),
        "out_of_range": (StatusCode.OUT_OF_RANGE, 400, "out_of_range"),
        "unimplemented": (StatusCode.UNIMPLEMENTED, 501, "unimplemented"),
        "internal": (StatusCode.INTERNAL, 500, "internal"),
        "unavailable": (StatusCode.UNAVAILABLE, 503, "unavailable"),
        "data_loss": (StatusCode.DATA_LOSS, 500, "data_loss"),
        "unauthenticated": (StatusCode.UNAUTHENTICATED, 401, "unauthenticated"),
    },
)
def test_a_code_has_a_name_and_an_http_status(code: StatusCode, status: int, name: str) -> None:
    out: list[tuple[str, str]] = []
    # 413, as REST has it, is no status of Connect's codes.
    answer = ERRORS.answer(TranscodeError(code, "why", http_status=413), out)
    assert (answer[0], json.loads(answer[1])) == (status, {"code": name, "message": "why"})
    assert ("Content-Type", "application/json") in out


def test_details_have_their_octets_and_what_is_known_of_them() -> None:
    details = [
        packed(error_details_pb2.ErrorInfo(reason="BUSY")),
        packed(duration_pb2.Duration(seconds=1)),
        any_pb2.Any(type_url="type.googleapis.com/no.Such", value=b"\xff\xff"),
    ]
    status = status_pb2.Status(code=5, message="x", details=details).SerializeToString()
    assert answered(TranscodeError(StatusCode.NOT_FOUND, "x", details=status)) == {
        "code": "not_found",
        "message": "x",
        "details": [
            {"type": "google.rpc.ErrorInfo", "value": "CgRCVVNZ", "debug": {"reason": "BUSY"}},
            {"type": "google.protobuf.Duration", "value": "CAE", "debug": "1s"},
            {"type": "no.Such", "value": "//8"},
        ],
    }


@cases(
    "error, expected",
    {
        "no message": (TranscodeError(StatusCode.ABORTED, ""), {"code": "aborted"}),
        "details that are no status": (
            TranscodeError(StatusCode.ABORTED, "x", details=b"\xff"),
            {"code": "aborted", "message": "x"},
        ),
        "a lone surrogate": (
            TranscodeError(StatusCode.ABORTED, "\ud800"),
            {"code": "aborted", "message": "the error could not be written as JSON"},
        ),
    },
)
def test_an_error_is_always_written(error: TranscodeError, expected: object) -> None:
    assert answered(error) == expected
    assert json.loads(ERRORS.end_of_stream(error, ())) == {"error": expected}


@pytest.mark.parametrize("is_failed", [False, True])
def test_the_end_of_a_stream_has_its_metadata(is_failed: bool) -> None:
    error = TranscodeError(StatusCode.ABORTED, "x") if is_failed else None
    metadata: list[tuple[str, str | bytes]] = [
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-b-bin", b"\0"),
        ("x-c", "not ASCII: ö"),
    ]
    expected: dict[str, object] = {"metadata": {"x-a": ["1", "2"], "x-b-bin": ["AA"]}}
    if is_failed:
        expected["error"] = {"code": "aborted", "message": "x"}
    assert json.loads(ERRORS.end_of_stream(error, metadata)) == expected


def test_a_stream_that_ends_well_says_nothing() -> None:
    assert ERRORS.end_of_stream(None, ()) == b"{}"
