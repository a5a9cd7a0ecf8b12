"""Asks a gRPC server for its services and their files, by server reflection.

Follows grpc/doc/server-reflection.md. Its versions v1 and v1alpha have the same messages.
Rule: what the server answers is not trusted; what does not fit is `UnansweredError`.
"""

import contextlib
from typing import Any, Final

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from transcoder.backends.channel import (
    REFLECTED_MAX_BYTES,
    REFLECTION_VERSIONS,
    Upstream,
    send,
)
from transcoder.codec.message_types import message_class

ANSWER_S: Final = 20.0
"""Max seconds for a server to answer all questions."""
ITEMS_MAX: Final = 20_000
"""Max services of a server, and max files; the files have `REFLECTED_MAX_BYTES` at most."""

MISSING_FILE: Final = "expected the server to tell that file, too"
"""The remedy for a file that others import, and that neither side has."""

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
        file_of: the name of the file that declares a service, by the service's name.
        faults: why there is no such file, by the service's name.
    """

    def __init__(self) -> None:
        self.services: list[str] = []
        self.files: dict[str, FileDescriptorProto] = {}
        self.file_of: dict[str, str] = {}
        self.faults: dict[str, str] = {}
        self._serialized: set[bytes] = set()
        self._bytes_left = REFLECTED_MAX_BYTES

    def is_same(self, other: "Reflected | None") -> bool:
        """True if a server has told the same before."""
        return (
            other is not None
            and self.services == other.services
            and self._serialized == other._serialized  # noqa: SLF001  of this class
        )

    def add(self, serialized: bytes) -> FileDescriptorProto | None:
        """Adds a file; returns it if it is new.

        Raises:
            DecodeError: it is no file.
            UnansweredError: all files together are too many, or too large.
        """
        if serialized in self._serialized:  # servers repeat what files import
            return None
        self._serialized.add(serialized)
        self._bytes_left -= len(serialized)
        if self._bytes_left < 0 or len(self._serialized) > ITEMS_MAX:
            limits = f"{ITEMS_MAX} files and {REFLECTED_MAX_BYTES} bytes"
            raise UnansweredError(f"its files: expected at most {limits}, got more")
        file = FileDescriptorProto.FromString(serialized)
        if file.name in self.files:
            return None
        self.files[file.name] = file
        before = f"{file.package}." if file.package else ""
        for each in file.service:
            self.file_of[before + each.name] = file.name
        return file


async def reflect(upstream: Upstream) -> Reflected:
    """Returns the services of a server, and their files.

    Raises:
        UnansweredError: the server cannot be reached, has no reflection, or answers nonsense.
    """
    for version in REFLECTION_VERSIONS:
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
        self._told = Reflected()
        self._unread: list[FileDescriptorProto] = []
        self._asked: set[str] = set()

    async def all_services(self) -> Reflected:
        await self._call.wait_for_connection()
        answer = await self._ask(list_services="")
        names = dict.fromkeys(service.name for service in answer.services.service)
        if len(names) > ITEMS_MAX:
            raise UnansweredError(f"expected at most {ITEMS_MAX} services, got {len(names)}")
        told = self._told
        told.services = [name for name in names if not name.startswith(_OWN_SERVICES)]
        for service in told.services:
            if service not in told.file_of:
                await self._read_service(service)
        while self._unread:
            await self._read_imports(self._unread.pop())
        return told

    async def _read_service(self, service: str) -> None:
        try:
            await self._add(file_containing_symbol=service)
        except DecodeError:
            text = f"expected a descriptor of the file of {service!r}"
            self._told.faults[service] = text
            return
        if service not in self._told.file_of:
            text = f"no file of the server declares its service {service!r}"
            self._told.faults[service] = text

    async def _read_imports(self, file: FileDescriptorProto) -> None:
        """Asks for the files that one imports, each once; this process may have those of Google."""
        for name in file.dependency:
            if name not in self._told.files and name not in self._asked:
                self._asked.add(name)
                with contextlib.suppress(DecodeError):  # then it is missing
                    await self._add(file_by_filename=name)

    async def _add(self, **question: str) -> None:
        answer = await self._ask(**question)
        for serialized in answer.files.serialized:
            file = self._told.add(serialized)
            if file is not None:
                self._unread.append(file)

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
