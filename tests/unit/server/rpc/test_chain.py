"""Interceptors as one: what reaches a handler, in whatever form that was written."""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from server.rpc.call_info import CALL
from server.rpc.chain import Chain
from server.rpc.handlers import MethodHandler
from tests.support.layered import OPEN, Context, Details, Intercepted, answer

# What passes.


async def test_request_reaches_the_handler_and_its_answer_comes_back(
    intercepted: Intercepted,
) -> None:
    async def handler(request: object, _context: object) -> tuple[object, str]:
        return request, "answer"

    assert await intercepted.call(handler, Context()) == ("request", "answer")


async def test_method_that_is_not_there_stays_so(intercepted: Intercepted) -> None:
    async def find(_details: grpc.HandlerCallDetails) -> MethodHandler | None:
        return None

    assert await intercepted.chain.intercept_service(find, Details("/no.Such/Method")) is None


async def test_methods_that_are_not_there_may_have_one_handler_that_is_not_kept() -> None:
    other: MethodHandler = grpc.unary_unary_rpc_method_handler(answer)
    chain = Chain(find_other=lambda method: other if method.startswith("/no.") else None)
    chain = chain.with_inner().with_outer()

    async def find(_details: grpc.HandlerCallDetails) -> MethodHandler | None:
        return None

    for number in range(3):
        assert await chain.intercept_service(find, Details(f"/no.Such/Method{number}")) is other
    assert await chain.intercept_service(find, Details("/another/Method")) is None
    assert chain.wrapped_count == 0


async def test_handler_is_wrapped_once(intercepted: Intercepted) -> None:
    registered: MethodHandler = grpc.unary_unary_rpc_method_handler(answer)

    async def find(_details: grpc.HandlerCallDetails) -> MethodHandler | None:
        return registered

    first = await intercepted.chain.intercept_service(find, Details(OPEN))
    assert await intercepted.chain.intercept_service(find, Details(OPEN)) is first


async def test_wrapping_keeps_serializers(intercepted: Intercepted) -> None:
    registered: MethodHandler = grpc.unary_unary_rpc_method_handler(
        answer, bytes.decode, str.encode
    )

    async def find(_details: grpc.HandlerCallDetails) -> MethodHandler | None:
        return registered

    wrapped = await intercepted.chain.intercept_service(find, Details(OPEN))
    assert wrapped is not None
    assert wrapped.request_deserializer is registered.request_deserializer
    assert wrapped.response_serializer is registered.response_serializer


async def test_handlers_made_for_each_call_do_not_pile_up(
    intercepted: Intercepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.rpc.chain.WRAPPED_MAX", 3)
    for _ in range(10):
        await intercepted.call(answer, Context())
    assert intercepted.chain.wrapped_count <= 3


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(grpc.unary_stream_rpc_method_handler, id="unary request"),
        pytest.param(grpc.stream_stream_rpc_method_handler, id="stream of requests"),
    ],
)
async def test_generator_writes_what_it_yields(
    intercepted: Intercepted, make: Callable[..., MethodHandler]
) -> None:
    async def handler(_request: object, _context: object) -> AsyncIterator[int]:
        yield 1
        yield 2

    context = Context()
    await intercepted.call(handler, context, make=make)
    assert context.written == [1, 2]


async def test_stream_of_requests_has_one_answer(intercepted: Intercepted) -> None:
    make = grpc.stream_unary_rpc_method_handler
    assert await intercepted.call(answer, Context(), make=make) == "answer"


async def test_plain_function_runs_off_the_loop_with_the_calls_context_variables(
    intercepted: Intercepted,
) -> None:
    def handler(_request: object, _context: object) -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return CALL.get().request_id

    assert await intercepted.call(handler, Context((("x-request-id", "abc"),))) == "abc"


async def test_plain_function_that_streams_is_refused(intercepted: Intercepted) -> None:
    def handler(_request: object, _context: object) -> list[int]:
        return [1]

    with pytest.raises(TypeError, match="expected an async function"):
        await intercepted.call(handler, Context(), make=grpc.unary_stream_rpc_method_handler)
