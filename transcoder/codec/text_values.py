"""Reads one value of a field from text, as a path or a query has it.

The text is the value's ProtoJSON without quotes: digits, `true` and `false`, base64, an enum's name
or number, a Timestamp, a Duration, a FieldMask, whose names may also be those of the .proto; a
wrapper's text is that of its value; Struct, Value and ListValue are JSON. google/api/http.proto
leaves the forms open.
Rule: texts are unescaped; binding/ knows which field each is for.
"""

from collections.abc import Callable

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec import scalars, structs, wellknown
from transcoder.codec.decoder import SIMPLE, DecoderCompiler
from transcoder.codec.json_text import parse_json
from transcoder.codec.message_types import message_class

TextReader = Callable[[str, int], object]
"""Text, levels of messages left → a scalar or a message; raises Fault."""


def text_reader(field: FieldDescriptor, decoders: DecoderCompiler) -> TextReader | None:
    """Returns a reader of one value (of one element, if the field is repeated).

    Returns:
        None when the field's type has no text form: messages, Any and the entries of maps.
    """
    if field.message_type is not None:
        return _message_text_reader(field.message_type, decoders)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return scalars.read_bool_text
    if field.enum_type is not None:
        return scalars.enum_reader(field.enum_type)
    return SIMPLE[field.type]


def _message_text_reader(descriptor: Descriptor, decoders: DecoderCompiler) -> TextReader | None:
    name = descriptor.full_name
    message_type = message_class(descriptor)
    if name in wellknown.WRAPPERS:
        held = text_reader(descriptor.fields_by_name["value"], decoders)
        return None if held is None else lambda text, depth: message_type(value=held(text, depth))
    if name in wellknown.TEXTUAL:
        read, is_json = wellknown.TEXTUAL[name].read_text, False
    elif name in structs.STRUCT_FORMS:
        read, is_json = structs.STRUCT_FORMS[name].read, True
    else:
        return None

    def read_text(text: str, depth: int) -> Message:
        message = message_type()
        read(message, parse_json(text.encode(), has_floats=True) if is_json else text, depth)
        return message

    return read_text
