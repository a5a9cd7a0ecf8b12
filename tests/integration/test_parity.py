"""One servicer under grpc.aio and in process: callers must see the same.

The cases are of the kinds that grpc.aio itself decides: abort and what follows it, codes set and
not raised, metadata, interceptors that replace the handler.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.parity import Replacing, in_process, native
from tests.support.tables import cases

SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
RICH = status_pb2.Status(
    code=9, message="rich", details=[any_pb2.Any(type_url="t/x.Y", value=b"z")]
).SerializeToString()


class Servicer(health_pb2_grpc.HealthServicer):
    """Each case is a method; the request's `service` names it."""

    async def Check(self, request: Any, context: Any) -> Any:
        return await getattr(self, request.service)(context)

    async def ok(self, context: Any) -> Any:
        return SERVING

    async def aborts(self, context: Any) -> Any:
        await context.abort(grpc.StatusCode.NOT_FOUND, "gone")

    async def aborts_with_a_number(self, context: Any) -> Any:
        await context.abort(5, "gone")

    async def aborts_without_details(self, context: Any) -> Any:
        await context.abort(grpc.StatusCode.ABORTED)

    async def aborts_with_trailers(self, context: Any) -> Any:
        await context.abort(grpc.StatusCode.ABORTED, "x", (("x-a", "1"), ("x-bin", b"\x00\xff")))

    async def aborts_and_keeps_trailers_set(self, context: Any) -> Any:
        context.set_trailing_metadata((("x-a", "1"),))
        await context.abort(grpc.StatusCode.ABORTED, "x")

    async def aborts_and_keeps_details_set(self, context: Any) -> Any:
        context.set_details("kept")
        await context.abort(grpc.StatusCode.ABORTED)

    async def aborts_with_status(self, context: Any) -> Any:
        @dataclass
        class Status(grpc.Status):
            code = grpc.StatusCode.FAILED_PRECONDITION
            details = "rich"
            trailing_metadata = (("grpc-status-details-bin", RICH),)

        await context.abort_with_status(Status())

    async def swallows_its_abort(self, context: Any) -> Any:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        except grpc.aio.AbortError:
            return SERVING

    async def raises_after_its_abort(self, context: Any) -> Any:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        except grpc.aio.AbortError as exc:
            raise ValueError("something else") from exc

    async def aborts_twice(self, context: Any) -> Any:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")
        except grpc.aio.AbortError:
            await context.abort(grpc.StatusCode.ABORTED, "second")

    async def sets_a_code_and_returns(self, context: Any) -> Any:
        context.set_code(grpc.StatusCode.OUT_OF_RANGE)
        context.set_details("too far")
        return SERVING

    async def sets_a_number_and_returns(self, context: Any) -> Any:
        context.set_code(11)
        return SERVING

    async def sets_a_code_and_raises(self, context: Any) -> Any:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError

    async def sends_metadata(self, context: Any) -> Any:
        await context.send_initial_metadata((("x-first", "1"), ("x-first-bin", b"\x01")))
        context.set_trailing_metadata((("x-last", "2"),))
        return SERVING

    async def sends_initial_metadata_twice(self, context: Any) -> Any:
        await context.send_initial_metadata((("x-first", "1"),))
        try:
            await context.send_initial_metadata((("x-first", "2"),))
        except grpc.aio.UsageError:
            context.set_details("refused")
        context.set_code(grpc.StatusCode.ABORTED)
        return SERVING

    async def reads_what_it_set(self, context: Any) -> Any:
        before = (context.code(), context.details(), tuple(context.trailing_metadata()))
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_details(f"{before}")
        context.set_trailing_metadata((("x-a", "1"),))
        assert context.code() is grpc.StatusCode.ABORTED
        assert tuple(context.trailing_metadata()) == (("x-a", "1"),)
        return SERVING

    async def reads_metadata(self, context: Any) -> Any:
        sent = dict(context.invocation_metadata())
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_details(
            f"{sent['x-in']} {sent['x-in-bin']!r} {context.invocation_metadata()[0].key}"
        )
        return SERVING


