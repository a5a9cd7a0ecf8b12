"""Fields of a request from the query of its target: "?page.size=5&tag=a&tag=b".

Follows google/api/http.proto, "HTTP Transcoding": a parameter is a field, or a field of a field; a
repeated one may come several times. Names are JSON names or proto names; "+" is a space.
Where the document is silent: a singular field with two values is refused, and so are two members of
one oneof; parameters that are no field, or are bound by path or body, count only when strict.
Rule: the query is unescaped here, once.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from transcoder.codec import Codec
from transcoder.errors import TranscodeError, malformed, shown
from transcoder.readers import map_entry
from transcoder.scalars import Fault
from transcoder.wellknown import SPECIAL

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

Values = dict[str, object]
"""What the constructor of a message takes, by field name; messages are Values too."""


class QueryReader:
    """Reads the queries of one rule."""

    def __init__(
        self,
        request: Descriptor,
        codec: Codec,
        *,
        bound: Collection[tuple[str, ...]],
        body: str,
        strict: bool,
    ) -> None:
        """Make a reader.

        Args:
            request: the message that queries fill.
            codec: reads the values.
            bound: the fields that the path binds, each as its names from the top.
            body: the field that the body binds, or empty.
            strict: refuse parameters that would have no effect.
        """
        self._request = request
        self._codec = codec
        self._bound = bound
        self._body = body
        self._is_strict = strict
        self._fields: dict[Descriptor, Mapping[str, FieldDescriptor]] = {}
        self._text_readers: dict[FieldDescriptor, Callable[[str], object] | None] = {}

    def read(self, query: str) -> Values:
        """Read a query.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming the parameter.
        """
        values: Values = {}
        for parameter in query.split("&"):
            if parameter:
                name, _, text = parameter.partition("=")
                self._bind(values, _unescaped(name), _unescaped(text))
        return values

    def _bind(self, values: Values, name: str, text: str) -> None:
        path = self._resolve(name)
        if not path:
            if self._is_strict:
                raise malformed(f"query parameter {shown(name)}: no such field")
            return
        names = tuple(field.name for field in path)
        if names in self._bound or names[0] == self._body:
            if self._is_strict:
                raise malformed(f"query parameter {shown(name)}: bound by the path or the body")
            return
        *parents, leaf = path
        for field in parents:
            self.claim(values, field, f"query parameter {shown(name)}")
            values = values.setdefault(field.name, {})  # type: ignore[assignment]  # made here
        value = self._value(leaf, name, text)
        if leaf.is_repeated:
            values.setdefault(leaf.name, []).append(value)  # type: ignore[attr-defined]
            return
        if leaf.name in values:
            raise malformed(f"query parameter {shown(name)}: expected one value, got two")
        self.claim(values, leaf, f"query parameter {shown(name)}")
        values[leaf.name] = value

    def claim(self, values: Values, field: FieldDescriptor, name: str) -> None:
        """Refuse a field whose oneof has another member set.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming `name` and the other member.
        """
        if field.containing_oneof is not None:
            for other in field.containing_oneof.fields:
                if other is not field and other.name in values:
                    raise malformed(f"{name}: excludes {other.json_name}, which is given too")

    def _resolve(self, name: str) -> Sequence[FieldDescriptor]:
        """The fields that a parameter names, from the top; empty when it names none."""
        dotted, bracket, _ = name.partition("[")
        steps = dotted.split(".")
        if len(steps) > self._codec.nesting_max:
            raise malformed(f"query parameter {shown(name)}: nested too deeply")
        path: list[FieldDescriptor] = []
        owner: Descriptor | None = self._request
        for step in steps:
            field = None if owner is None else self._fields_of(owner).get(step)
            if field is None:
                return ()
            if path and path[-1].is_repeated:
                raise _without_text(name, path[-1])
            path.append(field)
            held = field.message_type
            owner = None if held is None or held.full_name in SPECIAL else held
        if bracket and map_entry(path[-1]) is None:
            return ()
        return path

    def _fields_of(self, descriptor: Descriptor) -> Mapping[str, FieldDescriptor]:
        """The fields of a message by either name; JSON names come first."""
        fields = self._fields.get(descriptor)
        if fields is None:
            fields = {field.name: field for field in descriptor.fields}
            fields |= {field.json_name: field for field in descriptor.fields}
            self._fields[descriptor] = fields
        return fields

    def _value(self, field: FieldDescriptor, name: str, text: str) -> object:
        if field not in self._text_readers:
            self._text_readers[field] = self._codec.text_reader(field)
        read = self._text_readers[field]
        if read is None:
            raise _without_text(name, field)
        try:
            return read(text)
        except Fault as fault:
            raise malformed(f"query parameter {shown(name)}: {fault.problem}") from None


def _without_text(name: str, field: FieldDescriptor) -> TranscodeError:
    if map_entry(field) is not None:
        kind = "a map"
    elif field.is_repeated:
        kind = "a list of messages"
    else:
        kind = "a message"
    return malformed(f"query parameter {shown(name)}: {field.json_name} is {kind}, not a value")


def _unescaped(text: str) -> str:
    if text.isascii() and "%" not in text:
        return text.replace("+", " ")
    if not _BAD_ESCAPE.search(text):
        try:
            return unquote_to_bytes(text.replace("+", " ")).decode()
        except UnicodeError:
            pass
    raise malformed(f"query: expected percent-encoded UTF-8, got {shown(text)}")
