"""Asks a gRPC server for its services and their files, by server reflection.

Follows grpc/doc/server-reflection.md. Its versions v1 and v1alpha have the same messages.
Rule: what the server answers is not trusted; what does not fit is `UnansweredError`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from transcoder.backends.channel import Upstream, send
from transcoder.codec.message_types import message_class

ANSWER_S: Final = 20.0
"""Max seconds for a server to answer all questions."""

_VERSIONS: Final = ("v1", "v1alpha")
_OWN_SERVICES: Final = "grpc.reflection."
_EXPECTED_ENDINGS: Final = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)
"""Codes of servers that do not have a version of reflection."""

_MESSAGES: Final = """
name: "reflection.proto" package: "r" syntax: "proto3"
message_type {
  name: "Request"
  field { name: "file_by_filename" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL
          oneof_index: 0 }
  field { name: "file_containing_symbol" number: 4 type: TYPE_STRING label: LABEL_OPTIONAL
          oneof_index: 0 }
  field { name: "list_services" number: 7 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "message_request" }
}
message_type {
  name: "Response"
  field { name: "files" number: 4 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".r.Files" }
  field { name: "services" number: 6 type: TYPE_MESSAGE label: LABEL_OPTIONAL
          type_name: ".r.Services" }
  field { name: "error" number: 7 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".r.Error" }
}
message_type {
  name: "Files"
  field { name: "serialized" number: 1 type: TYPE_BYTES label: LABEL_REPEATED }
}
message_type {
  name: "Services"
  field { name: "service" number: 1 type: TYPE_MESSAGE label: LABEL_REPEATED
          type_name: ".r.Service" }
}
message_type {
  name: "Service"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
}
message_type {
  name: "Error"
  field { name: "error_message" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
}
"""
"""The parts of the messages that are used here, in a package that no other pool has."""

_POOL: Final = DescriptorPool()
_POOL.AddSerializedFile(text_format.Parse(_MESSAGES, FileDescriptorProto()).SerializeToString())
_Request: Final[Any] = message_class(_POOL.FindMessageTypeByName("r.Request"))
_Response: Final[Any] = message_class(_POOL.FindMessageTypeByName("r.Response"))


class UnansweredError(Exception):
    """A server did not tell its services; the text says why, for the log."""


class Reflected:
    """Holds what a server has told.

    Attributes:
        services: full names, without reflection itself.
        files: by name; those that declare the services, and those that they import.
    """

    def __init__(self) -> None:
        self.services: list[str] = []
        self.files: dict[str, FileDescriptorProto] = {}

    def lacks(self, service: str) -> bool:
        """True if no file declares a service."""
        package, _, name = service.rpartition(".")
        return not any(
            file.package == package and any(each.name == name for each in file.service)
            for file in self.files.values()
        )

    def missing(self) -> Iterator[str]:
        """Yields the names of files that are imported and not there."""
        for file in list(self.files.values()):
            yield from (each for each in file.dependency if each not in self.files)


async def reflect(upstream: Upstream) -> Reflected:
    """Returns the services of a server, and their files.

    Raises:
        UnansweredError: the server cannot be reached, has no reflection, or answers nonsense.
    """
    for version in _VERSIONS:
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        call: Any = upstream.channel.stream_stream(path)(timeout=ANSWER_S)
        try:
            return await _Conversation(call).all_services()
        except grpc.aio.AioRpcError as error:
            if error.code() not in _EXPECTED_ENDINGS:
                raise UnansweredError(f"{error.code().name}: {error.details()}") from None
        finally:
            call.cancel()
    raise UnansweredError("the server has no reflection: give its files or a descriptor set")


class _Conversation:
    """The questions and answers of one call."""

    def __init__(self, call: Any) -> None:  # noqa: ANN401
        self._call = call

    async def all_services(self) -> Reflected:
        told = Reflected()
        await self._call.wait_for_connection()
        answer = await self._ask(list_services="")
        names = [service.name for service in answer.services.service]
        told.services = [name for name in names if not name.startswith(_OWN_SERVICES)]
        for service in told.services:
            if told.lacks(service):
                await self._add(told, file_containing_symbol=service)
            if told.lacks(service):
                raise UnansweredError(f"no file of the server declares its service {service!r}")
        unknown: set[str] = set()
        while asked := set(told.missing()) - unknown:
            unknown |= asked  # asked for once; this process may have those of Google
            for name in sorted(asked - set(told.files)):
                await self._add(told, file_by_filename=name)
        return told

    async def _add(self, told: Reflected, **question: str) -> None:
        answer = await self._ask(**question)
        for serialized in answer.files.serialized:
            try:
                file = FileDescriptorProto.FromString(serialized)
            except DecodeError:
                raise UnansweredError(f"{question}: expected a descriptor of a file") from None
            told.files.setdefault(file.name, file)

    async def _ask(self, **question: str) -> Any:  # noqa: ANN401
        with contextlib.suppress(grpc.aio.InternalError):  # the answer tells why
            await send(self._call, _Request(**question).SerializeToString())
        answer = await self._call.read()
        if answer is grpc.aio.EOF:
            raise UnansweredError(f"{question}: expected an answer, the server ended the call")
        try:
            return _Response.FromString(answer)
        except DecodeError:
            raise UnansweredError(f"{question}: expected a ServerReflectionResponse") from None
