"""Reads JSON objects as arguments of the constructors of ordinary messages.

Generated source, with a line per field that also checks numbers, reads an object that has many of
its type's fields. A loop over the members, which takes half as long again, reads all other objects,
and the members that the generated source leaves.
Rule: each member is read once. If each object read its members twice, the innermost would be read
2 ** levels times.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec import scalars, wellknown
from transcoder.codec.message_types import message_class
from transcoder.codec.repeated import NATIVE
from transcoder.codec.scalars import Fault, ValueReader, expected
from transcoder.errors import shown

FieldReader = tuple[str, type | None, ValueReader, bool]
"""Describes how a field is read: its name in the proto; the class whose instances are used as they
are, or None; the reader of all other values; True if null goes to the reader, and is not taken as
the field's absence. It is True for a list of Values too: its reader refuses null, as protobuf's
parsers do. A plain tuple: a named one takes three times as long to unpack.
"""

_Get = Callable[[str], object]
_ReadKnown = Callable[[_Get, dict[str, object], int], None]

_FIELDS_PER_MEMBER: Final = 3
"""Generated source reads an object with more than a third of its type's fields."""


class ObjectReader:
    """Reads objects of one message type; `compile` once the readers of its fields are there."""

    def __init__(
        self, descriptor: Descriptor, fields: Mapping[str, FieldReader], *, is_strict: bool
    ) -> None:
        """Makes a reader; the readers of its fields may be added until `compile`.

        Args:
            descriptor: the message type.
            fields: how each field is read, by both of its names.
            is_strict: refuse members that are no fields.
        """
        self._descriptor = descriptor
        self._message_type = message_class(descriptor)
        self._fields = fields
        self._is_strict = is_strict
        # Of two fields with one JSON name, which proto2 allows, the last one is read by it.
        self._by_json_name = {field.json_name: field for field in descriptor.fields}
        self._aliases = {
            field.name: field.json_name
            for field in descriptor.fields
            if field.name not in self._by_json_name  # it would be another field's JSON name
        }
        self._oneofs = [
            frozenset(field.name for field in oneof.fields)
            for oneof in descriptor.oneofs
            if len(oneof.fields) > 1  # the one behind an `optional` field holds that field alone
        ]
        self._known_min = len(descriptor.fields) // _FIELDS_PER_MEMBER + 1
        self._read_known: _ReadKnown = _read_none

    def compile(self) -> None:
        readers = {
            f"read_{field.number}": self._fields[name][2]
            for name, field in self._by_json_name.items()
        }
        lines = ["def read_known(get, values, below):"]
        for name, field in self._by_json_name.items():
            lines += [
                f"    if (v := get({name!r})) is not None:",
                f"        values[{field.name!r}] = {_expression(field)}",
            ]
        lines.append("    return")
        source = "\n".join(lines)
        # The source has names from the descriptor only, as literals.
        exec(compile(source, f"<reader of {self._descriptor.full_name}>", "exec"), readers)  # noqa: S102
        self._read_known = readers["read_known"]  # type: ignore[assignment]  # made by the line before

    def read(self, value: object, depth: int) -> object:
        """Returns the arguments of the message's constructor; raises Fault."""
        if type(value) is not dict:
            raise expected("an object", value)
        if depth < 1:
            raise scalars.too_deep()
        values: dict[str, object] = {}
        if len(value) >= self._known_min:
            try:
                self._read_known(value.get, values, depth - 1)
            except Fault as fault:
                fault.path.append(self._first_unread(value, values))
                raise
        if len(values) < len(value):
            self._read_rest(value, values, depth - 1)
        if self._oneofs:
            _refuse_two_of_one(self._oneofs, values)
        if self._descriptor.is_extendable:
            return _extended(self._message_type, values)
        return values

    def _read_rest(
        self, members: Mapping[str, object], values: dict[str, object], depth: int
    ) -> None:
        """Reads the members that are left: nulls, proto names, extensions, unknown ones, or all."""
        fields = self._fields
        name = ""
        unknown: str | None = None
        try:
            for name, item in members.items():
                field = fields.get(name)
                if field is None:
                    unknown = name
                    continue
                attribute, native, read_item, takes_null = field
                if type(item) is native:
                    values[attribute] = item
                elif (item is not None or takes_null) and attribute not in values:
                    values[attribute] = read_item(item, depth)
        except Fault as fault:
            fault.path.append(name)
            raise
        if unknown is not None and self._is_strict:
            raise Fault(f"{shown(unknown)} is no field of {self._descriptor.full_name}")
        if len(values) < len(members):
            _refuse_two_names(self._aliases, members)

    def _first_unread(self, members: Mapping[str, object], values: Mapping[str, object]) -> str:
        """Returns the member whose reader failed: members are read in the order of the fields."""
        return next(
            name
            for name, field in self._by_json_name.items()
            if members.get(name) is not None and field.name not in values
        )


def _read_none(get: _Get, values: dict[str, object], below: int) -> None:
    """Reads nothing; replaced when the reader is compiled."""


def _expression(field: FieldDescriptor) -> str:
    """Returns source that reads the value `v` of a field; `v` is not None."""
    read = f"read_{field.number}(v, below)"
    if field.is_repeated:
        return read
    if field.type in scalars.INTEGERS:
        _, low, high = scalars.INTEGERS[field.type]
        return f"v if type(v) is int and {low} <= v <= {high} else {read}"
    native = NATIVE.get(field.type)
    return read if native is None else f"v if type(v) is {native.__name__} else {read}"


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
    """Returns the message if it has extensions, which no constructor takes; else the arguments."""
    extensions = {
        name: value
        for name in [*values]
        if name[0] == "[" and (value := values.pop(name)) is not None
    }
    if not extensions:
        return values
    message = message_type(**values)
    pool = message_type.DESCRIPTOR.file.pool
    for name, value in extensions.items():
        # The stubs name two classes for a descriptor; at run time there is one.
        _extend(message, pool.FindExtensionByName(name[1:-1]), value)  # type: ignore[arg-type]
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
    extension_type = message_class(field.message_type)
    if isinstance(value, list):
        made = [wellknown.message_of(extension_type, item) for item in value]
        held[field].extend(made)  # type: ignore[index]
    else:
        extension_type.SetInParent(held[field])  # type: ignore[index]
        extension_type.CopyFrom(held[field], wellknown.message_of(extension_type, value))  # type: ignore[index]
