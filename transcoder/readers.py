"""What turns parsed JSON into what a message's constructor takes, one function per message type.

The constructors of protobuf's C implementation take a whole tree of dicts and lists, skip None, and
are several times faster than setting field by field: so a reader makes that tree, and the message
is made once, from the top. Follows protobuf.dev, "ProtoJSON Format".
Rule 1: every value is checked here: a constructor sees none that it would refuse or convert.
Rule 2: what is compiled is published whole and never changes after.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder import scalars, wellknown
from transcoder.errors import shown
from transcoder.scalars import Fault, Reader, expected
from transcoder.wellknown import Resolved

_NATIVE: Mapping[int, type] = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_DOUBLE: float,
}
SIMPLE: Mapping[int, Reader] = {
    FieldDescriptor.TYPE_STRING: scalars.read_string,
    FieldDescriptor.TYPE_BOOL: scalars.read_bool,
    FieldDescriptor.TYPE_DOUBLE: scalars.read_double,
    FieldDescriptor.TYPE_FLOAT: scalars.read_float,
    FieldDescriptor.TYPE_BYTES: scalars.read_bytes,
} | {kind: scalars.integer_reader(*bounds) for kind, bounds in scalars.INTEGERS.items()}


class FieldReader(NamedTuple):
    """How one field is read.

    Attributes:
        attribute: its name in the proto.
        native: the class whose instances are values as they are; None where all are to be read.
        read: for all other values.
        takes_null: whether null is read, and not taken as the field's absence. So it is for a list
            of Values too, which then refuses it, as protobuf's own parsers do.
    """

    attribute: str
    native: type | None
    read: Reader
    takes_null: bool


class Readers:
    """Compiled readers by message type, for one pool; compiling is safe from several threads."""

    def __init__(self, pool: DescriptorPool, *, nesting_max: int, strict: bool) -> None:
        self._pool = pool
        self._nesting_max = nesting_max
        self._strict = strict
        self._done: dict[Descriptor, Reader] = {}
        self._lock = threading.Lock()

    def message(self, descriptor: Descriptor) -> Reader:
        """A reader of JSON values; what it returns goes through `wellknown.message_of`."""
        read = self._done.get(descriptor)
        if read is None:
            with self._lock:
                pending: dict[Descriptor, Reader] = {}
                read = self._compile(descriptor, pending)
                # Only now: another thread must not meet a reader whose fields are not all there.
                self._done.update(pending)
        return read

    def field(self, field: FieldDescriptor) -> FieldReader:
        with self._lock:
            pending: dict[Descriptor, Reader] = {}
            reader = self._field(field, pending)
            self._done.update(pending)
        return reader

    def _compile(self, descriptor: Descriptor, pending: dict[Descriptor, Reader]) -> Reader:
        done = self._done.get(descriptor) or pending.get(descriptor)
        if done is not None:
            return done
        special = self._special(descriptor, pending)
        if special is not None:
            pending[descriptor] = special
            return special
        fields: dict[str, FieldReader] = {}
        read = self._object_reader(descriptor, fields)
        pending[descriptor] = read  # before its fields: a type may hold itself
        for field in descriptor.fields:
            fields[field.json_name] = self._field(field, pending)
        if descriptor.is_extendable:
            for extension in descriptor.file.pool.FindAllExtensions(descriptor):
                name = f"[{extension.full_name}]"
                fields[name] = self._field(extension, pending)._replace(attribute=name)
        return read

    def _special(self, descriptor: Descriptor, pending: dict[Descriptor, Reader]) -> Reader | None:
        name = descriptor.full_name
        if name in wellknown.TEXTUAL:
            return wellknown.TEXTUAL[name]
        if name in wellknown.WRAPPERS:
            read_held = self._field(descriptor.fields_by_name["value"], pending).read
            return lambda value, depth: {"value": read_held(value, depth)}
        if name == wellknown.ANY:
            return wellknown.any_reader(self._resolve)
        if name == wellknown.STRUCT:
            struct = message_factory.GetMessageClass(descriptor)
            return wellknown.struct_reader(struct)  # type: ignore[arg-type]  # known by its name
        if name == wellknown.LIST_VALUE:
            list_value = message_factory.GetMessageClass(descriptor)
            return wellknown.list_value_reader(list_value)  # type: ignore[arg-type]  # the same
        if name == wellknown.VALUE:
            kinds = descriptor.fields_by_name
            return wellknown.value_reader(
                self._field(kinds["struct_value"], pending).read,
                self._field(kinds["list_value"], pending).read,
            )
        return None

    def _resolve(self, url: str) -> Resolved[Reader]:
        name = wellknown.type_name_of(url)
        try:
            descriptor = self._pool.FindMessageTypeByName(name)
        except KeyError:
            raise expected("a type that this server knows", name) from None
        message_type = message_factory.GetMessageClass(descriptor)
        return Resolved(message_type, self.message(descriptor), name in wellknown.SPECIAL)

    def _field(self, field: FieldDescriptor, pending: dict[Descriptor, Reader]) -> FieldReader:
        if (entry := map_entry(field)) is not None:
            read_key = _key_reader(entry.fields_by_name["key"])
            values = self._field(entry.fields_by_name["value"], pending)
            read = _map_reader(read_key, values)
            if entry.fields_by_name["value"].enum_type is not None and not self._strict:
                read = _without_unknown_values(read)
            return FieldReader(field.name, None, read, takes_null=False)
        native = _NATIVE.get(field.type)
        takes_null = False
        if field.message_type is not None:
            read = self._compile(field.message_type, pending)
            takes_null = field.message_type.full_name == wellknown.VALUE
        elif field.enum_type is not None:
            read = scalars.enum_reader(field.enum_type, passes_over=not self._strict)
            takes_null = field.enum_type.full_name == scalars.NULL_VALUE
        else:
            read = SIMPLE[field.type]
        if field.is_repeated:
            read = _list_reader(field, read)
            if field.enum_type is not None and not self._strict:
                read = _without_unknown_elements(read)
            return FieldReader(field.name, None, read, takes_null)
        return FieldReader(field.name, native, read, takes_null)

    def _object_reader(self, descriptor: Descriptor, fields: Mapping[str, FieldReader]) -> Reader:
        """The reader of an ordinary message; `fields`, by JSON name, is filled afterwards."""
        message_type = message_factory.GetMessageClass(descriptor)
        is_extendable = descriptor.is_extendable
        is_strict = self._strict
        oneofs = [
            frozenset(field.name for field in oneof.fields)
            for oneof in descriptor.oneofs
            if len(oneof.fields) > 1  # the one behind an `optional` field holds that field alone
        ]

        def read(value: object, depth: int) -> object:
            if type(value) is not dict:
                raise expected("an object", value)
            if depth < 1:
                raise wellknown.too_deep()
            values: dict[str, object] = {}
            name = ""
            try:
                for name, item in value.items():
                    attribute, native, read_item, takes_null = fields[name]
                    if type(item) is native:
                        values[attribute] = item
                    elif item is not None or takes_null:
                        values[attribute] = read_item(item, depth - 1)
            except KeyError:
                # Rare enough to begin again: a proto name, or no field at all.
                return read(_by_json_name(descriptor, fields, value, is_strict), depth)
            except Fault as fault:
                fault.path.append(name)
                raise
            if oneofs:
                _refuse_two_of_one(oneofs, values)
            return _extended(message_type, values) if is_extendable else values

        return read


def _by_json_name(
    descriptor: Descriptor,
    fields: Mapping[str, FieldReader],
    members: Mapping[str, object],
    is_strict: bool,
) -> dict[str, object]:
    """Those members that are fields, under their JSON names."""
    known: dict[str, object] = {}
    for name, item in members.items():
        json_name = name
        if name not in fields:
            field = descriptor.fields_by_name.get(name)
            if field is None:
                if is_strict:
                    raise Fault(f"{shown(name)} is no field of {descriptor.full_name}")
                continue
            json_name = field.json_name
            if json_name in members:
                raise Fault(f"{name} and {json_name} are one field, given twice")
        known[json_name] = item
    return known


def _refuse_two_of_one(oneofs: Sequence[frozenset[str]], values: Mapping[str, object]) -> None:
    for members in oneofs:
        if len(members & values.keys()) > 1:
            given = sorted(name for name in members if values.get(name) is not None)
            if len(given) > 1:
                raise Fault(f"expected one of {', '.join(given)}, got {len(given)}")


def _extended(message_type: type[Message], values: dict[str, object]) -> object:
    """Extensions are no constructor's arguments: with any, the message is made here."""
    extensions = {
        name: value
        for name in [*values]
        if name[0] == "[" and (value := values.pop(name)) is not None
    }
    if not extensions:
        return values
    message = message_type(**values)
    pool = descriptor_of(message_type).file.pool
    for name, value in extensions.items():
        _extend(message, pool.FindExtensionByName(name[1:-1]), value)
    return message


