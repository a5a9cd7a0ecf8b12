"""An answer over HTTP has the sequence that the service set, as its tag."""

import pytest
from grpc.aio import AbortError

from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import CALL
from server.rpc.interceptors.entity_tags import EntityTags
from tests.support.layered import Context, Indexed, Intercepted, answer


@pytest.fixture
def intercepted(intercepted: Intercepted) -> Intercepted:
    """As the transcoder has it."""
    intercepted.chain = intercepted.chain.with_inner(EntityTags())
    return intercepted


async def about_five(_request: object, _context: object) -> str:
    CALL.get().sequence = 5
    return "answer"


async def refused_about_five(_request: object, _context: object) -> str:
    CALL.get().sequence = 5
    raise Refusal(Kind.NOT_FOUND, "no")


async def test_over_http_it_is_a_header(intercepted: Intercepted) -> None:
    context = Context(Indexed({}))
    assert await intercepted.call(about_five, context) == "answer"
    assert (context.initial, context.trailing) == ((("etag", '"5"'),), ())


async def test_an_answer_about_nothing_has_none(intercepted: Intercepted) -> None:
    context = Context(Indexed({}))
    await intercepted.call(answer, context)
    assert (context.initial, context.trailing) == ((), ())


async def test_a_refusal_has_none(intercepted: Intercepted) -> None:
    context = Context(Indexed({}))
    with pytest.raises(AbortError):
        await intercepted.call(refused_about_five, context)
    assert context.initial == ()
