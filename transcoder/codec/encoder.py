"""Turns messages into values that orjson writes, by a generated function per message type.

Reading an attribute is most of the work, so a writer is straight-line source with the names in it:
measured at 0.6 of the time of the same steps as a loop over a table of fields. For a message with a
string `id`, an int64 `count` and a message `details` the source is

    def write_0(m):
        out = {}
        if v := m.id:
            out['id'] = v
        if v := m.count:
            out['count'] = f'{v}'
        if write_0_has(m, 'details'):
            v = m.details
            out['details'] = write_1(v)
        return out

For a type with many fields the source is a loop over the fields that are set: asking for each unset
field would cost more than all else.
Only names from descriptors are in the source, as attributes or literals. Methods are looked up on
the class: a field may have the same name.
Follows protobuf.dev, "ProtoJSON Format"; fields stand in the order of their numbers.
"""

import binascii
import itertools
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as a_field
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec import scalars, structs, wellknown
from transcoder.codec.message_types import TypePool, map_entry, message_class
from transcoder.codec.scalars import Fault
from transcoder.codec.source import function, get_source
from transcoder.codec.wellknown import Resolved, ValueWriter
from transcoder.options import JsonOptions

_WRITERS: Final[Mapping[str, Callable[..., object]]] = {
    **{name: form.write for name, form in wellknown.TEXTUAL.items()},
    **{name: form.write for name, form in structs.STRUCT_FORMS.items()},
}


_AS_IS: Final = "v"
_QUOTED: Final = "f'{v}'"
_SCALAR: Final[Mapping[int, str]] = {
    FieldDescriptor.TYPE_INT64: _QUOTED,
    FieldDescriptor.TYPE_SINT64: _QUOTED,
    FieldDescriptor.TYPE_SFIXED64: _QUOTED,
    FieldDescriptor.TYPE_UINT64: _QUOTED,
    FieldDescriptor.TYPE_FIXED64: _QUOTED,
    FieldDescriptor.TYPE_BYTES: "b2a_base64(v, newline=False).decode()",
    FieldDescriptor.TYPE_DOUBLE: "v if isfinite(v) else float_word(v)",
    FieldDescriptor.TYPE_FLOAT: "shortest_float(v)",
}
"""Source that makes JSON of one value, `v`."""
WIDE_MIN: Final = 48
"""Min cost of asking all fields of a type, in units of 50 ns, for a loop over its set fields."""
_LIST_COST: Final = 3
"""Cost of asking for a repeated field, where a scalar costs 1."""
_KEY_SOURCE: Final[Mapping[int, str]] = {
    FieldDescriptor.TYPE_STRING: "k",
    FieldDescriptor.TYPE_BOOL: "'true' if k else 'false'",
}


@dataclass(frozen=True, slots=True)
class _EncoderBatch:
    """Writers that are compiled together; all are published at once, or none."""

    names: dict[Descriptor | EnumDescriptor, str] = a_field(default_factory=dict)
    namespace: dict[str, object] = a_field(default_factory=dict)
    writers: dict[Descriptor, ValueWriter] = a_field(default_factory=dict)
    waiting: list[tuple[Descriptor, str]] = a_field(default_factory=list)
    """Types that have a name and no writer yet."""


