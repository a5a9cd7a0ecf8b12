"""Reads and writes messages as ProtoJSON, by orjson and functions compiled per message type.

decoder.py and encoder.py compile the functions, between messages and JSON values; this file adds
the JSON text. Follows protobuf.dev, "ProtoJSON Format".
Rule: invalid JSON is the client's fault: `malformed`, with the path of the field. A message without
a JSON form is the server's fault: `Fault`.
"""

import base64
from collections.abc import Callable, Iterable
from typing import Final

import orjson
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError, Message

from transcoder.codec import scalars, wellknown
from transcoder.codec.decoder import DecoderCompiler, descriptor_of
from transcoder.codec.encoder import EncoderCompiler
from transcoder.codec.field_readers import enum_field
from transcoder.codec.json_text import parse_json, parse_json_exactly
from transcoder.codec.message_types import MessageReader, TypePool
from transcoder.codec.reach import Reach, has_floats, has_required
from transcoder.codec.scalars import Fault, InexactNumber
from transcoder.codec.text_values import TextReader, text_reader
from transcoder.codec.unwritable import fault_of, parts_of
from transcoder.errors import SchemaError, malformed
from transcoder.options import JsonOptions

JsonDecoder = Callable[[bytes], Message]
JsonEncoder = Callable[[Message], bytes]

WIRE_NESTING_MAX: Final = 100
"""Max levels of messages; protobuf neither reads nor copies more."""

_UNWRITABLE: Final = (Fault, TypeError, ValueError, RecursionError)


