"""Reads JSON objects into ordinary messages.

A generated function, with a line or two per field, reads nearly all objects. For a message with an
int32 `size` and a message `details` it is

    def read_message(m, value, depth):
        if type(value) is not dict or depth < 1:
            raise unreadable(value)
        if len(value) <= 0:
            return read_few(m, value, depth - 1)
        get = value.get
        count = 0
        try:
            if (v := get('size')) is not None:
                m.size = v if type(v) is int else read_1(v, depth - 1)
                count += 1
            if (v := get('details')) is not None:
                read_2(held := m.details, v, depth - 1)
                set_in_parent_2(held)
                count += 1
        except ValueError:
            read_few(m, value, depth - 1)
            raise
        except Fault as fault:
            fault.path.append(member(value, count))
            raise
        if count < len(value):
            read_rest(m, value, depth - 1)

A loop over the members reads objects with few of many fields, and the members that the function
leaves: nulls, proto names, extensions, unknown names. The ranges of integers are left to protobuf,
and what is no number to int(): after their ValueError the loop reads all members, which finds the
fault.
Rule: each member is read once, but for an object with such a fault of its own. If each object read
its members twice, the innermost would be read 2 ** levels times.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from transcoder.codec import scalars
from transcoder.codec.field_readers import FieldReader, source_of
from transcoder.codec.message_types import MessageReader, message_class
from transcoder.codec.scalars import Fault, expected
from transcoder.codec.source import function
from transcoder.errors import shown

_FIELDS_PER_MEMBER: Final = 16
"""The loop reads objects with at most a member for so many fields: it costs some 150 ns more for a
member, and 20 ns less for a field that is not there."""


class ObjectReader:
    """Reads objects of one message type.

    Attributes:
        read: the generated function; works once `link` has been called.
    """

    def __init__(self, descriptor: Descriptor, *, is_strict: bool) -> None:
        """Generates the function.

        Args:
            descriptor: the message type.
            is_strict: refuse members that are no fields.
        """
        self._descriptor = descriptor
        self._is_strict = is_strict
        # Of two fields with one JSON name, which proto2 allows, the last one is read by it.
        self._by_json_name = {field.json_name: field for field in descriptor.fields}
        self._aliases = {
            field.name: field.json_name
            for field in descriptor.fields
            if field.name not in self._by_json_name  # it would be another field's JSON name
            and self._by_json_name[field.json_name].name == field.name
        }
        self._oneofs = [
            oneof
            for oneof in descriptor.oneofs
            if len(oneof.fields) > 1  # the one behind an `optional` field holds that field alone
        ]
        self._rivals: list[dict[str, FieldReader]] = []
        """The readers of each oneof's members, by name."""
        self._members: dict[str, tuple[MessageReader, bool, str]] = {}
        """By name: the reader, True if it takes null, and the field's JSON name if it is another.
        Plain tuples: named ones take three times as long to unpack."""
        self._namespace: dict[str, Any] = {
            "Fault": Fault,
            "unreadable": _unreadable,
            "read_few": self._read_few,
            "read_rest": self._read_rest,
            "member": self._member,
            "refuse_two_of_one": self._refuse_two_of_one,
        }
        self.read: Final[MessageReader] = function(
            f"reader of {descriptor.full_name}",
            "read_message(m, value, depth)",
            self._body(),
            self._namespace,
        )

    def _body(self) -> list[str]:
        few_max = len(self._descriptor.fields) // _FIELDS_PER_MEMBER
        body = [
            "if type(value) is not dict or depth < 1:",
            "    raise unreadable(value)",
            f"if len(value) <= {few_max}:",
            "    return read_few(m, value, depth - 1)",
            "get = value.get",
            "count = rivals = 0" if self._oneofs else "count = 0",
            "try:",
        ]
        for name, field in self._by_json_name.items():
            body.append(f"    if (v := get({name!r})) is not None:")
            body += [f"        {line}" for line in (*source_of(field), "count += 1")]
            if field.containing_oneof in self._oneofs:
                body.append("        rivals += 1")
        if not self._by_json_name:
            body.append("    pass")
        body += [
            "except ValueError:",
            "    read_few(m, value, depth - 1)",
            "    raise",
            "except Fault as fault:",
            "    fault.path.append(member(value, count))",
            "    raise",
            "if count < len(value):",
            "    read_rest(m, value, depth - 1)",
        ]
        if self._oneofs:
            body += ["elif rivals > 1:", "    refuse_two_of_one(value)"]
        return body

    def link(self, readers: Mapping[str, FieldReader]) -> None:
        """Adds the readers of the fields, by both of their names, and of extensions."""
        self._members = {
            name: (reader.set, reader.takes_null, self._aliases.get(name, ""))
            for name, reader in readers.items()
        }
        for name, field in self._by_json_name.items():
            self._namespace[f"read_{field.number}"] = readers[name].read
            if field.message_type is not None:
                message_type = message_class(field.message_type)
                self._namespace[f"set_in_parent_{field.number}"] = message_type.SetInParent
        self._rivals = [
            {name: reader for name, reader in readers.items() if reader.field in oneof.fields}
            for oneof in self._oneofs
        ]

    def _read_few(self, message: Message, value: Mapping[str, object], below: int) -> None:
        self._read_members(message, value, value, below)
        self._refuse_two_of_one(value)

    def _read_rest(self, message: Message, value: Mapping[str, object], below: int) -> None:
        """Reads the members that the generated function leaves."""
        known = self._by_json_name
        rest = {name: item for name, item in value.items() if item is None or name not in known}
        self._read_members(message, rest, value, below)
        self._refuse_two_of_one(value)

    def _read_members(
        self,
        message: Message,
        members: Mapping[str, object],
        value: Mapping[str, object],
        below: int,
    ) -> None:
        """Reads those members of an object."""
        find = self._members.get
        name = ""
        unknown: str | None = None
        twice: tuple[str, str] | None = None
        try:
            for name, item in members.items():
                found = find(name)
                if found is None:
                    unknown = name
                    continue
                read, takes_null, json_name = found
                if json_name and json_name in value:
                    twice = name, json_name
                elif item is not None or takes_null:
                    read(message, item, below)
        except Fault as fault:
            fault.path.append(name)
            raise
        if unknown is not None and self._is_strict:
            raise Fault(f"{shown(unknown)} is no field of {self._descriptor.full_name}")
        if twice is not None:
            raise Fault(f"{twice[0]} and {twice[1]} are one field, given twice")

    def _member(self, value: Mapping[str, object], count: int) -> str:
        """Returns the member that the generated function failed on, after it had read `count`."""
        names = [name for name in self._by_json_name if value.get(name) is not None]
        return names[count]

    def _refuse_two_of_one(self, value: Mapping[str, object]) -> None:
        for rivals in self._rivals:
            names = rivals.keys() & value.keys()
            if len(names) > 1:
                given = {
                    rivals[name].field.name for name in names if rivals[name].is_set_by(value[name])
                }
                if len(given) > 1:
                    raise Fault(f"expected one of {', '.join(sorted(given))}, got {len(given)}")


def _unreadable(value: object) -> Fault:
    return scalars.too_deep() if type(value) is dict else expected("an object", value)
