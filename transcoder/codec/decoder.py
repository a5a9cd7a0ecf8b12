"""Compiles readers of JSON values per message type, which set the fields of a new message.

message.py reads objects, field_readers.py fields, repeated.py lists and maps. Follows
protobuf.dev, "ProtoJSON Format".
Rule 1: readers check every value; protobuf gets none that it would convert, and refuses none but
integers that are out of range.
Rule 2: a message that a reader has failed on is thrown away.
Rule 3: compiled readers are published complete, and never change.
"""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec import field_readers, repeated, scalars, structs, wellknown
from transcoder.codec.field_readers import FieldReader
from transcoder.codec.message import ObjectReader
from transcoder.codec.message_types import (
    MessageReader,
    TypePool,
    map_entry,
    message_class,
)
from transcoder.codec.scalars import ValueReader, expected
from transcoder.codec.wellknown import Resolved

SIMPLE: Mapping[int, ValueReader] = {
    FieldDescriptor.TYPE_STRING: scalars.read_string,
    FieldDescriptor.TYPE_BOOL: scalars.read_bool,
    FieldDescriptor.TYPE_DOUBLE: scalars.read_double,
    FieldDescriptor.TYPE_FLOAT: scalars.read_float,
    FieldDescriptor.TYPE_BYTES: scalars.read_bytes,
} | {kind: scalars.integer_reader(*bounds) for kind, bounds in scalars.INTEGERS.items()}


class _DecoderBatch(NamedTuple):
    """Readers that are compiled together; all are published at once, or none."""

    readers: dict[Descriptor, MessageReader]
    waiting: list[tuple[Descriptor, ObjectReader]]
    """Types whose fields have no readers yet."""


class DecoderCompiler:
    """Compiled readers by message type, for one pool; compiling is safe from several threads."""

    def __init__(self, pool: TypePool, *, strict: bool) -> None:
        self._pool = pool
        self._strict = strict
        self._done: dict[Descriptor, MessageReader] = {}
        self._resolved: dict[str, Resolved[MessageReader]] = {}
        self._lock = threading.Lock()

    def message(self, descriptor: Descriptor) -> MessageReader:
        read = self._done.get(descriptor)
        if read is None:
            with self._lock:
                batch = _DecoderBatch({}, [])
                read = self._reader(descriptor, batch)
                self._publish(batch)
        return read

    def field(self, field: FieldDescriptor) -> FieldReader:
        with self._lock:
            batch = _DecoderBatch({}, [])
            reader = self._field(field, batch)
            self._publish(batch)
        return reader

    def _publish(self, batch: "_DecoderBatch") -> None:
        """Compiles the waiting types and those that they reach; a loop, as types nest deeply."""
        while batch.waiting:
            descriptor, reader = batch.waiting.pop()
            readers = [self._field(field, batch) for field in descriptor.fields]
            by_name = {reader.field.name: reader for reader in readers}
            by_name |= {reader.field.json_name: reader for reader in readers}
            if descriptor.is_extendable:
                for extension in descriptor.file.pool.FindAllExtensions(descriptor):
                    by_name[f"[{extension.full_name}]"] = self._field(extension, batch)
            reader.link(by_name)
        # Only now: another thread must not meet a reader whose fields are not all there.
        self._done.update(batch.readers)

    def _reader(self, descriptor: Descriptor, batch: "_DecoderBatch") -> MessageReader:
        """Returns the reader of a type; a new one reads once its batch is published."""
        done = self._done.get(descriptor) or batch.readers.get(descriptor)
        if done is not None:
            return done
        read = self._special(descriptor, batch)
        if read is None:
            reader = ObjectReader(descriptor, is_strict=self._strict)
            batch.waiting.append((descriptor, reader))
            read = reader.read
        batch.readers[descriptor] = read
        return read

    def _special(self, descriptor: Descriptor, batch: "_DecoderBatch") -> MessageReader | None:
        name = descriptor.full_name
        if name in wellknown.TEXTUAL:
            return wellknown.TEXTUAL[name].read
        if name in wellknown.WRAPPERS:
            return self._field(descriptor.fields_by_name["value"], batch).set
        if name == wellknown.ANY:
            return wellknown.any_reader(self._resolve)
        if name in structs.STRUCT_FORMS:
            return structs.STRUCT_FORMS[name].read
        return None

    def _resolve(self, url: str) -> Resolved[MessageReader]:
        name = wellknown.type_name_of(url)
        resolved = self._resolved.get(name)
        if resolved is None:
            try:
                descriptor = self._pool.FindMessageTypeByName(name)
            except KeyError:
                raise expected("a type that this server knows", name) from None
            read = self.message(descriptor)
            resolved = Resolved(message_class(descriptor), read, name in wellknown.SPECIAL)
            self._resolved[name] = resolved
        return resolved

    def forget_types(self) -> None:
        """Has the types that type URLs name looked up again."""
        self._resolved.clear()

    def _field(self, field: FieldDescriptor, batch: "_DecoderBatch") -> FieldReader:
        if (entry := map_entry(field)) is not None:
            key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
            read_key = scalars.read_bool_text if key.type == key.TYPE_BOOL else SIMPLE[key.type]
            read_map = (
                repeated.map_reader(entry, read_key, self._value(value))
                if value.message_type is None
                else repeated.message_map_reader(read_key, self._reader(value.message_type, batch))
            )
            return field_readers.container_field(field, read_map)
        if field.message_type is not None:
            return self._message_field(field, field.message_type, batch)
        read = self._value(field)
        if field.is_repeated:
            return field_readers.list_field(field, repeated.list_reader(field, read))
        if field.enum_type is not None:
            return field_readers.enum_field(field, read)
        return field_readers.value_field(field, read)

    def _message_field(
        self, field: FieldDescriptor, of: Descriptor, batch: "_DecoderBatch"
    ) -> FieldReader:
        if field.is_repeated:
            read_list = repeated.message_list_reader(self._reader(of, batch))
            return field_readers.container_field(field, read_list)
        if of.full_name in wellknown.WRAPPERS:
            return field_readers.wrapper_field(field, self._value(of.fields_by_name["value"]))
        return field_readers.message_field(field, of, self._reader(of, batch))

    def _value(self, field: FieldDescriptor) -> ValueReader:
        """Returns a reader of a scalar or an enum; of an element, if the field is repeated."""
        if field.enum_type is not None:
            return scalars.enum_reader(field.enum_type, ignores_unknown=not self._strict)
        return SIMPLE[field.type]


def descriptor_of(message_type: type[Message]) -> Descriptor:
    # The stubs name two classes for a descriptor; at run time there is one.
    return message_type.DESCRIPTOR  # type: ignore[return-value]
