"""The service of connectconformance, written as for grpc.aio.

Each request says how it is answered. The first response, or else the error's details, have what the
servicer saw of the requests, as the comments of the suite's service.proto say.
Rule: there is no generated code. The descriptors are in protobuf's default pool once the server has
put them there.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.rpc import status_pb2
from grpc_status import rpc_status

SERVICE: Final = "connectrpc.conformance.v1.ConformanceService"
DEFECTS: Final = ("drop-trailers", "answer-without-data")
"""The ways to break the servicer on purpose."""

_PACKAGE: Final = "connectrpc.conformance.v1"


def message_type(name: str) -> Any:
    pool = descriptor_pool.Default()
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


class Servicer:
    """Answers calls as their requests say."""

    def __init__(self, defect: str | None = None) -> None:
        """Makes a sound servicer, or one with a defect of `DEFECTS`."""
        self._defect = defect

    def add_to(self, server: Any) -> None:
        """Registers the methods at a Transcoder or a grpc.aio.Server."""
        service = descriptor_pool.Default().FindServiceByName(SERVICE)
        functions = {
            "Unary": self._unary,
            "IdempotentUnary": self._unary,
            "ServerStream": self._server_stream,
            "ClientStream": self._client_stream,
            "BidiStream": self._bidi_stream,
        }
        handlers = {}
        for method in service.methods:
            kind = (method.client_streaming, method.server_streaming)
            handlers[method.name] = _HANDLER_OF_KIND[kind](
                functions.get(method.name, _unimplemented),
                request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
                response_serializer=_serialized,
            )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def _unary(self, request: Any, context: Any) -> Any:
        name = type(request).DESCRIPTOR.name.replace("Request", "Response")
        return await self._answer(message_type(name), [request], context)

    async def _client_stream(self, requests: Any, context: Any) -> Any:
        received = [request async for request in requests]
        return await self._answer(message_type("ClientStreamResponse"), received, context)

    async def _server_stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        definition = request.response_definition
        await self._set_metadata(definition, context)
        answers = self._answers(message_type("ServerStreamResponse"), [request], context)
        async for answer in answers:
            yield answer

    async def _bidi_stream(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = message_type("BidiStreamResponse")
        first: Any = None
        received: list[Any] = []
        sent = 0
        async for request in requests:
            received.append(request)
            if first is None:
                first = request
                if first.full_duplex:
                    await self._set_metadata(first.response_definition, context)
            if not first.full_duplex:
                continue
            if sent == len(first.response_definition.response_data):
                break
            await _delay(first.response_definition)
            data = first.response_definition.response_data[sent]
            seen = _request_info(received, None if sent else context)
            yield self._response(response, data, seen)
            received = []
            sent += 1
        if first is None:
            return
        if not first.full_duplex:
            await self._set_metadata(first.response_definition, context)
        answers = self._answers(
            response, received, context, definition=first.response_definition, sent=sent
        )
        async for answer in answers:
            yield answer

    async def _answer(self, response: Any, received: Sequence[Any], context: Any) -> Any:
        """Returns the one response that the first request asks for, or aborts."""
        if not received:
            return self._response(response, b"", _request_info(received, context))
        definition = received[0].response_definition
        await self._set_metadata(definition, context)
        await _delay(definition)
        seen = _request_info(received, context)
        if definition.HasField("error"):
            await _abort(definition.error, [seen], context)
        return self._response(response, definition.response_data, seen)

    async def _answers(
        self,
        response: Any,
        received: Sequence[Any],
        context: Any,
        *,
        definition: Any = None,
        sent: int = 0,
    ) -> AsyncIterator[Any]:
        """Yields the responses of a stream from number `sent` on, then aborts if that is asked."""
        if definition is None:
            definition = received[0].response_definition
        for data in definition.response_data[sent:]:
            await _delay(definition)
            seen = None if sent else _request_info(received, context)
            yield self._response(response, data, seen)
            sent += 1
        if definition.HasField("error"):
            await _abort(
                definition.error, [] if sent else [_request_info(received, context)], context
            )

    def _response(self, response: Any, data: bytes, seen: Any) -> Any:
        if self._defect == "answer-without-data":
            data = b""
        return response(payload={"data": data, "request_info": seen})

    async def _set_metadata(self, definition: Any, context: Any) -> None:
        await context.send_initial_metadata(tuple(_metadata(definition.response_headers)))
        if self._defect != "drop-trailers":
            context.set_trailing_metadata(tuple(_metadata(definition.response_trailers)))


_HANDLER_OF_KIND: Final[dict[tuple[bool, bool], Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


async def _unimplemented(_: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")


async def _delay(definition: Any) -> None:
    await asyncio.sleep(definition.response_delay_ms / 1000)


async def _abort(error: Any, seen: Iterable[Any], context: Any) -> None:
    details = list(error.details)
    for info in seen:
        packed = any_pb2.Any()
        packed.Pack(info)
        details.append(packed)
    status = rpc_status.to_status(
        status_pb2.Status(code=error.code, message=error.message, details=details)
    )
    trailing = (*context.trailing_metadata(), *status.trailing_metadata)
    await context.abort(status.code, status.details, trailing)


def _request_info(received: Iterable[Any], context: Any) -> Any:
    """Returns what was seen of requests; of the call's headers too, if `context` is given."""
    info = message_type("ConformancePayload.RequestInfo")()
    for request in received:
        info.requests.add().Pack(request)
    if context is not None:
        values: dict[str, list[str]] = {}
        for key, value in context.invocation_metadata():
            values.setdefault(key, []).append(_header_value(value))
        for key, texts in values.items():
            info.request_headers.add(name=key, value=texts)
        remaining_s = context.time_remaining()
        if remaining_s is not None:
            info.timeout_ms = int(remaining_s * 1000)
    return info


def _header_value(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    return base64.b64encode(value).decode("ascii").rstrip("=")


def _metadata(headers: Iterable[Any]) -> Iterable[tuple[str, str | bytes]]:
    for header in headers:
        key = header.name.lower()
        for value in header.value:
            yield key, _binary(value) if key.endswith("-bin") else value


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return text.encode("utf-8")  # the suite also has values that are not base64


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())
