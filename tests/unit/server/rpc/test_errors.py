"""Refusals and failures as the status that a caller gets."""

from contextvars import copy_context

import grpc
import pytest
from google.rpc.status_pb2 import Status

from server.domain.refusals import Kind, Refusal
from server.locale import Locale, Texts, load_all
from server.rpc.call_info import CALL, CallInfo
from server.rpc.errors import CallFailures
from tests.support.tables import cases
from zitadel.message_pb2 import ErrorDetail

FAILURES = CallFailures(load_all())


@cases(
    "refusal, code, message",
    {
        "a text": (
            Refusal(Kind.FAILED_PRECONDITION, "Errors.Action.NotInactive", "COMMAND-J53zh"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "Action is not inactive (COMMAND-J53zh)",
        ),
        "a key without a text": (
            Refusal(Kind.ALREADY_EXISTS, "Errors.Action.AlreadyExists", "V3-DKcYh"),
            grpc.StatusCode.ALREADY_EXISTS,
            "Errors.Action.AlreadyExists (V3-DKcYh)",
        ),
        "an answer given before texts are looked up": (
            Refusal(Kind.UNAUTHENTICATED, "Errors.Token.Invalid", "AUTH-7fs1e"),
            grpc.StatusCode.UNAUTHENTICATED,
            "Errors.Token.Invalid (AUTH-7fs1e)",
        ),
        "no id": (
            Refusal(Kind.UNAUTHENTICATED, "auth header missing"),
            grpc.StatusCode.UNAUTHENTICATED,
            "auth header missing",
        ),
        "a text with values": (
            Refusal(
                Kind.INVALID_ARGUMENT,
                "Errors.Member.RoleUnknown",
                "COMMAND-Mr4uk",
                values={"role": "'BOSS{x}'", "known": "A, B"},
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            "Unknown role 'BOSS{x}': expected one of A, B (COMMAND-Mr4uk)",
        ),
    },
)
def test_refusal_is_answered_with_code_and_text(
    refusal: Refusal, code: grpc.StatusCode, message: str
) -> None:
    failure = FAILURES.of(refusal)
    assert (failure.code, failure.message) == (code, message)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (Kind.INVALID_ARGUMENT, 3),
        (Kind.NOT_FOUND, 5),
        (Kind.ALREADY_EXISTS, 6),
        (Kind.PERMISSION_DENIED, 7),
        (Kind.RESOURCE_EXHAUSTED, 8),
        (Kind.FAILED_PRECONDITION, 9),
        (Kind.UNAVAILABLE, 14),
        (Kind.UNAUTHENTICATED, 16),
    ],
)
def test_each_kind_has_its_code(kind: Kind, number: int) -> None:
    failure = FAILURES.of(Refusal(kind, "Errors.IDMissing", "X-1"))
    assert failure.code.value[0] == number


def test_status_has_exactly_one_detail_with_id_and_text() -> None:
    refusal = Refusal(Kind.NOT_FOUND, "Errors.Action.NotFound", "COMMAND-Aa22g")
    failure = FAILURES.of(refusal)
    ((key, value),) = failure.trailing_metadata
    status = Status.FromString(value)
    (packed,) = status.details
    detail = ErrorDetail()
    assert packed.Unpack(detail)
    assert key == "grpc-status-details-bin"
    assert (status.code, status.message) == (5, "Action not found (COMMAND-Aa22g)")
    assert (packed.type_url, detail.id, detail.message) == (
        "type.googleapis.com/zitadel.v1.ErrorDetail",
        "COMMAND-Aa22g",
        "Action not found",
    )


def test_refusal_without_an_id_has_no_details() -> None:
    failure = FAILURES.of(Refusal(Kind.UNAUTHENTICATED, "auth header missing"))
    assert failure.trailing_metadata == ()


def test_cached_texts_are_cached_by_language() -> None:
    key = "Errors.Action.NotActive"
    failures = CallFailures(Locale({"en": Texts({key: "no"}), "de": Texts({key: "nein"})}))
    refusal = Refusal(Kind.FAILED_PRECONDITION, key, "X-1")
    assert answered(failures, refusal, "de") == "nein (X-1)"
    assert answered(failures, refusal, "en") == "no (X-1)"
    assert answered(failures, refusal, "de") == "nein (X-1)"


def answered(failures: CallFailures, refusal: Refusal, wanted: str) -> str:
    def call() -> str:
        CALL.set(CallInfo((("accept-language", wanted),)))
        return failures.of(refusal).message

    return copy_context().run(call)
