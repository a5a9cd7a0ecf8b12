"""Makes a request of the parts of a form, each of which is the value of one field.

Follows RFC 7578 (multipart/form-data), and google/api/http.proto for the body of a rule.

Rule 1: no I/O; parts have been divided already.
Rule 2: a name of a file is data. Nothing here takes it for a path.
Rule 3: a message takes a form if a field of its own can hold a file. All others take JSON alone.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from transcoder.binding.fields import Field, Fields
from transcoder.binding.http_body import HTTP_BODY
from transcoder.binding.query import refuse_rivals
from transcoder.codec.codec import JsonDecoder
from transcoder.codec.decoder import descriptor_of
from transcoder.codec.message_types import message_class
from transcoder.codec.scalars import Fault
from transcoder.codec.wellknown import SPECIAL
from transcoder.errors import malformed, shown

DEFAULT_TYPE: Final = "text/plain"
"""Content type of a part that gives none (RFC 7578 section 4.4)."""

_STRUCT_URL: Final = "type.googleapis.com/google.protobuf.Struct"


class Part(NamedTuple):
    """A part of a form.

    Attributes:
        name: of its field.
        content_type: empty if it gives none.
        is_json: True if its type is one of JSON.
        filename: as the client gives it; None if the part is no file.
        data: its bytes.
    """

    name: str
    content_type: str
    is_json: bool
    filename: str | None
    data: bytes


class Form:
    """Makes requests of the forms of one rule."""

    def __init__(
        self,
        request_type: type[Message],
        body: str,
        held: Descriptor,
        fields: Fields,
        *,
        strict: bool,
    ) -> None:
        """Compiles the fields.

        Args:
            request_type: the type of the requests.
            body: "*", or the field of the request whose fields the parts are.
            held: the type whose fields the parts are.
            fields: of all requests.
            strict: refuse parts that are no fields, instead of ignoring them.
        """
        self._request_type = request_type
        self._type = message_class(held)
        self._body = "" if body == "*" else body
        self._is_strict = strict
        self._fields = fields.of(held)
        self._setters: dict[str, _Setter] = {}
        codec = fields.codec
        levels = codec.nesting_max - (2 if self._body else 1)
        for each in held.fields:
            field = self._fields[each.name]
            read = _part_reader(each, field, levels)
            decode = codec.decoder(self._type, each.name)
            self._setters[each.name] = _setter(field, read, decode, is_file=holds_file(each))

    @staticmethod
    def of(
        request_type: type[Message], body: str, fields: Fields, *, strict: bool
    ) -> "Form | None":
        """Returns what makes requests; None if the body of the rule takes no form."""
        held: Descriptor | None = descriptor_of(request_type)
        if body != "*":
            field = descriptor_of(request_type).fields_by_name.get(body)
            held = None if field is None or field.is_repeated else field.message_type
        if held is None or held.full_name in SPECIAL or held.full_name == HTTP_BODY:
            return None
        if not any(map(holds_file, held.fields)):
            return None
        return Form(request_type, body, held, fields, strict=strict)

    def read(self, parts: Iterable[Part]) -> Message:
        """Makes a request.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming the part.
        """
        filling = _Filling({}, [])
        for part in parts:
            field = self._fields.get(part.name)
            if field is not None:
                self._setters[field.name](filling, part)
            elif self._is_strict:
                raise malformed(f"form field {shown(part.name)}: no such field")
        message = self._type(**filling.values)
        for read in filling.read:
            self._type.MergeFrom(message, read)
        return self._request_type(**{self._body: message}) if self._body else message


class _Filling(NamedTuple):
    """A form that is being read.

    Attributes:
        values: of fields; those that were read as JSON are None, or an empty list.
        read: messages with the one field that was read as JSON.
    """

    values: dict[str, Any]
    read: list[Message]


_Setter = Callable[[_Filling, Part], None]


def holds_file(field: FieldDescriptor) -> bool:
    """True if a field holds bytes or an HttpBody, or a list of them."""
    of = field.message_type
    is_http_body = of is not None and of.full_name == HTTP_BODY
    return is_http_body or field.type == FieldDescriptor.TYPE_BYTES


def _part_reader(
    descriptor: FieldDescriptor, field: Field, levels: int
) -> Callable[[Part], object] | None:
    """Returns what reads a value of a field from a part; None if its parts have to be JSON."""
    if descriptor.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if holds_file(descriptor):
        return _http_body
    read = field.read
    if read is None or field.is_map:
        return None

    def value_of(part: Part) -> object:
        try:
            return read(_text(part), levels)
        except Fault as fault:
            raise malformed(f"form field {shown(part.name)}: {fault.problem}") from None

    return value_of


def _setter(
    field: Field, read: Callable[[Part], object] | None, decode: JsonDecoder, *, is_file: bool
) -> _Setter:
    """Returns what sets a field of a form to the value of a part, or adds the value.

    Args:
        field: the field.
        read: reads a value; None if all parts are JSON.
        decode: makes a message with the field alone, of JSON.
        is_file: True if JSON, too, is the content of a file.
    """
    name = field.name
    is_single = not (field.is_list or field.is_map)

    def put(filling: _Filling, part: Part) -> None:
        values = filling.values
        if is_single and name in values:
            raise malformed(f"form field {shown(part.name)}: expected one part, got two")
        if field.rivals:
            refuse_rivals(values, field, f"form field {shown(part.name)}")
        if read is None or (part.is_json and not is_file):
            filling.read.append(decode(part.data))
            values.setdefault(name, [] if field.is_list else None)
        elif field.is_list:
            values.setdefault(name, []).append(read(part))
        else:
            values[name] = read(part)

    return put


def _bytes(part: Part) -> bytes:
    return part.data


def _text(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError:
        raise malformed(f"form field {shown(part.name)}: expected UTF-8") from None


def _http_body(part: Part) -> dict[str, object]:
    """Returns the fields of an HttpBody; its extension is a Struct with the name of the file."""
    body: dict[str, object] = {
        "content_type": part.content_type or DEFAULT_TYPE,
        "data": part.data,
    }
    if part.filename is not None:
        named = Struct()
        named.update({"filename": part.filename})
        body["extensions"] = [{"type_url": _STRUCT_URL, "value": named.SerializeToString()}]
    return body