CASES = [name for name in vars(Servicer) if not name.startswith("_") and name != "Check"]


@pytest.mark.parametrize("case", CASES)
async def test_a_servicer_answers_in_process_as_it_does_natively(case: str) -> None:
    outcome = await in_process(Servicer(), case)
    expected = await native(Servicer(), case)
    if case == "reads_metadata":  # grpc.aio puts its user-agent first
        expected.message = expected.message.replace("user-agent", "x-in")
    if case == "sets_a_code_and_raises":  # grpc.aio tells the client of the exception; we do not
        expected.message = "Method not implemented!"
    assert outcome == expected


class SyncServicer(health_pb2_grpc.HealthServicer):
    def Check(self, request: Any, context: Any) -> Any:
        if request.service == "aborts":
            context.abort(grpc.StatusCode.NOT_FOUND, "gone", (("x-a", "1"),))
        if request.service == "sets":
            context.set_code(grpc.StatusCode.ABORTED)
            context.set_details("set")
            context.send_initial_metadata((("x-first", "1"),))
            context.set_trailing_metadata((("x-last", "2"),))
        return SERVING


@pytest.mark.parametrize("case", ["ok", "aborts", "sets"])
async def test_a_synchronous_servicer_answers_as_it_does_natively(case: str) -> None:
    assert await in_process(SyncServicer(), case) == await native(SyncServicer(), case)


def _without_serializers(handler: Any) -> Any:
    async def handle(request: bytes, context: Any) -> bytes:
        assert isinstance(request, bytes)
        return SERVING.SerializeToString()

    return grpc.unary_unary_rpc_method_handler(handle)


def _with_other_serializers(handler: Any) -> Any:
    async def handle(request: str, context: Any) -> int:
        assert request == "ok"
        return 1

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=lambda data: health_pb2.HealthCheckRequest.FromString(data).service,
        response_serializer=lambda status: health_pb2.HealthCheckResponse(
            status=status
        ).SerializeToString(),
    )


def _wrapped(handler: Any) -> Any:
    async def handle(request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("x-wrapped", "1"),))
        return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(
        handle, handler.request_deserializer, handler.response_serializer
    )


def _refusing(handler: Any) -> Any:
    async def handle(requests: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no", (("x-a", "1"),))

    return grpc.stream_unary_rpc_method_handler(handle)


def _reading(handler: Any) -> Any:
    async def handle(requests: Any, context: Any) -> Any:
        request = await context.read()
        context.set_trailing_metadata((("x-end", str(await context.read() is grpc.aio.EOF)),))
        return await handler.unary_unary(request, context)

    return grpc.stream_unary_rpc_method_handler(
        handle, handler.request_deserializer, handler.response_serializer
    )


def _iterating(handler: Any) -> Any:
    async def handle(requests: Any, context: Any) -> Any:
        answers = [await handler.unary_unary(request, context) async for request in requests]
        context.set_trailing_metadata((("x-requests", str(len(answers))),))
        return answers[0]

    return grpc.stream_unary_rpc_method_handler(
        handle, handler.request_deserializer, handler.response_serializer
    )


@cases(
    "replace",
    {
        "one that refuses without the request": _refusing,
        "one that reads the request by itself": _reading,
        "one that iterates over the request": _iterating,
        "bytes in, bytes out": _without_serializers,
        "other serializers": _with_other_serializers,
        "the same serializers": _wrapped,
        "no handler": lambda handler: None,
    },
)
async def test_an_interceptor_may_replace_the_handler(replace: Callable[[Any], Any]) -> None:
    chain = [Replacing(replace)]
    assert await in_process(Servicer(), "ok", chain) == await native(Servicer(), "ok", chain)


async def test_interceptors_run_outermost_first() -> None:
    order: list[str] = []

    class Naming(grpc.aio.ServerInterceptor):
        def __init__(self, name: str) -> None:
            self.name = name

        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            order.append(self.name)
            return await continuation(handler_call_details)

    await in_process(Servicer(), "ok", [Naming("outer"), Naming("inner")])
    assert order == ["outer", "inner"]
