"""Serves whatever reflection tells, true or not, and echoes the request of every unary method.

Knows nothing of the transcoder; the types of its messages are in no pool of this process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final

import grpc
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import (
    ErrorResponse,
    FileDescriptorResponse,
    ListServiceResponse,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceResponse,
)

REFLECTION: Final = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
HELD: Final = b"\x0a\x04held"
"""A message with the name "held"."""

Answers = Callable[[ServerReflectionRequest], Iterable[ServerReflectionResponse]]


def service_file(service: str, routes: Mapping[str, str], *, imports: str = "") -> bytes:
    """Returns a file with a service of one package ("w.S"), and its message `w.SMessage`.

    Args:
        service: its full name.
        routes: a path of GET, by the name of a method.
        imports: another file, which nobody may have.
    """
    package, _, name = service.rpartition(".")
    file = FileDescriptorProto(name=f"{name}.proto", package=package, syntax="proto3")
    file.dependency.append("google/api/annotations.proto")
    if imports:
        file.dependency.append(imports)
    message = file.message_type.add(name=f"{name}Message")
    message.field.add(name="name", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    made = file.service.add(name=name)
    for method, path in routes.items():
        of = f".{package}.{name}Message"
        rpc = made.method.add(name=method, input_type=of, output_type=of)
        rpc.options.Extensions[annotations_pb2.http].get = path
    return file.SerializeToString()


def told(services: Mapping[str, bytes], others: Mapping[str, bytes] | None = None) -> Answers:
    """Returns answers of services with the file of each, and of other files by name."""

    def answer(request: ServerReflectionRequest) -> Iterable[ServerReflectionResponse]:
        if request.HasField("list_services"):
            return [listed(*services)]
        found = services.get(request.file_containing_symbol)
        if not found:
            found = (others or {}).get(request.file_by_filename)
        if not found:
            error = ErrorResponse(error_code=5, error_message="not found")
            return [ServerReflectionResponse(error_response=error)]
        return [ServerReflectionResponse(file_descriptor_response=files(found))]

    return answer


def listed(*services: str) -> ServerReflectionResponse:
    named = [ServiceResponse(name=name) for name in services]
    return ServerReflectionResponse(list_services_response=ListServiceResponse(service=named))


def files(*serialized: bytes) -> FileDescriptorResponse:
    return FileDescriptorResponse(file_descriptor_proto=serialized)


class Teller(grpc.GenericRpcHandler):
    """A gRPC server.

    Attributes:
        answers: of reflection from now on.
        is_held: set when a call for "held" has begun.
        may_end: what such calls wait for.
        port: where it listens.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.is_held = asyncio.Event()
        self.may_end = asyncio.Event()
        self.port = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listens on a free port, or on the port as before."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(None)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method
        if path == REFLECTION:
            return grpc.stream_stream_rpc_method_handler(
                self._reflect,
                ServerReflectionRequest.FromString,
                ServerReflectionResponse.SerializeToString,
            )
        return grpc.unary_unary_rpc_method_handler(self._echo)

    async def _reflect(
        self, requests: AsyncIterator[ServerReflectionRequest], context: object
    ) -> AsyncIterator[ServerReflectionResponse]:
        async for request in requests:
            for response in self.answers(request):
                yield response

    async def _echo(self, request: bytes, context: object) -> bytes:
        if request == HELD:
            self.is_held.set()
            await self.may_end.wait()
        return request
