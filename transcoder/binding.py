"""Make the request message of a call from its path, its query and its body.

Follows google/api/http.proto, "HTTP Transcoding"; where that is silent: a field that the path binds
has the path's value, whatever query and body say, and with body "*" the query is not read.
Rule 1: a rule that no request could be bound by is a SchemaError, when the Binder is made.
Rule 2: path variables come unescaped, the query does not (query.py).
"""

from collections.abc import Callable, Sequence
from typing import Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.calls import Method
from transcoder.codec import Codec
from transcoder.errors import SchemaError, malformed
from transcoder.query import QueryReader
from transcoder.readers import descriptor_of
from transcoder.rules import HttpRule
from transcoder.scalars import Fault
from transcoder.wellknown import message_of


class Binder:
    """Binds requests by one rule of one method.

    Attributes:
        reads_body: whether the rule takes anything from the body; if not, it may be left unread.
    """

    def __init__(self, method: Method, rule: HttpRule, codec: Codec, *, strict: bool) -> None:
        """Compile the rule.

        Raises:
            SchemaError: names the method, the rule and the field that cannot be bound.
        """
        request = descriptor_of(method.request_type)
        where = f"{method.path}: {rule.verb} {rule.template.text}"
        self._message_type = method.request_type
        self._is_strict = strict
        self._variables = [
            _Variable(request, variable.field_path, codec, where)
            for variable in rule.template.variables
        ]
        self._setters = [variable.setter() for variable in self._variables]
        self.reads_body: Final = rule.body != ""
        self._decode: Callable[[bytes], Message] | None = None
        self._body_field: FieldDescriptor | None = None
        if rule.body == "*":
            self._decode = codec.decoder(method.request_type)
        elif rule.body:
            self._body_field = request.fields_by_name.get(rule.body)
            if self._body_field is None:
                raise SchemaError(
                    f"{where}: body {rule.body!r} is not a field of {request.full_name}"
                )
            self._read_body_field = codec.field_reader(self._body_field)
        self._query = QueryReader(
            request,
            codec,
            bound=[variable.path for variable in self._variables],
            body=rule.body,
            strict=strict,
        )

    def bind(self, variables: Sequence[str], query: str, body: bytes) -> Message:
        """Make the request message.

        Args:
            variables: the unescaped values of the template's variables, in its order.
            query: what follows the "?", as received; empty when there is none.
            body: as received; empty stands for an empty message.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming what cannot be bound.
        """
        if self._decode is not None:
            if query and self._is_strict:
                raise malformed("query: expected none, as the body is the whole request")
            message = self._decode(body) if body else self._message_type()
        else:
            values = self._query.read(query) if query else {}
            if body and self._body_field is not None:
                self._query.claim(values, self._body_field, "body")
                values[self._body_field.name] = self._read_body_field(body)
            message = self._message_type(**values)
        if self._is_strict:
            self._refuse_overridden(message)
        self.bind_path(variables, message)
        return message

    def bind_path(self, variables: Sequence[str], message: Message) -> None:
        """Set the fields that the path binds, whatever the message holds in them."""
        for set_field, text in zip(self._setters, variables, strict=True):
            set_field(message, text)

    def _refuse_overridden(self, message: Message) -> None:
        for variable in self._variables:
            if variable.is_set(message):
                raise malformed(f"{variable.name}: given in the path and outside of it")


class _Variable:
    """A field of the request that a path fills."""

    def __init__(
        self, request: Descriptor, path: tuple[str, ...], codec: Codec, where: str
    ) -> None:
        self.path = path
        self.name = ".".join(path)
        *self._parents, self._attribute = path
        where = f"{where}: variable {self.name!r}"
        owner = request
        for parent in self._parents:
            field = _singular_field(owner, parent, where)
            if field.message_type is None:
                raise SchemaError(f"{where}: {parent!r} is not a message")
            owner = field.message_type
        self._field = _singular_field(owner, self._attribute, where)
        read = codec.text_reader(self._field)
        if read is None:
            raise SchemaError(f"{where}: its type is a message that has no form as text")
        self._read = read

    def setter(self) -> Callable[[Message, str], None]:
        """What sets the field of a message; the common case, a string of the request, at once."""
        attribute = self._attribute
        if not self._parents and self._field.type == FieldDescriptor.TYPE_STRING:
            return lambda message, text: setattr(message, attribute, text)
        return self._set

    def _set(self, message: Message, text: str) -> None:
        try:
            value = self._read(text)
        except Fault as fault:
            raise malformed(f"path variable {self.name!r}: {fault.problem}") from None
        owner = self._owner(message)
        if self._field.message_type is None:
            setattr(owner, self._attribute, value)
            return
        message_type = message_factory.GetMessageClass(self._field.message_type)
        held = getattr(owner, self._attribute)
        held.CopyFrom(message_of(message_type, value))
        held.SetInParent()

    def is_set(self, message: Message) -> bool:
        owner = self._owner(message)
        if self._field.has_presence:
            return owner.HasField(self._attribute)
        return bool(getattr(owner, self._attribute))

    def _owner(self, message: Message) -> Message:
        for parent in self._parents:
            message = getattr(message, parent)
        return message


def _singular_field(owner: Descriptor, name: str, where: str) -> FieldDescriptor:
    field = owner.fields_by_name.get(name)
    if field is None:
        raise SchemaError(f"{where}: {name!r} is not a field of {owner.full_name}")
    if field.is_repeated:
        raise SchemaError(f"{where}: {name!r} holds several values, a path holds one")
    return field
