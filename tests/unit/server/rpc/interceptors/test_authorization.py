"""A call needs a token and the permission of its method."""

import grpc
import pytest
from grpc.aio import AbortError

from server.identity.caller import Caller
from server.rpc.call_info import CALL
from server.rpc.metadata import Metadata
from tests.support.layered import GUARDED, OPEN, TOKEN, Context, Indexed, Intercepted, answer

UNDECLARED = "/test.Service/Undeclared"


async def caller_seen(_request: object, _context: object) -> Caller | None:
    return CALL.get().caller


@pytest.mark.parametrize(
    "metadata",
    [pytest.param((TOKEN,), id="native"), pytest.param(Indexed(dict([TOKEN])), id="in process")],
)
async def test_servicer_sees_the_caller(intercepted: Intercepted, metadata: Metadata) -> None:
    for _ in range(2):
        seen = await intercepted.call(caller_seen, Context(metadata), method=GUARDED)
        assert seen == Caller("2", "1")
    assert intercepted.accounts.looked_up == 1


async def test_organisation_is_taken_from_the_metadata(intercepted: Intercepted) -> None:
    context = Context((TOKEN, ("x-zitadel-orgid", "9")))
    with pytest.raises(AbortError):
        await intercepted.call(caller_seen, context, method=GUARDED)
    assert context.message == "membership not found (AUTHZ-cdgFk)"


async def test_guarded_method_needs_a_token(intercepted: Intercepted) -> None:
    context = Context()
    with pytest.raises(AbortError):
        await intercepted.call(answer, context, method=GUARDED)
    assert context.code() is grpc.StatusCode.UNAUTHENTICATED
    assert context.message == "auth header missing"


async def test_public_method_needs_none(intercepted: Intercepted) -> None:
    assert await intercepted.call(answer, Context(), method=OPEN) == "answer"


async def test_method_without_permission_that_is_not_public_is_refused(
    intercepted: Intercepted,
) -> None:
    context = Context((TOKEN,))
    with pytest.raises(AbortError):
        await intercepted.call(answer, context, method=UNDECLARED)
    assert context.code() is grpc.StatusCode.PERMISSION_DENIED
    assert context.message == "/test.Service/Undeclared is neither public nor has a permission"


async def test_the_token_is_judged_before_overload() -> None:
    context = Context()
    with pytest.raises(AbortError):
        await Intercepted(calls_max=0).call(answer, context, method=GUARDED)
    assert context.code() is grpc.StatusCode.UNAUTHENTICATED