class EncoderCompiler:
    """Compiled writers by message type, for one pool; compiling is safe from several threads."""

    def __init__(self, pool: TypePool, options: JsonOptions) -> None:
        self._pool = pool
        self._options = options
        self._done: dict[Descriptor, ValueWriter] = {}
        self._resolved: dict[str, Resolved[ValueWriter]] = {}
        self._values: dict[FieldDescriptor, Callable[[object], object]] = {}
        self._names: dict[Descriptor | EnumDescriptor, str] = {}
        self._numbers = itertools.count()
        self._namespace: dict[str, object] = {
            "b2a_base64": binascii.b2a_base64,
            "float_word": scalars.float_word,
            "shortest_float": scalars.shortest_float,
            "copysign": math.copysign,
            "isfinite": math.isfinite,
            "extensions": self._extensions,
        }
        self._lock = threading.Lock()

    def message(self, descriptor: Descriptor) -> ValueWriter:
        write = self._done.get(descriptor)
        if write is None:
            with self._lock:
                batch = _EncoderBatch()
                self._name_of(descriptor, batch)
                self._publish(batch)
            write = self._done[descriptor]
        return write

    def value(self, field: FieldDescriptor) -> Callable[[object], object]:
        """Returns a writer of one field's value."""
        write = self._values.get(field)
        if write is None:
            with self._lock:
                batch = _EncoderBatch()
                write = self._value_function(field, batch)
                self._publish(batch)
                self._values[field] = write
        return write

    def _publish(self, batch: "_EncoderBatch") -> None:
        """Compiles the waiting types and those that they reach; a loop, as types nest deeply."""
        while batch.waiting:
            descriptor, name = batch.waiting.pop()
            write = self._special(descriptor)
            if write is None:
                body = self._body(descriptor, name, batch)
                write = self._function("m", descriptor.full_name, *body)
            batch.namespace[name] = batch.writers[descriptor] = write
        # Only now: another thread must not get a writer whose callees are missing.
        self._names.update(batch.names)
        self._namespace.update(batch.namespace)
        self._done.update(batch.writers)

    def _name_of(self, descriptor: Descriptor, batch: "_EncoderBatch") -> str:
        """Returns the name of a type's writer in generated source; queues a new type."""
        name = self._names.get(descriptor) or batch.names.get(descriptor)
        if name is None:
            name = batch.names[descriptor] = f"write_{next(self._numbers)}"
            batch.waiting.append((descriptor, name))
        return name

    def _special(self, descriptor: Descriptor) -> Callable[..., object] | None:
        if descriptor.full_name == wellknown.ANY:
            return wellknown.any_writer(self.resolve)
        return _WRITERS.get(descriptor.full_name)

    def resolve(self, url: str) -> Resolved[ValueWriter]:
        """Returns the type that a type URL names; raises Fault if it is unknown."""
        name = wellknown.type_name_of(url)
        resolved = self._resolved.get(name)
        if resolved is None:
            try:
                descriptor = self._pool.FindMessageTypeByName(name)
            except KeyError:
                raise Fault(f"an Any of an unknown type: {name}") from None
            write = self.message(descriptor)
            resolved = Resolved(message_class(descriptor), write, name in wellknown.SPECIAL)
            self._resolved[name] = resolved
        return resolved

    def forget_types(self) -> None:
        """Has the types that type URLs name looked up again."""
        self._resolved.clear()

    def _function(self, parameter: str, of: str, *body: str) -> Callable[..., object]:
        return function(f"writer of {of}", f"write({parameter})", body, self._namespace)

    def _body(self, descriptor: Descriptor, name: str, batch: "_EncoderBatch") -> list[str]:
        if descriptor.full_name in wellknown.WRAPPERS:
            held = descriptor.fields_by_name["value"]
            return [f"v = {get_source(held)}", f"return {self._one(held, batch)}"]
        message_type = message_class(descriptor)
        body = ["out = {}"]
        if _cost_unset(descriptor) >= WIDE_MIN and not self._options.emit_defaults:
            batch.namespace[f"{name}_set"] = message_type.ListFields
            batch.namespace[f"{name}_fields"] = self._members(descriptor, batch)
            body += [
                f"for field, v in {name}_set(m):",
                f"    member = {name}_fields.get(field)",
                "    if member is not None:",
                "        out[member[0]] = member[1](v)",
            ]
        else:
            if any(field.has_presence for field in descriptor.fields):
                batch.namespace[f"{name}_has"] = message_type.HasField
            for field in sorted(descriptor.fields, key=lambda field: field.number):
                body += self._member(field, f"{name}_has", batch)
        if descriptor.is_extendable:
            body.append("out.update(extensions(m))")
        return [*body, "return out"]

    def _members(
        self, descriptor: Descriptor, batch: "_EncoderBatch"
    ) -> dict[FieldDescriptor, tuple[str, Callable[[object], object]]]:
        members = {}
        for field in descriptor.fields:
            members[field] = (self._json_name(field), self._value_function(field, batch))
        return members

    def _value_function(
        self, field: FieldDescriptor, batch: "_EncoderBatch"
    ) -> Callable[[object], object]:
        body = self._writing(field, "made", batch)
        return self._function(_variable(field), field.full_name, *body, "return made")

    def _json_name(self, field: FieldDescriptor) -> str:
        return field.name if self._options.proto_names else field.json_name

    def _member(self, field: FieldDescriptor, has: str, batch: "_EncoderBatch") -> list[str]:
        """Returns source that writes a field; `has` is the name of its message's HasField."""
        read, variable = get_source(field), _variable(field)
        target = f"out[{self._json_name(field)!r}]"
        of = field.message_type
        if of is not None and of.full_name in wellknown.WRAPPERS and field.has_presence:
            write = [f"{target} = {self._one(of.fields_by_name['value'], batch)}"]
            return _under(f"if {has}(m, {field.name!r}):", f"v = {read}.value", *write)
        write = self._writing(field, target, batch)
        if field.has_presence:
            if of is not None or field.enum_type is not None or field.default_value:
                return _under(f"if {has}(m, {field.name!r}):", f"v = {read}", *write)
            # A value that is not the default is present: only a default needs HasField.
            return _under(f"if (v := {read}) or {has}(m, {field.name!r}):", *write)
        if self._options.emit_defaults:
            return [f"{variable} = {read}", *write]
        if field.cpp_type in scalars.FLOAT_CPPTYPES and not field.is_repeated:
            return [f"v = {read}", *_under("if v or copysign(1, v) < 0:", *write)]
        return _under(f"if {variable} := {read}:", *write)

    def _writing(self, field: FieldDescriptor, target: str, batch: "_EncoderBatch") -> list[str]:
        """Returns source that sets `target` to JSON of a field's value, which is in `_variable`."""
        if (entry := map_entry(field)) is not None:
            key = _KEY_SOURCE.get(entry.fields_by_name["key"].type, "f'{k}'")
            one = self._one(entry.fields_by_name["value"], batch)
            # A comprehension would make a function per message.
            return [
                f"{target} = part = {{}}",
                "for k in held:",
                "    v = held[k]",
                f"    part[{key}] = {one}",
            ]
        one = self._one(field, batch)
        if not field.is_repeated:
            return [f"{target} = {one}"]
        # A slice copies all elements at once, in C, which is faster than iterating.
        if one == _AS_IS:
            return [f"{target} = held[:]"]
        if field.enum_type is not None and field.enum_type.full_name != scalars.NULL_VALUE:
            return [f"{target} = [*map({self._enum_names(field.enum_type, batch)}, held[:])]"]
        return [f"{target} = part = []", "for v in held[:]:", f"    part.append({one})"]

    def _one(self, field: FieldDescriptor, batch: "_EncoderBatch") -> str:
        """Returns source of one value, `v`: of an element, if the field is repeated."""
        if field.message_type is not None:
            return f"{self._name_of(field.message_type, batch)}(v)"
        if field.enum_type is None:
            return _SCALAR.get(field.type, _AS_IS)
        if field.enum_type.full_name == scalars.NULL_VALUE:
            return "None"
        if self._options.enums_as_ints:
            return _AS_IS
        return f"{self._enum_names(field.enum_type, batch)}(v)"

    def _enum_names(self, enum: EnumDescriptor, batch: "_EncoderBatch") -> str:
        name = self._names.get(enum) or batch.names.get(enum)
        if name is None:
            name = batch.names[enum] = f"name_{next(self._numbers)}"
            # Of several names for one number the first counts.
            names = _NumberOrName((v.number, v.name) for v in reversed(enum.values))
            batch.namespace[name] = names.__getitem__
        return name

    def _extensions(self, message: Message) -> dict[str, object]:
        return {
            f"[{field.full_name}]": self.value(field)(value)
            for field, value in type(message).ListFields(message)
            if field.is_extension
        }


class _NumberOrName(dict[int, int | str]):
    """Names by number; a number without one stands for itself."""

    def __missing__(self, number: int) -> int:
        return number


def _cost_unset(descriptor: Descriptor) -> int:
    """Returns the cost of asking for each field, if none is set."""
    return sum(_LIST_COST if field.is_repeated else 1 for field in descriptor.fields)


def _under(head: str, *lines: str) -> list[str]:
    """Returns lines of source, indented under a head."""
    return [head, *(f"    {line}" for line in lines)]


def _variable(field: FieldDescriptor) -> str:
    """Returns the variable of a field's value; not `v` if it is repeated, whose elements use it."""
    return "held" if field.is_repeated else "v"
