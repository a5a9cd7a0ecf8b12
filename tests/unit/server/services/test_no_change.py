"""The header by which a caller allows writes that change nothing."""

from contextvars import copy_context

import pytest

from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import CALL, CallInfo
from server.services.no_change import allow_noop

Pairs = tuple[tuple[str, str], ...]


def taken(metadata: Pairs) -> bool:
    def call() -> bool:
        CALL.set(CallInfo(metadata))
        return allow_noop()

    return copy_context().run(call)


@pytest.mark.parametrize(
    ("metadata", "is_taken"),
    [
        pytest.param((), False, id="nothing"),
        pytest.param((("x-actions-no", "ok"),), False, id="another key"),
        pytest.param((("x-actions-no-change", "ok"),), True, id="ok"),
    ],
)
def test_a_write_that_changes_nothing_succeeds_only_if_the_caller_allows_it(
    metadata: Pairs, is_taken: bool
) -> None:
    assert taken(metadata) is is_taken


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("", "''"),
        ("OK", "'OK'"),
        ("ok ", "'ok '"),
        ("true", "'true'"),
        ("ok, ok", "'ok, ok'"),
        ("x" * 8000, repr("x" * 40)),
    ],
)
def test_anything_else_is_refused_by_name(value: str, got: str) -> None:
    with pytest.raises(Refusal) as refused:
        taken((("x-actions-no-change", value),))
    refusal = refused.value
    assert (refusal.kind, refusal.id) == (Kind.INVALID_ARGUMENT, "")
    assert refusal.key == f"x-actions-no-change: expected 'ok', got {got}"
