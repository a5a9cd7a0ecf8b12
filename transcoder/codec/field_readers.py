"""Reads JSON values into fields of messages, by a reader for each form of a field.

The forms are a value, a wrapper, a message, a list of values or messages, and a map. Each form has
a function that sets the field, and source for the function that message.py generates, which does
the same faster: it also checks a value that is read as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec import scalars, structs
from transcoder.codec.message_types import MessageReader, message_class
from transcoder.codec.repeated import NATIVE, ContainerReader
from transcoder.codec.scalars import ValueReader
from transcoder.codec.source import get_source, set_source
from transcoder.codec.wellknown import WRAPPERS

_AS_IS: Final[Mapping[int, type]] = {
    **NATIVE,
    **{kind: int for kind, (_, _, high) in scalars.INTEGERS.items() if high < scalars.FLOAT_EXACT},
}
"""The class whose JSON values protobuf takes, or refuses by ValueError, by type of field."""


@dataclass(frozen=True, slots=True)
class FieldReader:
    """A compiled reader of a field.

    Attributes:
        field: the field.
        set: reads a JSON value and sets the field of a message.
        read: the function that the field's source calls.
    """

    field: FieldDescriptor
    set: MessageReader
    read: Callable[..., object]

    @property
    def takes_null(self) -> bool:
        """True if null is read too, and is not taken as the field's absence.

        It is for a list of Values too: its reader refuses null, as protobuf's parsers do.
        """
        of = self.field.enum_type or self.field.message_type
        return of is not None and of.full_name in (scalars.NULL_VALUE, structs.VALUE)

    def is_set_by(self, value: object) -> bool:
        """True if a value sets the field: null does not, nor does an unknown name of an enum."""
        if value is None and not self.takes_null:
            return False
        return self.field.enum_type is None or self.read(value, 0) is not None


def value_field(field: FieldDescriptor, read: ValueReader) -> FieldReader:
    put = _setter(field)
    native = NATIVE.get(field.type)

    def set_value(message: Message, value: object, depth: int) -> None:
        put(message, value if type(value) is native else read(value, depth))

    return FieldReader(field, set_value, read)


def enum_field(field: FieldDescriptor, read: ValueReader) -> FieldReader:
    """Returns a reader that sets nothing if `read` returns None, for an unknown name."""
    put = _setter(field)

    def set_enum(message: Message, value: object, depth: int) -> None:
        number = read(value, depth)
        if number is not None:
            put(message, number)

    return FieldReader(field, set_enum, read)


def wrapper_field(field: FieldDescriptor, read_held: ValueReader) -> FieldReader:
    get = _getter(field)

    def set_wrapper(message: Message, value: object, depth: int) -> None:
        get(message).value = read_held(value, depth)

    return FieldReader(field, set_wrapper, read_held)


def message_field(field: FieldDescriptor, of: Descriptor, read: MessageReader) -> FieldReader:
    get = _getter(field)
    set_in_parent = message_class(of).SetInParent

    def set_message(message: Message, value: object, depth: int) -> None:
        held = get(message)
        read(held, value, depth)
        set_in_parent(held)

    return FieldReader(field, set_message, read)


def list_field(field: FieldDescriptor, read: ValueReader) -> FieldReader:
    get = _getter(field)

    def set_list(message: Message, value: object, depth: int) -> None:
        get(message).extend(read(value, depth))

    return FieldReader(field, set_list, read)


def container_field(field: FieldDescriptor, read: ContainerReader) -> FieldReader:
    """Returns a reader of a list of messages, or of a map."""
    get = _getter(field)

    def set_container(message: Message, value: object, depth: int) -> None:
        read(get(message), value, depth)

    return FieldReader(field, set_container, read)


def source_of(field: FieldDescriptor) -> list[str]:
    """Returns source that reads `v`, which is not null, into a field of `m`.

    It calls the field's `read` as `read_N`, N its number, and for messages `SetInParent` of their
    class as `set_in_parent_N`.
    """
    read = f"read_{field.number}"
    held = get_source(field)
    message_type = field.message_type
    if field.is_repeated and message_type is not None:
        return [f"{read}({held}, v, depth - 1)"]
    if field.is_repeated:
        return [f"{held}.extend({_list_source(field, read)})"]
    if field.enum_type is not None:
        return [f"if (v := {read}(v, depth - 1)) is not None:", f"    {set_source(field, 'v')}"]
    if message_type is None:
        return [set_source(field, _value_source(field, read))]
    if message_type.full_name in WRAPPERS:
        value = message_type.fields_by_name["value"]
        return [f"{held}.value = {_value_source(value, read)}"]
    return [f"{read}(held := {held}, v, depth - 1)", f"set_in_parent_{field.number}(held)"]


def _value_source(field: FieldDescriptor, read: str) -> str:
    """Returns source of the value of a field, from the JSON value `v`."""
    slow = f"{read}(v, depth - 1)"
    if field.type in _AS_IS:
        return f"v if type(v) is {_AS_IS[field.type].__name__} else {slow}"
    if field.type in scalars.INTEGERS:  # of 64 bits: its JSON is a string
        return f"i if type(v) is str and f'{{(i := int(v))}}' == v else {slow}"
    if field.type == field.TYPE_FLOAT:
        limit = scalars.FLOAT32_LIMIT
        return f"v if type(v) is float and {-limit!r} < v < {limit!r} else {slow}"
    return slow


def _list_source(field: FieldDescriptor, read: str) -> str:
    """Returns source of the values of a list, from the JSON value `v`."""
    slow = f"{read}(v, depth - 1)"
    if field.type not in _AS_IS:
        return slow
    native = _AS_IS[field.type].__name__
    return f"v if type(v) is list and {{*map(type, v)}} == {{{native}}} else {slow}"


def _getter(field: FieldDescriptor) -> Callable[[Message], Any]:
    # The stubs type extensions by the constants of generated code; here there are descriptors only.
    if field.is_extension:
        return lambda message: message.Extensions[field]  # type: ignore[index]
    return attrgetter(field.name)


def _setter(field: FieldDescriptor) -> Callable[[Message, object], None]:
    if field.is_extension:
        return lambda message, value: message.Extensions.__setitem__(field, value)  # type: ignore[index,type-var]
    name = field.name
    return lambda message, value: setattr(message, name, value)
