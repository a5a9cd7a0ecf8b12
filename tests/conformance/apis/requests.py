"""Makes requests at random, and sends them as Google's clients for Python do over REST.

Those clients are generated; what they share is google.api_core, which makes path, query and body of
a message (`path_template.transcode`, `flatten_query_params`). It is used here as they use it.
Rule: a field that such a client cannot write into a query is left out of the request: lists and
maps of messages, maps, Struct and its kin, Any.
"""

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from google.api.http_pb2 import HttpRule
from google.api.httpbody_pb2 import HttpBody
from google.api_core.path_template import transcode
from google.api_core.rest_helpers import flatten_query_params
from google.protobuf import json_format, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.conformance.messages import Maker

_VARIABLE: Final = re.compile(r"\{([^=}]+)(?:=([^}]*))?\}")
_WILDCARD: Final = re.compile(r"\*\*?")
_SEGMENTS: Final = ("a", "a b", "é中😀", "100%", "a:b", "x?y#z", "~_.-+", "%2F", "a%20b", "-")
_DEPTH: Final = 2
_JSON: Final = "application/json"
_PICTURE: Final = "image/png"
_NO_QUERY: Final = frozenset({"Any", "ListValue", "Struct", "Value"})
_TEXTUAL: Final = frozenset(
    {"Timestamp", "Duration", "FieldMask", "BoolValue", "BytesValue", "StringValue"}
    | {"DoubleValue", "FloatValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value"}
)
_WELL_KNOWN: Final = "google.protobuf."
_GREATEST_FLOAT: Final = b"\xff\xff\x7f\x7f"
"""As it is on the wire: json_format writes it, and refuses what it wrote."""
_FIELD_MASK: Final = "google.protobuf.FieldMask"


class Request(NamedTuple):
    """A request over HTTP.

    Attributes:
        verb: the HTTP method.
        target: path and query.
        body: JSON, or the bytes of an HttpBody; empty without one.
        content_type: of the body.
        message: what the handler of the method gets.
    """

    verb: str
    target: str
    body: bytes
    content_type: str
    message: Message


class Requests:
    """Makes requests and answers; all that is random comes from one number."""

    def __init__(self, number: int) -> None:
        self._random = Random(number)  # noqa: S311  no secret
        packed: list[type[Message]] = [timestamp_pb2.Timestamp, wrappers_pb2.StringValue]
        self._maker = Maker(self._random, packed=packed)

    def answer(self, message_type: type[Message]) -> Message:
        """Makes an answer; that of bytes has a content type that HTTP knows."""
        made: Any = self.message(message_type)
        if made.DESCRIPTOR.full_name == HttpBody.DESCRIPTOR.full_name:
            made.content_type = _PICTURE
        return made  # type: ignore[no-any-return]

    def message(self, message_type: type[Message]) -> Message:
        """Makes a message that json_format can read again."""
        made = self._maker.message(message_type, _DEPTH)
        while _GREATEST_FLOAT in made.SerializeToString():
            made = self._maker.message(message_type, _DEPTH)
        return made

    def ruled(self, rule: HttpRule, message_type: type[Message]) -> Request:
        """Makes a request of a rule."""
        verb = rule.WhichOneof("pattern")
        kind, path = (rule.custom.kind, rule.custom.path) if verb == "custom" else (verb, "")
        path = path or getattr(rule, str(verb))
        message = self.message(message_type)
        if rule.body != "*":
            _narrow(message, without=rule.body)
        file = self._sent(message, rule.body)
        if verb == "patch":
            _name_fields(message)
        for name, pattern in _VARIABLE.findall(path):
            self._fill(message, name.split("."), pattern or "*")
        option = {"method": kind, "uri": path} | ({"body": rule.body} if rule.body else {})
        made = transcode([option], message)  # type: ignore[no-untyped-call]
        has_numbers = self._random.random() < 0.5
        parameters = _tree(made["query_params"], has_numbers=has_numbers)
        query = flatten_query_params(parameters, strict=True)  # type: ignore[no-untyped-call]
        if has_numbers:
            query.append(("$alt", "json;enum-encoding=int"))
        body = json.dumps(_tree(made["body"], has_numbers=has_numbers)) if rule.body else ""
        target = f"{made['uri']}?{urlencode(query)}" if query else made["uri"]
        content = (body.encode(), _JSON) if file is None else file
        return Request(str(kind).upper(), target, *content, message)

    def unruled(self, path: str, message_type: type[Message]) -> Request:
        """Makes a request of a method's own path."""
        message = self.message(message_type)
        body = json.dumps(_tree(message, has_numbers=False)).encode()
        return Request("POST", path, body, _JSON, message)

    def _sent(self, message: Any, field: str) -> tuple[bytes, str] | None:
        """Sets what a rule names as its body, if that is a field or bytes: a body is always sent.

        Returns:
            The body and its content type, if that is no JSON.
        """
        if not field:
            return None
        held = message if field == "*" else getattr(message, field)
        if held is not message:
            held.SetInParent()
        if held.DESCRIPTOR.full_name != HttpBody.DESCRIPTOR.full_name:
            return None
        held.Clear()
        held.content_type, held.data = _PICTURE, self._random.randbytes(20)
        return held.data, held.content_type

    def _fill(self, message: Any, names: Sequence[str], pattern: str) -> None:
        """Sets a field that the path binds to a text that fits its pattern."""
        *above, last = names
        for name in above:
            message = getattr(message, name)
        field = message.DESCRIPTOR.fields_by_name[last]
        if field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, last, _WILDCARD.sub(self._segments, pattern))
        else:
            setattr(message, last, self._random.randint(1, 1000))

    def _segments(self, wildcard: re.Match[str]) -> str:
        count = 1 if wildcard.group() == "*" else self._random.randint(1, 3)
        return "/".join(self._random.choice(_SEGMENTS) for _ in range(count))


def _tree(message: Message, *, has_numbers: bool) -> Any:
    return json_format.MessageToDict(message, use_integers_for_enums=has_numbers)


def _narrow(message: Message, *, without: str = "") -> None:
    """Clears the fields that a query cannot hold.

    Args:
        message: it changes.
        without: a field that the query need not hold.
    """
    for field, value in message.ListFields():
        of = field.message_type
        if of is None or field.name == without:
            continue
        kind = of.full_name.removeprefix(_WELL_KNOWN) if _is_well_known(of.full_name) else ""
        if kind in _TEXTUAL and not field.is_repeated:
            continue
        if field.is_repeated or kind in _NO_QUERY:
            message.ClearField(field.name)
            continue
        _narrow(value)
        if not value.ListFields():
            message.ClearField(field.name)


def _name_fields(message: Message) -> None:
    """Fills empty field masks: the transcoder would, with the names of the fields in the body."""
    for field in message.DESCRIPTOR.fields:
        of = field.message_type
        if of is not None and of.full_name == _FIELD_MASK and not field.is_repeated:
            mask = getattr(message, field.name)
            mask.paths[:] = mask.paths or ["a.b_c"]


def _is_well_known(full_name: str) -> bool:
    return full_name.startswith(_WELL_KNOWN)
