"""Makes the JSON Schema of messages and enums, each once and by reference.

Follows protobuf.dev, "ProtoJSON Format", and JSON Schema 2020-12. A type is a component under its
full name, so types may contain themselves.
Rule: types nest without limit, so nothing here is recursive.
"""

from collections.abc import Collection, Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.struct_pb2 import NullValue

from transcoder.codec.message_types import map_entry
from transcoder.openapi.annotations import FieldNotes, is_required_oneof, notes_of
from transcoder.openapi.comments import Comments
from transcoder.openapi.openapiv2 import enum_notes, message_notes
from transcoder.openapi.resources import resource_notes
from transcoder.openapi.values import MAP_KEYS, SCALARS, SPECIAL, Schema
from transcoder.options import JsonOptions

_NULL_VALUE: Final = NullValue.DESCRIPTOR.full_name
_REFERENCE: Final = "#/components/schemas/"


class Schemas:
    """The schemas of one document.

    Attributes:
        components: schemas of messages and enums, by full name; `complete` adds what they reach.
    """

    def __init__(self, json: JsonOptions, comments: Comments) -> None:
        """Starts empty.

        Args:
            json: how messages are written.
            comments: describe messages, fields and enums.
        """
        self.components: Final[dict[str, Schema]] = {}
        self._json = json
        self._comments = comments
        self._waiting: list[Descriptor] = []
        self._fields: dict[FieldDescriptor, Schema] = {}
        self._notes: dict[FieldDescriptor, FieldNotes] = {}

    def name_of(self, field: FieldDescriptor) -> str:
        """Returns the name of a field in JSON."""
        return field.name if self._json.proto_names else field.json_name

    def of_message(self, message: Descriptor) -> Schema:
        """Returns the schema of a message."""
        special = SPECIAL.get(message.full_name)
        if special is not None:
            return dict(special)
        if message.full_name not in self.components:
            self.components[message.full_name] = {}
            self._waiting.append(message)
        return {"$ref": _REFERENCE + message.full_name}

    def of_one(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of one value of a field, of an element if it is repeated."""
        if field.message_type is not None:
            return self.of_message(field.message_type)
        if field.enum_type is not None:
            return self._of_enum(field.enum_type)
        return dict(SCALARS[field.type])

    def of_field(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of a field, with what its rules and its comment say."""
        made = self._fields.get(field)
        if made is None:
            made = self._fields[field] = self._described(field)
        return dict(made)

    def is_required(self, field: FieldDescriptor) -> bool:
        """True if each message has the field."""
        return self._notes_of(field).is_required

    def requires_any(self, message: Descriptor, *, without: Collection[str] = ()) -> bool:
        """True if the message without fields is refused; `without` are not looked at."""
        fields = [field for field in message.fields if field.name not in without]
        oneofs = [oneof for oneof in message.oneofs if {*oneof.fields} <= {*fields}]
        return any(map(self.is_required, fields)) or any(map(is_required_oneof, oneofs))

    def of_fields(self, message: Descriptor, *, without: Collection[str] = ()) -> Schema:
        """Returns the schema of an object of the fields of a message.

        Args:
            message: its type.
            without: names of fields that the object does not have.
        """
        fields = [field for field in message.fields if field.name not in without]
        schema: Schema = {"type": "object"}
        comment = self._comments.description(message.full_name)
        if comment:
            schema["description"] = comment
        if message.GetOptions().deprecated:
            schema["deprecated"] = True
        if fields:
            schema["properties"] = {self.name_of(field): self.of_field(field) for field in fields}
        notes = resource_notes(message) | message_notes(message)
        named = notes.pop("required", ())
        required = [
            self.name_of(field)
            for field in fields
            if self.is_required(field) or field.name in named or field.json_name in named
        ]
        if required:
            schema["required"] = required
        return schema | self._of_oneofs(message, without) | notes

    def complete(self) -> None:
        """Adds the components that the schemas made so far reach."""
        while self._waiting:
            message = self._waiting.pop()
            self.components[message.full_name] = self.of_fields(message)

    def _notes_of(self, field: FieldDescriptor) -> FieldNotes:
        notes = self._notes.get(field)
        if notes is None:
            notes = self._notes[field] = notes_of(field)
        return notes

    def _described(self, field: FieldDescriptor) -> Schema:
        notes = self._notes_of(field)
        entry = map_entry(field)
        if entry is not None:
            of_keys = MAP_KEYS[entry.fields_by_name["key"].type]
            of_values = self.of_one(entry.fields_by_name["value"]) | notes.element_keywords
            schema: Schema = {"type": "object", "additionalProperties": of_values}
            if of_keys:
                schema["propertyNames"] = dict(of_keys)
        elif field.is_repeated:
            schema = {"type": "array", "items": self.of_one(field) | notes.element_keywords}
        else:
            schema = self.of_one(field)
        comment = self._comments.description(field.full_name)
        return schema | ({"description": comment} if comment else {}) | notes.keywords

    def _of_oneofs(self, message: Descriptor, without: Collection[str]) -> Schema:
        excluded: Schema = {}
        chosen: list[Schema] = []
        for oneof in message.oneofs:
            names = [self.name_of(field) for field in oneof.fields if field.name not in without]
            for name in names if len(names) > 1 else ():
                others = {other: False for other in names if other != name}
                excluded[name] = {"properties": others}
            if len(names) == len(oneof.fields) and is_required_oneof(oneof):
                chosen.append({"anyOf": [{"required": [name]} for name in names]})
        schema: Schema = {"dependentSchemas": excluded} if excluded else {}
        return schema | ({"allOf": chosen} if chosen else {})

    def _of_enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name == _NULL_VALUE:
            return {"type": "null"}
        if enum.full_name not in self.components:
            self.components[enum.full_name] = self._of_values(enum)
        return {"$ref": _REFERENCE + enum.full_name}

    def _of_values(self, enum: EnumDescriptor) -> Schema:
        schema: Schema = {"type": "string", "enum": [value.name for value in enum.values]}
        if self._json.enums_as_ints:
            numbers = dict.fromkeys(value.number for value in enum.values)
            schema = {"type": "integer", "format": "int32", "enum": list(numbers)}
        described = "\n\n".join(self._texts_of(enum))
        return schema | ({"description": described} if described else {}) | enum_notes(enum)

    def _texts_of(self, enum: EnumDescriptor) -> Iterator[str]:
        """Yields the comment of an enum, and a line for each commented value."""
        comment = self._comments.description(enum.full_name)
        if comment:
            yield comment
        lines = [
            f"- `{value.name}`: {text}".replace("\n", " ")
            for value in enum.values
            if (text := self._comments.description(f"{enum.full_name}.{value.name}"))
        ]
        if lines:
            yield "\n".join(lines)