class Codec:
    """ProtoJSON for the messages of one descriptor pool; may be shared by threads.

    Attributes:
        nesting_max: max levels of messages that are read.
        reaches_required: tells if a message of a type may lack a required field.

    Args:
        options: how messages are written.
        pool: the pool with the types inside of Any; None for protobuf's default pool.
        nesting_max: max levels of messages that are read, counted as protobuf's parsers do.
        strict: refuse JSON members that are no fields, instead of ignoring them.

    Raises:
        SchemaError: `nesting_max` is more than protobuf's parsers read.
    """

    def __init__(
        self,
        options: JsonOptions | None = None,
        *,
        pool: TypePool | None = None,
        nesting_max: int = WIRE_NESTING_MAX,
        strict: bool = False,
    ) -> None:
        if nesting_max > WIRE_NESTING_MAX:
            raise SchemaError(
                f"nesting_max: expected at most {WIRE_NESTING_MAX}, got {nesting_max}"
            )
        self.nesting_max: Final = nesting_max
        self._options = JsonOptions() if options is None else options
        self._pool = Default() if pool is None else pool
        self._is_strict = strict
        self.reaches_required: Final = Reach(has_required)
        self._reaches_floats = Reach(has_floats)
        self._decoders = DecoderCompiler(self._pool, strict=strict)
        self._encoders = EncoderCompiler(self._pool, self._options)

    def fresh(self) -> "Codec":
        """Returns a codec with the same options, which has compiled nothing yet."""
        return Codec(
            self._options, pool=self._pool, nesting_max=self.nesting_max, strict=self._is_strict
        )

    def forget_types(self) -> None:
        """Has the types inside of Any looked up again, as those of the pool have changed."""
        self._decoders.forget_types()
        self._encoders.forget_types()

    def decode(self, message_type: type[Message], text: bytes) -> Message:
        """Reads a message.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming the field.
        """
        return self.decoder(message_type)(text)

    def encode(self, message: Message) -> bytes:
        """Writes a message.

        Raises:
            Fault: a part of the message has no JSON form; has the path of the part.
        """
        return self.encoder(type(message))(message)

    def decoder(self, message_type: type[Message], field: str = "") -> JsonDecoder:
        """Returns `decode` for one type, compiled now.

        Args:
            message_type: the type of the messages.
            field: the one field that is read instead of the message (`body`); all others are unset.
        """
        descriptor = descriptor_of(message_type)
        if field:
            read = self._field_reader(descriptor.fields_by_name[field])
            return self._decoder(message_type, read, has_floats=True, unset=None)
        return self._decoder(
            message_type,
            self._decoders.message(descriptor),
            has_floats=self._reaches_floats(descriptor),
            unset=None if descriptor.full_name in wellknown.SPECIAL else b"{}",
        )

    def encoder(self, message_type: type[Message], field: str = "") -> JsonEncoder:
        """Returns `encode` for one type, compiled now.

        Args:
            message_type: the type that the encoder writes.
            field: the one field to write instead of the message (`response_body`); unset, a message
                is `{}`, or null where its JSON is no object, and a scalar its default.
        """
        descriptor = descriptor_of(message_type)
        if field:
            return self._field_encoder(descriptor.fields_by_name[field])
        write = self._encoders.message(descriptor)
        dumps = orjson.dumps

        def encode(message: Message) -> bytes:
            try:
                return dumps(write(message))
            except _UNWRITABLE as error:
                raise self._explained([("", message)], error) from error

        return encode

    def _field_reader(self, field: FieldDescriptor) -> MessageReader:
        reader = self._decoders.field(field)
        if field.enum_type is not None and not field.is_repeated:
            # An unknown name, which is ignored in an object, is an error as the whole body.
            reader = enum_field(field, scalars.enum_reader(field.enum_type))

        def read(message: Message, value: object, depth: int) -> None:
            try:
                if value is not None or reader.takes_null:
                    reader.set(message, value, depth)
            except Fault as fault:
                fault.path.append(field.json_name)
                raise

        return read

    def _field_encoder(self, field: FieldDescriptor) -> JsonEncoder:
        write = self._encoders.value(field)
        name = field.name
        of = field.message_type
        is_null_unset = field.has_presence and of is not None and of.full_name in wellknown.SPECIAL

        def encode(message: Message) -> bytes:
            if is_null_unset and not type(message).HasField(message, name):
                return b"null"
            value = getattr(message, name)
            try:
                return orjson.dumps(write(value))
            except _UNWRITABLE as error:
                raise self._explained(parts_of(field, value), error) from error

        return encode

    def _explained(self, parts: Iterable[tuple[str, Message]], error: Exception) -> Exception:
        """Returns a Fault with the path of the failing part; `error` itself if no part fails."""
        return fault_of(parts, self._encoders) or error

    def text_reader(self, field: FieldDescriptor) -> TextReader | None:
        """Reads one value from a path or a query; None when the field's type has no text form."""
        return text_reader(field, self._decoders)

    def any_json(self, packed: Any) -> object:
        """Returns an Any as JSON; if it has no JSON form, with its bytes as base64."""
        try:
            return self._encoders.message(Any.DESCRIPTOR)(packed)
        except _UNWRITABLE:
            value = base64.b64encode(packed.value).decode("ascii")
            return {"@type": packed.type_url, "value": value}

    def content_json(self, packed: Any) -> object:
        """Returns the message in an Any as JSON; None if its type is unknown, or it has no form."""
        try:
            message_type, write, _ = self._encoders.resolve(packed.type_url)
            return write(message_type.FromString(packed.value))
        except (*_UNWRITABLE, DecodeError):
            return None

    def _decoder(
        self,
        message_type: type[Message],
        read: MessageReader,
        *,
        has_floats: bool,
        unset: bytes | None,
    ) -> JsonDecoder:
        """Returns a parser of JSON text for a reader.

        Args:
            message_type: the type of the messages.
            read: reads the JSON value into a message.
            has_floats: True if it may set a float field.
            unset: the text of a message with no field set, if there is one: it is not parsed.
        """
        depth = self.nesting_max

        def decode(text: bytes) -> Message:
            message = message_type()
            if text == unset:
                return message
            try:
                try:
                    read(message, parse_json(text, has_floats=has_floats), depth)
                except InexactNumber:  # which lost digits: it has to be parsed again
                    message = message_type()
                    read(message, parse_json_exactly(text), depth)
            except Fault as fault:
                raise malformed(fault.text("body")) from None
            return message

        return decode
