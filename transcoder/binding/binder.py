"""Makes the request message of a call from its path, its query and its body.

Follows google/api/http.proto, "gRPC Transcoding". Where that is silent: the path's value of a field
overrides the query's and the body's, and with body "*" the query is not read.
Rule 1: a rule that can bind no request raises SchemaError when its Binder is made.
Rule 2: values of path variables are unescaped; query.py unescapes the query.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.binding.field_mask import MaskFiller
from transcoder.binding.fields import Field, Fields
from transcoder.binding.form import Form
from transcoder.binding.http_body import Upload, upload_to
from transcoder.binding.query import QueryReader, refuse_rivals
from transcoder.call import Method
from transcoder.codec.decoder import descriptor_of
from transcoder.codec.message_types import message_class
from transcoder.codec.scalars import Fault
from transcoder.errors import SchemaError, malformed
from transcoder.routing.http_rule import HttpRule
from transcoder.routing.template import Variable

ReadBody = Callable[[bytes], Message]
"""Makes a request whose fields are those of a body."""


class Binder:
    """Binds requests by one rule of one method.

    Attributes:
        reads_body: True if the rule binds something from the body; else the body is not read.
        upload: makes a request of any body; None if bodies are JSON.
        form: makes a request of a form; None if bodies are no forms.
        takes_json_alone: True if bodies have to be JSON.
    """

    def __init__(
        self,
        method: Method,
        rule: HttpRule,
        fields: Fields,
        *,
        strict: bool,
        ignored_parameters: Collection[str] = (),
    ) -> None:
        """Compiles the rule.

        Args:
            method: its requests are bound.
            rule: of the method.
            fields: of all requests.
            strict: refuse what would be ignored, or overridden by the path.
            ignored_parameters: names of query parameters that `strict` passes over.

        Raises:
            SchemaError: names the method, the rule and the field that cannot be bound.
        """
        request = descriptor_of(method.request_type)
        codec = fields.codec
        self._message_type = method.request_type
        self._is_strict = strict
        self._variables = [
            _Variable(request, variable, fields, rule.where) for variable in rule.template.variables
        ]
        self._setters = [variable.setter() for variable in self._variables]
        self.reads_body: Final = rule.body != ""
        self.upload: Final = _upload(method, rule)
        self.form: Final = _form(method, rule, fields, strict=strict)
        self.takes_json_alone: Final = self.upload is None and self.form is None
        self._decode: Callable[[bytes], Message] | None = None
        self._body: Field | None = None
        field: FieldDescriptor | None = None
        self._masks: MaskFiller | None = None
        if rule.body == "*":
            self._decode = codec.decoder(method.request_type)
        elif rule.body:
            field = request.fields_by_name.get(rule.body)
            if field is None:
                raise SchemaError(
                    f"{rule.where}: body {rule.body!r} is not a field of {request.full_name}"
                )
            self._body = fields.of(request)[field.json_name]
            self._read_body = codec.decoder(method.request_type, field.name)
            if rule.verb == "PATCH":
                self._masks = MaskFiller.of(request, self._body)
        _refuse_conflicts(self._variables, field, rule.where)
        # Methods are asked of the class: a field may have the name of one.
        of = method.request_type
        self._is_complete = of.IsInitialized if codec.reaches_required(request) else None
        self._query = QueryReader(
            fields.of(request),
            nesting_max=codec.nesting_max,
            bound=[variable.path for variable in self._variables],
            body=rule.body,
            strict=strict,
            ignored=ignored_parameters,
        )

    def bind(
        self, variables: Sequence[str], query: str, body: bytes, read: ReadBody | None = None
    ) -> Message:
        """Makes the request message.

        Args:
            variables: the unescaped values of the template's variables, in its order.
            query: what follows the "?", as received; empty when there is none.
            body: as received; empty stands for an empty message.
            read: makes a request of a body that is not JSON.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming the field that cannot be bound.
        """
        if self._decode is not None:
            if query and self._is_strict and not self._query.is_ignored(query):
                raise malformed("query: expected none, as the body is the whole request")
            message = (read or self._decode)(body) if body else self._message_type()
        else:
            values = self._query.read(query) if query else {}
            if body and self._body is not None:
                refuse_rivals(values, self._body, "body")
                message = (read or self._read_body)(body)
                if values:
                    self._message_type.MergeFrom(message, self._message_type(**values))
            else:
                message = self._message_type(**values)
        if self._is_strict:
            for variable in self._variables:
                variable.refuse_overridden(message)
        self.bind_path(variables, message)
        if body and self._masks is not None and read is None:
            self._masks.fill(message, body)
        if self._is_complete is not None and not self._is_complete(message):
            of: Any = self._message_type  # whose stub does not have FindInitializationErrors
            missing = of.FindInitializationErrors(message)[0]
            raise malformed(f"{missing}: required, but not given")
        return message

    def bind_path(self, variables: Sequence[str], message: Message) -> None:
        """Sets the fields that the path binds; overrides the values that they have."""
        for set_field, text in zip(self._setters, variables, strict=True):
            set_field(message, text)


def _upload(method: Method, rule: HttpRule) -> Upload | None:
    return None if rule.is_default or not rule.body else upload_to(method.request_type, rule.body)


def _form(method: Method, rule: HttpRule, fields: Fields, *, strict: bool) -> Form | None:
    if rule.is_default or not rule.body or method.client_streaming:
        return None
    return Form.of(method.request_type, rule.body, fields, strict=strict)


class _Variable:
    """A field of the request that a path fills."""

    def __init__(self, request: Descriptor, variable: Variable, fields: Fields, where: str) -> None:
        self.path = variable.field_path
        self.name = ".".join(self.path)
        where = f"{where}: variable {self.name!r} at column {variable.column}"
        self.fields = list(fields_on(self.path, request, where))
        *self._parents, self._attribute = self.path
        self._field = self.fields[-1]
        of = self._field.message_type
        self._message_type = None if of is None else message_class(of)
        self._levels = fields.codec.nesting_max - len(self.path)
        read = fields.codec.text_reader(self._field)
        if read is None:
            raise SchemaError(f"{where}: its type is a message that has no form as text")
        self._read = read

    def setter(self) -> Callable[[Message, str], None]:
        """Returns the function that sets the field; a plain one for a string of the request."""
        attribute = self._attribute
        if not self._parents and self._field.type == FieldDescriptor.TYPE_STRING:
            return lambda message, text: setattr(message, attribute, text)
        return self._set

    def _set(self, message: Message, text: str) -> None:
        try:
            value = self._read(text, self._levels)
        except Fault as fault:
            raise malformed(f"path variable {self.name!r}: {fault.problem}") from None
        owner = message
        for parent in self._parents:
            owner = getattr(owner, parent)
        if self._message_type is None:
            setattr(owner, self._attribute, value)
            return
        held = getattr(owner, self._attribute)
        self._message_type.CopyFrom(held, value)
        self._message_type.SetInParent(held)

    def refuse_overridden(self, message: Message) -> None:
        """Raises TranscodeError if the message has the field, or another member of its oneof."""
        owner = message
        for field in self.fields:
            if field.containing_oneof is not None:
                given = type(owner).WhichOneof(owner, field.containing_oneof.name)
                if given is not None and given != field.name:
                    raise malformed(f"{self.name}: excludes {given}, which is given too")
            if field is not self._field:
                owner = getattr(owner, field.name)
        if self._field.has_presence:
            is_set = type(owner).HasField(owner, self._attribute)
        else:
            is_set = bool(getattr(owner, self._attribute))
        if is_set:
            raise malformed(f"{self.name}: given in the path and outside of it")


def fields_on(path: Sequence[str], request: Descriptor, where: str) -> Iterator[FieldDescriptor]:
    """Yields the fields on the way to a field of a request.

    Raises:
        SchemaError: begins with `where`; a name is no field, or its field holds several values.
    """
    owner: Descriptor | None = request
    for index, name in enumerate(path):
        if owner is None:
            raise SchemaError(f"{where}: {path[index - 1]!r} is not a message")
        field = owner.fields_by_name.get(name)
        if field is None:
            raise SchemaError(f"{where}: {name!r} is not a field of {owner.full_name}")
        if field.is_repeated:
            raise SchemaError(f"{where}: {name!r} holds several values, a path holds one")
        yield field
        owner = field.message_type


def _refuse_conflicts(
    variables: Sequence[_Variable], body: FieldDescriptor | None, where: str
) -> None:
    """Raises SchemaError if a rule binds a field twice, or two members of one oneof."""
    bound = [(f"variable {variable.name!r}", variable.fields) for variable in variables]
    if body is not None:
        if any(variable.path == (body.name,) for variable in variables):
            raise SchemaError(f"{where}: {body.name!r} is both the body and a variable")
        bound.append((f"body {body.name!r}", [body]))
    members: dict[tuple[str, ...], tuple[str, str]] = {}
    for what, fields in bound:
        path: tuple[str, ...] = ()
        for field in fields:
            if field.containing_oneof is not None:
                oneof = field.containing_oneof.full_name
                member, other = members.setdefault((*path, oneof), (field.name, what))
                if member != field.name:
                    raise SchemaError(f"{where}: {other} and {what} are members of one oneof")
            path += (field.name,)
