"""Each call has an information of its own."""

from contextvars import Context as Variables

import pytest

from server.identity.caller import Caller
from server.rpc.call_info import CALL, CallInfo, current_call, current_caller
from tests.support.layered import GUARDED, TOKEN, Context, Intercepted


def test_a_call_without_a_caller_has_none_to_serve() -> None:
    def call() -> Caller:
        CALL.set(CallInfo())
        return current_caller()

    with pytest.raises(LookupError, match="expected a call with a caller"):
        Variables().run(call)


def test_outside_of_calls_nothing_is_known() -> None:
    call = Variables().run(current_call)
    assert (call.metadata, call.request_id, call.caller) == ((), "", None)


async def test_a_call_does_not_see_the_caller_of_the_call_before_it(
    intercepted: Intercepted,
) -> None:
    async def caller_seen(_request: object, _context: object) -> Caller | None:
        return CALL.get().caller

    assert await intercepted.call(caller_seen, Context((TOKEN,)), method=GUARDED) is not None
    assert await intercepted.call(caller_seen, Context()) is None
