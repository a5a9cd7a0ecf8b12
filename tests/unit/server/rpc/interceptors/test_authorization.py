"""A call needs a token and the permission of its method."""

import grpc
import pytest
from grpc.aio import AbortError

from server.identity.caller import Caller
from server.rpc.call_info import CALL
from server.rpc.metadata import Metadata
from tests.support.layered import GUARDED, OPEN, TOKEN, Context, Door, Indexed, answer

UNDECLARED = "/test.Service/Undeclared"


async def caller_seen(_request: object, _context: object) -> Caller | None:
    return CALL.get().caller


@pytest.mark.parametrize(
    "metadata",
    [pytest.param((TOKEN,), id="native"), pytest.param(Indexed(dict([TOKEN])), id="in process")],
)
async def test_servicer_sees_the_caller(door: Door, metadata: Metadata) -> None:
    for _ in range(2):
        seen = await door.call(caller_seen, Context(metadata), method=GUARDED)
        assert seen == Caller("2", "1")
    assert door.accounts.looked_up == 1


async def test_organisation_is_taken_from_the_metadata(door: Door) -> None:
    context = Context((TOKEN, ("x-zitadel-orgid", "9")))
    with pytest.raises(AbortError):
        await door.call(caller_seen, context, method=GUARDED)
    assert context.message == "membership not found (AUTHZ-cdgFk)"


async def test_guarded_method_needs_a_token(door: Door) -> None:
    context = Context()
    with pytest.raises(AbortError):
        await door.call(answer, context, method=GUARDED)
    assert context.code() is grpc.StatusCode.UNAUTHENTICATED
    assert context.message == "auth header missing"


async def test_public_method_needs_none(door: Door) -> None:
    assert await door.call(answer, Context(), method=OPEN) == "answer"


async def test_method_without_permission_that_is_not_public_is_refused(door: Door) -> None:
    context = Context((TOKEN,))
    with pytest.raises(AbortError):
        await door.call(answer, context, method=UNDECLARED)
    assert context.code() is grpc.StatusCode.PERMISSION_DENIED
    assert context.message == "/test.Service/Undeclared is neither public nor has a permission"


async def test_the_token_is_judged_before_overload() -> None:
    context = Context()
    with pytest.raises(AbortError):
        await Door(calls_max=0).call(answer, context, method=GUARDED)
    assert context.code() is grpc.StatusCode.UNAUTHENTICATED
