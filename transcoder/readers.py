"""What turns parsed JSON into what a message's constructor takes, one function per message type.

The constructors of protobuf's C implementation take a whole tree of dicts and lists, skip None, and
are several times faster than setting field by field: so a reader makes that tree, and the message
is made once, from the top; of lists and maps, by containers.py. Follows protobuf.dev, "ProtoJSON
Format".
Rule 1: every value is checked here: a constructor sees none that it would refuse or convert.
Rule 2: what is compiled is published whole and never changes after.
"""

import threading
from collections.abc import Mapping, Sequence

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder import scalars, structs, wellknown
from transcoder.containers import NATIVE, list_reader, map_reader
from transcoder.errors import shown
from transcoder.scalars import Fault, Reader, expected
from transcoder.wellknown import Resolved

SIMPLE: Mapping[int, Reader] = {
    FieldDescriptor.TYPE_STRING: scalars.read_string,
    FieldDescriptor.TYPE_BOOL: scalars.read_bool,
    FieldDescriptor.TYPE_DOUBLE: scalars.read_double,
    FieldDescriptor.TYPE_FLOAT: scalars.read_float,
    FieldDescriptor.TYPE_BYTES: scalars.read_bytes,
} | {kind: scalars.integer_reader(*bounds) for kind, bounds in scalars.INTEGERS.items()}


FieldReader = tuple[str, type | None, Reader, bool]
"""How one field is read: its name in the proto; the class whose instances are values as they are,
None where all are to be read; the reader of all other values; and whether null is read, and not
taken as the field's absence. So it is for a list of Values too, which then refuses it, as
protobuf's own parsers do. A plain tuple: a named one takes three times as long to unpack.
"""


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
        readers = [(field, self._field(field, pending)) for field in descriptor.fields]
        fields |= {field.name: reader for field, reader in readers}
        fields |= {field.json_name: reader for field, reader in readers}
        if descriptor.is_extendable:
            for extension in descriptor.file.pool.FindAllExtensions(descriptor):
                name = f"[{extension.full_name}]"
                fields[name] = (name, *self._field(extension, pending)[1:])
        return read

    def _special(self, descriptor: Descriptor, pending: dict[Descriptor, Reader]) -> Reader | None:
        name = descriptor.full_name
        if name in wellknown.TEXTUAL:
            return wellknown.TEXTUAL[name]
        if name in wellknown.WRAPPERS:
            _, _, read_held, _ = self._field(descriptor.fields_by_name["value"], pending)
            return lambda value, depth: {"value": read_held(value, depth)}
        if name == wellknown.ANY:
            return wellknown.any_reader(self._resolve)
        if name in structs.READERS:
            return structs.READERS[name](message_factory.GetMessageClass(descriptor))
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
            key = entry.fields_by_name["key"]
            read_key = scalars.read_bool_text if key.type == key.TYPE_BOOL else SIMPLE[key.type]
            _, _, read, _ = self._field(entry.fields_by_name["value"], pending)
            return field.name, None, map_reader(entry, read_key, read), False
        takes_null = False
        if field.message_type is not None:
            read = self._compile(field.message_type, pending)
            takes_null = field.message_type.full_name == structs.VALUE
        elif field.enum_type is not None:
            read = scalars.enum_reader(field.enum_type, passes_over=not self._strict)
            takes_null = field.enum_type.full_name == scalars.NULL_VALUE
        else:
            read = SIMPLE[field.type]
        if field.is_repeated:
            return field.name, None, list_reader(field, read), takes_null
        return field.name, NATIVE.get(field.type), read, takes_null

    def _object_reader(self, descriptor: Descriptor, fields: Mapping[str, FieldReader]) -> Reader:
        """The reader of an ordinary message; `fields`, by both names, is filled afterwards."""
        message_type = message_factory.GetMessageClass(descriptor)
        json_names = {field.json_name for field in descriptor.fields}
        aliases = {
            field.name: field.json_name
            for field in descriptor.fields
            if field.name not in json_names  # where it is one, it is that field's
        }
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
                raise scalars.too_deep()
            values: dict[str, object] = {}
            name = ""
            below = depth - 1
            try:
                for name, item in value.items():
                    attribute, native, read_item, takes_null = fields[name]
                    if type(item) is native:
                        values[attribute] = item
                    elif item is not None or takes_null:
                        values[attribute] = read_item(item, below)
            except KeyError:
                if is_strict:
                    problem = f"{shown(name)} is no field of {descriptor.full_name}"
                    raise Fault(problem) from None
                # Rare enough to begin again.
                return read({name: value[name] for name in value if name in fields}, depth)
            except Fault as fault:
                fault.path.append(name)
                raise
            if len(values) < len(value):
                _refuse_two_names(aliases, value)
            if oneofs:
                _refuse_two_of_one(oneofs, values)
            return _extended(message_type, values) if is_extendable else values

        return read


def _refuse_two_names(aliases: Mapping[str, str], members: Mapping[str, object]) -> None:
    for name in aliases.keys() & members.keys():
        if aliases[name] in members:
            raise Fault(f"{name} and {aliases[name]} are one field, given twice")


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
