"""Reads the comments of .proto files from a descriptor set with source info.

Follows google/protobuf/descriptor.proto, SourceCodeInfo. Generated code has no comments: a set is
made by `protoc --include_imports --include_source_info --descriptor_set_out=FILE`.
Rule: a comment is plain text. OpenAPI's descriptions are CommonMark, in which "<" and "&" begin
HTML, so they are escaped.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from google.protobuf.message import DecodeError

from transcoder.errors import SchemaError

_SENTENCE_END: Final = ". "


class Comments:
    """The comments of services, methods, messages, fields, enums and their values."""

    def __init__(self, descriptor_set: str | os.PathLike[str] | bytes) -> None:
        """Reads a set.

        Args:
            descriptor_set: the path of the file or, as bytes, its content; empty has no comments.

        Raises:
            SchemaError: the file cannot be read, or is no FileDescriptorSet.
        """
        self._by_name: dict[str, str] = {}
        for file in _read(descriptor_set).file:
            for location in file.source_code_info.location:
                text = location.leading_comments or location.trailing_comments
                name = _name_at(file, location.path) if text.strip() else ""
                if name:
                    self._by_name[name] = _unindented(text)

    def text(self, full_name: str) -> str:
        """Returns the comment of an element as plain text; empty if it has none."""
        return self._by_name.get(full_name, "")

    def summary(self, full_name: str) -> str:
        """Returns the first sentence of a comment, on one line and without its full stop."""
        first = self.text(full_name).partition("\n\n")[0].replace("\n", " ")
        return first.partition(_SENTENCE_END)[0].removesuffix(".")

    def description(self, full_name: str) -> str:
        """Returns a comment as CommonMark that shows its characters."""
        return shown_as_text(self.text(full_name))


def shown_as_text(text: str) -> str:
    """Returns CommonMark without HTML, whose text is that."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _read(descriptor_set: str | os.PathLike[str] | bytes) -> FileDescriptorSet:
    if isinstance(descriptor_set, bytes):
        content, where = descriptor_set, "the bytes given"
    else:
        where = os.fspath(descriptor_set)
        try:
            content = Path(descriptor_set).read_bytes()
        except OSError as exc:
            raise SchemaError(f"descriptor set {where!r}: {exc.strerror}") from exc
    try:
        return FileDescriptorSet.FromString(content)
    except DecodeError as exc:
        raise SchemaError(f"descriptor set: {where}: expected a FileDescriptorSet") from exc


def _unindented(text: str) -> str:
    return "\n".join(line.removeprefix(" ").rstrip() for line in text.strip("\n").split("\n"))


def _name_at(file: FileDescriptorProto, path: Sequence[int]) -> str:
    """Returns the full name of the element at a path; empty for what is none, as an option."""
    names = [file.package] if file.package else []
    element: Any = file
    steps: Iterator[int] = iter(path)
    for number in steps:
        index = next(steps, None)
        below = _ELEMENTS.get((type(element), number))
        if index is None or below is None:
            return ""
        element = getattr(element, below)[index]
        names.append(element.name)
    return ".".join(names)


_ELEMENTS: Final = {
    (FileDescriptorProto, FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER): "message_type",
    (FileDescriptorProto, FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER): "enum_type",
    (FileDescriptorProto, FileDescriptorProto.SERVICE_FIELD_NUMBER): "service",
    (DescriptorProto, DescriptorProto.FIELD_FIELD_NUMBER): "field",
    (DescriptorProto, DescriptorProto.NESTED_TYPE_FIELD_NUMBER): "nested_type",
    (DescriptorProto, DescriptorProto.ENUM_TYPE_FIELD_NUMBER): "enum_type",
    (EnumDescriptorProto, EnumDescriptorProto.VALUE_FIELD_NUMBER): "value",
    (ServiceDescriptorProto, ServiceDescriptorProto.METHOD_FIELD_NUMBER): "method",
}
"""The list that a number in a path stands for, by the type of the element above it."""
