"""Each call has a request id, which native callers get in the trailers."""

import grpc
import pytest
from grpc.aio import AbortError

from server.rpc.call_info import CALL
from server.rpc.metadata import Metadata, Pairs
from tests.support.layered import Context, Indexed, Intercepted, answer

ID = ("x-request-id", "abc")


async def request_id_seen(_request: object, _context: object) -> str:
    return CALL.get().request_id


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param((("a", "b"), ("x-request-id", "from-caller")), id="native"),
        pytest.param(Indexed({"x-request-id": "from-caller"}), id="in process"),
    ],
)
async def test_request_id_of_the_caller_is_kept(
    intercepted: Intercepted, metadata: Metadata
) -> None:
    assert await intercepted.call(request_id_seen, Context(metadata)) == "from-caller"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="a space"),
        pytest.param("a\nb", id="a line break"),
        pytest.param("é", id="not ASCII"),
        pytest.param("x" * 129, id="129 characters"),
        pytest.param(b"bytes", id="bytes"),
    ],
)
async def test_unfit_request_id_is_replaced(intercepted: Intercepted, given: str | bytes) -> None:
    seen = await intercepted.call(request_id_seen, Context((("x-request-id", given),)))
    assert isinstance(seen, str)
    assert len(seen) == 20


async def test_longest_request_id_is_kept(intercepted: Intercepted) -> None:
    longest = "x" * 128
    assert await intercepted.call(request_id_seen, Context((("x-request-id", longest),))) == longest


async def test_native_caller_gets_the_request_id_in_the_trailers(
    intercepted: Intercepted,
) -> None:
    context = Context((("x-request-id", "abc"),))
    await intercepted.call(answer, context)
    assert context.trailing == (ID,)


async def test_trailers_of_a_servicer_do_not_replace_the_request_id(
    intercepted: Intercepted,
) -> None:
    async def handler(_request: object, context: Context) -> None:
        context.set_trailing_metadata((("a", "b"),))

    context = Context((("x-request-id", "abc"),))
    await intercepted.call(handler, context)
    assert context.trailing == (("a", "b"), ID)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param((), (ID,), id="without trailers"),
        pytest.param((("a", "b"),), (("a", "b"), ID), id="with trailers"),
    ],
)
async def test_abort_does_not_replace_the_request_id(
    intercepted: Intercepted, given: Pairs, sent: Pairs
) -> None:
    async def handler(_request: object, context: Context) -> None:
        await context.abort(grpc.StatusCode.ABORTED, "no", given)

    context = Context((("x-request-id", "abc"),))
    with pytest.raises(AbortError):
        await intercepted.call(handler, context)
    assert (context.code(), context.trailing) == (grpc.StatusCode.ABORTED, sent)


async def test_transcoder_returns_the_request_id_itself(intercepted: Intercepted) -> None:
    context = Context(Indexed({"x-request-id": "abc"}))
    await intercepted.call(answer, context)
    assert context.trailing == ()