def _extend(message: Message, field: FieldDescriptor, value: object) -> None:
    # The stubs type extensions by the constants of generated code; here there are descriptors only.
    held = message.Extensions
    if field.message_type is None:
        if isinstance(value, list):
            held[field].extend(value)  # type: ignore[index]
        else:
            held[field] = value  # type: ignore[index,type-var]
        return
    extension_type = message_factory.GetMessageClass(field.message_type)
    if isinstance(value, list):
        made = [wellknown.message_of(extension_type, item) for item in value]
        held[field].extend(made)  # type: ignore[index]
    else:
        held[field].SetInParent()  # type: ignore[index]
        held[field].CopyFrom(wellknown.message_of(extension_type, value))  # type: ignore[index]


def descriptor_of(message_type: type[Message]) -> Descriptor:
    # The stubs name two classes for a descriptor; at run time there is one.
    return message_type.DESCRIPTOR  # type: ignore[return-value]


def map_entry(field: FieldDescriptor) -> Descriptor | None:
    """The message behind a map's entries, of fields `key` and `value`; None when it is no map."""
    entry = field.message_type
    return entry if entry is not None and entry.GetOptions().map_entry else None


def reaches_floats(descriptor: Descriptor) -> bool:
    """Whether JSON for this type may hold a float field, for which -0 is not 0."""
    seen = {descriptor}
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        if current.full_name == wellknown.ANY or current.is_extendable:
            return True
        for field in current.fields:
            if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
                return True
            if field.message_type is not None and field.message_type not in seen:
                seen.add(field.message_type)
                waiting.append(field.message_type)
    return False


