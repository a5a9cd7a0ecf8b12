"""Compiles readers of JSON values per message type, which return arguments of its constructor.

The constructors of protobuf's C implementation take a whole tree of dicts and lists, and are much
faster than setting field by field. So readers make that tree (message.py for objects,
repeated.py for lists and maps), and one constructor call makes the message. Follows protobuf.dev,
"ProtoJSON Format".
Rule 1: readers check every value; a constructor gets none that it would refuse or convert.
Rule 2: compiled readers are published complete, and never change.
"""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder.codec import scalars, structs, wellknown
from transcoder.codec.message import FieldReader, ObjectReader
from transcoder.codec.message_types import message_class, reached
from transcoder.codec.repeated import NATIVE, list_reader, map_reader
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

    readers: dict[Descriptor, ValueReader]
    waiting: list[tuple[Descriptor, ObjectReader, dict[str, FieldReader]]]
    """Types whose fields have no readers yet; the dict receives them."""


class DecoderCompiler:
    """Compiled readers by message type, for one pool; compiling is safe from several threads."""

    def __init__(self, pool: DescriptorPool, *, nesting_max: int, strict: bool) -> None:
        self._pool = pool
        self._nesting_max = nesting_max
        self._strict = strict
        self._done: dict[Descriptor, ValueReader] = {}
        self._resolved: dict[str, Resolved[ValueReader]] = {}
        self._lock = threading.Lock()

    def message(self, descriptor: Descriptor) -> ValueReader:
        """Returns a reader of JSON values; its results go through `wellknown.message_of`."""
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
            descriptor, reader, fields = batch.waiting.pop()
            readers = [(field, self._field(field, batch)) for field in descriptor.fields]
            fields |= {field.name: reader for field, reader in readers}
            fields |= {field.json_name: reader for field, reader in readers}
            if descriptor.is_extendable:
                for extension in descriptor.file.pool.FindAllExtensions(descriptor):
                    name = f"[{extension.full_name}]"
                    fields[name] = (name, *self._field(extension, batch)[1:])
            reader.compile()
        # Only now: another thread must not meet a reader whose fields are not all there.
        self._done.update(batch.readers)

    def _reader(self, descriptor: Descriptor, batch: "_DecoderBatch") -> ValueReader:
        """Returns the reader of a type; a new one is compiled when its batch is published."""
        done = self._done.get(descriptor) or batch.readers.get(descriptor)
        if done is not None:
            return done
        read = self._special(descriptor, batch)
        if read is None:
            fields: dict[str, FieldReader] = {}
            reader = ObjectReader(descriptor, fields, is_strict=self._strict)
            batch.waiting.append((descriptor, reader, fields))
            read = reader.read
        batch.readers[descriptor] = read
        return read

    def _special(self, descriptor: Descriptor, batch: "_DecoderBatch") -> ValueReader | None:
        name = descriptor.full_name
        if name in wellknown.TEXTUAL:
            return wellknown.TEXTUAL[name].read
        if name in wellknown.WRAPPERS:
            _, _, read_held, _ = self._field(descriptor.fields_by_name["value"], batch)
            return lambda value, depth: {"value": read_held(value, depth)}
        if name == wellknown.ANY:
            return wellknown.any_reader(self._resolve)
        if name in structs.STRUCT_FORMS:
            return structs.STRUCT_FORMS[name].reader(message_class(descriptor))
        return None

    def _resolve(self, url: str) -> Resolved[ValueReader]:
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

    def _field(self, field: FieldDescriptor, batch: "_DecoderBatch") -> FieldReader:
        if (entry := map_entry(field)) is not None:
            key = entry.fields_by_name["key"]
            read_key = scalars.read_bool_text if key.type == key.TYPE_BOOL else SIMPLE[key.type]
            _, _, read, _ = self._field(entry.fields_by_name["value"], batch)
            return field.name, None, map_reader(entry, read_key, read), False
        takes_null = False
        if field.message_type is not None:
            read = self._reader(field.message_type, batch)
            takes_null = field.message_type.full_name == structs.VALUE
        elif field.enum_type is not None:
            read = scalars.enum_reader(field.enum_type, ignores_unknown=not self._strict)
            takes_null = field.enum_type.full_name == scalars.NULL_VALUE
        else:
            read = SIMPLE[field.type]
        if field.is_repeated:
            return field.name, None, list_reader(field, read), takes_null
        return field.name, NATIVE.get(field.type), read, takes_null


def descriptor_of(message_type: type[Message]) -> Descriptor:
    # The stubs name two classes for a descriptor; at run time there is one.
    return message_type.DESCRIPTOR  # type: ignore[return-value]


def map_entry(field: FieldDescriptor) -> Descriptor | None:
    """Returns the message of a map's entries, with fields `key` and `value`; None if no map."""
    entry = field.message_type
    return entry if entry is not None and entry.GetOptions().map_entry else None


def reaches_floats(descriptor: Descriptor) -> bool:
    """True if JSON of this type may have a float field, for which -0 is not 0."""
    return any(
        held.full_name == wellknown.ANY
        or held.is_extendable
        or any(field.cpp_type in scalars.FLOAT_CPPTYPES for field in held.fields)
        for held in reached(descriptor)
    )


def reaches_required(descriptor: Descriptor) -> bool:
    """True if a message of this type may lack a required field."""
    return any(
        held.is_extendable or any(field.is_required for field in held.fields)
        for held in reached(descriptor)
    )
