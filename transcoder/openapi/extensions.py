"""Reads options of descriptors, with the extensions that their own pool declares.

Follows google/protobuf/descriptor.proto, "Options". A file that uses an extension imports its
declaration, so the pool of a descriptor knows it: no generated code of it is needed, nor is it a
dependency of this library.
Rule: extensions are found by their full names, and fields of their values by theirs.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
    OneofDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder.codec.message_types import message_class

Described = (
    FileDescriptor
    | ServiceDescriptor
    | MethodDescriptor
    | Descriptor
    | FieldDescriptor
    | OneofDescriptor
    | EnumDescriptor
)

_NONE: Final[Mapping[str, Any]] = {}


def extensions_of(descriptor: Described) -> Mapping[str, Any]:
    """Returns the options that a descriptor has, by full name; those of descriptor.proto too."""
    given = descriptor.GetOptions()
    text = given.SerializeToString()
    if not text:
        return _NONE
    # Parsed again: parsed before its pool knew an extension, the options lack it.
    options = _options_class(_pool_of(descriptor), given).FromString(text)
    return {field.full_name: value for field, value in options.ListFields()}


def _pool_of(descriptor: Described) -> DescriptorPool:
    match descriptor:
        case FileDescriptor():
            return descriptor.pool
        case MethodDescriptor():
            return descriptor.containing_service.file.pool
        case FieldDescriptor() | OneofDescriptor():
            return descriptor.containing_type.file.pool  # type: ignore[union-attr]  # not of a file
        case _:
            return descriptor.file.pool


def _options_class(pool: DescriptorPool, options: Message) -> type[Message]:
    name = options.DESCRIPTOR.full_name
    try:
        return message_class(pool.FindMessageTypeByName(name))
    except KeyError:  # a pool without descriptor.proto declares no extension
        return getattr(descriptor_pb2, options.DESCRIPTOR.name)  # type: ignore[no-any-return]