def _list_reader(field: FieldDescriptor, read: Reader) -> Reader:
    _, low, high = scalars.INTEGERS.get(field.type, ("", 0, 0))
    native = _NATIVE.get(field.type) or (int if low < high else None)
    natives = {native}

    def read_list(value: object, depth: int) -> list[object]:
        if not isinstance(value, list):
            raise expected("an array", value)
        # A long list of numbers must not cost a call each (R18).
        if set(map(type, value)) == natives and (
            native is not int or (low <= min(value) and max(value) <= high)
        ):
            return value
        items: list[object] = []  # as many as were read: the index of the one at fault
        append = items.append
        try:
            for item in value:
                append(read(item, depth))
        except Fault as fault:
            fault.path.append(f"[{len(items)}]")
            raise
        return items

    return read_list


def _without_unknown_elements(read: Reader) -> Reader:
    """Leaves out the enum values that were passed over."""

    def read_known(value: object, depth: int) -> list[object]:
        items: list[object] = read(value, depth)  # type: ignore[assignment]  # as lists are read
        return [item for item in items if item is not None]

    return read_known


def _without_unknown_values(read: Reader) -> Reader:
    """Leaves out the entries whose enum value was passed over."""

    def read_known(value: object, depth: int) -> dict[object, object]:
        items: dict[object, object] = read(value, depth)  # type: ignore[assignment]  # as maps are
        return {key: item for key, item in items.items() if item is not None}

    return read_known


def _map_reader(read_key: Reader, values: FieldReader) -> Reader:
    _, native, read, _ = values

    def read_map(value: object, depth: int) -> dict[object, object]:
        if not isinstance(value, dict):
            raise expected("an object", value)
        items: dict[object, object] = {}
        key = ""
        try:
            for key, item in value.items():
                # An entry is a message too, for protobuf's parsers.
                made = item if type(item) is native else read(item, depth - 1)
                items[read_key(key, depth)] = made
        except Fault as fault:
            fault.path.append(f"[{shown(key)}]")
            raise
        if len(items) < len(value):
            raise Fault("a key is given twice")
        return items

    return read_map


def _key_reader(field: FieldDescriptor) -> Reader:
    return scalars.read_bool_text if field.type == FieldDescriptor.TYPE_BOOL else SIMPLE[field.type]
