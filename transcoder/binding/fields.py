"""Compiles the fields of a message type, by the names that paths, queries and bodies use.

Rule: all fields are compiled when a service is registered; a request only looks up names.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from transcoder.codec.codec import Codec
from transcoder.codec.message_types import map_entry
from transcoder.codec.text_values import TextReader
from transcoder.codec.wellknown import SPECIAL


@dataclass(frozen=True, slots=True)
class Field:
    """A field; for a map or a repeated field, `read` and `fields` are those of one value."""

    name: str
    json_name: str
    is_list: bool
    read_key: TextReader | None
    """Reads a key of a map; None if the field is no map."""
    read: TextReader | None
    """None where values have no text form."""
    fields: "FieldsByName | None"
    """The fields of its message; None if it is no message, or its JSON is not an object."""
    rivals: "tuple[FieldName, ...]"
    """The other members of its oneof."""
    is_map: bool
    is_message_list: bool
    """True for a list of messages, whose fields a parameter can name."""
    levels: int
    """Levels of messages that a value adds: 1, or 2 in a map, whose entries are messages."""


class FieldName(NamedTuple):
    """A field, and which of its two names is meant."""

    name: str
    json_name: str


class FieldsByName(dict[str, Field]):
    """Fields by either name; JSON names come first."""

    odd_names: tuple[str, ...] = ()
    """JSON names with the dots or brackets that divide a parameter's name; longest first."""


class _FieldBatch(NamedTuple):
    """Types that are compiled together; all are published at once, or none."""

    types: dict[Descriptor, FieldsByName]
    waiting: list[tuple[Descriptor, FieldsByName]]
    """Types whose fields are not compiled yet."""


class Fields:
    """The fields of every message that registered methods reach."""

    def __init__(self, codec: Codec) -> None:
        self.codec: Final = codec
        self._done: dict[Descriptor, FieldsByName] = {}

    def of(self, descriptor: Descriptor) -> FieldsByName:
        fields = self._done.get(descriptor)
        if fields is None:
            batch = _FieldBatch({}, [])
            fields = self._named(descriptor, batch)
            while batch.waiting:  # a loop, as types nest without limit
                held, made = batch.waiting.pop()
                compiled = [(field, self._compile(field, batch)) for field in held.fields]
                made.update((field.name, each) for field, each in compiled)
                made.update((field.json_name, each) for field, each in compiled)
                odd = (name for name in made if "." in name or "[" in name)
                made.odd_names = tuple(sorted(odd, key=len, reverse=True))
            self._done.update(batch.types)
        return fields

    def _named(self, descriptor: Descriptor, batch: "_FieldBatch") -> FieldsByName:
        """Returns the fields of a type; a new one's are filled in before they are published."""
        known = self._done.get(descriptor, batch.types.get(descriptor))
        if known is not None:
            return known
        made = FieldsByName()
        batch.types[descriptor] = made
        batch.waiting.append((descriptor, made))
        return made

    def _compile(self, field: FieldDescriptor, batch: "_FieldBatch") -> Field:
        entry = map_entry(field)
        one = field if entry is None else entry.fields_by_name["value"]
        of = one.message_type
        fields = None if of is None or of.full_name in SPECIAL else self._named(of, batch)
        is_list = field.is_repeated and entry is None
        oneof = field.containing_oneof
        return Field(
            name=field.name,
            json_name=field.json_name,
            is_list=is_list,
            is_map=entry is not None,
            is_message_list=is_list and fields is not None,
            read_key=None if entry is None else self.codec.text_reader(entry.fields_by_name["key"]),
            read=self.codec.text_reader(one),
            fields=fields,
            levels=1 if entry is None else 2,
            rivals=tuple(
                FieldName(other.name, other.json_name)
                for other in (oneof.fields if oneof is not None else ())
                if other is not field
            ),
        )
