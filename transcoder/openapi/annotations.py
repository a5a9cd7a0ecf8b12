"""Reads what options of a .proto say of a value: its rules, its behaviour, its deprecation.

Follows google/api/field_behavior.proto, google/api/resource.proto, validate.proto of
protoc-gen-validate, and buf/validate/validate.proto of protovalidate. What openapiv2.proto says of
a field comes last.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message

from transcoder.openapi.defaults import may_be_empty, refuses_default
from transcoder.openapi.extensions import extensions_of
from transcoder.openapi.openapiv2 import field_notes
from transcoder.openapi.resources import reference_notes
from transcoder.openapi.values import Schema

_BEHAVIOR: Final = "google.api.field_behavior"
_DEPRECATED: Final = "google.protobuf.FieldOptions.deprecated"
_RULES: Final = ("validate.rules", "buf.validate.field")
_ONEOF_RULES: Final = ("validate.required", "buf.validate.oneof")

_RANGE: Final = {
    "gte": "minimum",
    "lte": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "const": "const",
}
_KEYWORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "string": {
        "min_len": "minLength",
        "max_len": "maxLength",
        "pattern": "pattern",
        "const": "const",
    },
    "repeated": {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"},
    "map": {"min_pairs": "minProperties", "max_pairs": "maxProperties"},
} | dict.fromkeys(("float", "double", "int32", "uint32", "sint32", "fixed32", "sfixed32"), _RANGE)
"""The keyword of JSON Schema for each rule, by kind; integers of 64 bits are strings in JSON."""

_FORMATS: Final = {
    "email": "email",
    "hostname": "hostname",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "uri": "uri",
    "uuid": "uuid",
}
_ELEMENTS: Final = {"repeated": "items", "map": "values"}


class FieldNotes(NamedTuple):
    """Holds what the options of a field say.

    Attributes:
        keywords: of its schema.
        element_keywords: of the schema of an element, or of a value of a map.
        is_required: True if each message has the field.
    """

    keywords: Schema
    element_keywords: Schema
    is_required: bool


def notes_of(field: FieldDescriptor) -> FieldNotes:
    """Returns what the options of a field say."""
    options = extensions_of(field)
    behaviors = options.get(_BEHAVIOR, ())
    keywords = reference_notes(options)
    elements: Schema = {}
    is_required = field.is_required or field_behavior_pb2.REQUIRED in behaviors
    if options.get(_DEPRECATED):
        keywords["deprecated"] = True
    if field_behavior_pb2.OUTPUT_ONLY in behaviors:
        keywords["readOnly"] = True
    if field_behavior_pb2.INPUT_ONLY in behaviors:
        keywords["writeOnly"] = True
    for rules in _given(options, _RULES):
        keywords |= _keywords(rules)
        elements |= _element_keywords(rules)
        is_required |= _is_set(rules, "required") or refuses_default(field, rules)
    own, of_elements, is_named = field_notes(field, options)
    return FieldNotes(keywords | own, elements | of_elements, is_required or is_named)


def is_required_oneof(oneof: OneofDescriptor) -> bool:
    """True if a rule requires one of its fields."""
    return any(
        rules is True or (isinstance(rules, Message) and _is_set(rules, "required"))
        for rules in _given(extensions_of(oneof), _ONEOF_RULES)
    )


def _given(options: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    return (options[name] for name in names if name in options)


def _is_set(rules: Message, name: str) -> bool:
    return bool(getattr(rules, name, False))


def _keywords(rules: Any) -> Schema:  # noqa: ANN401  a message of either file
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    made: Schema = {}
    of_kind = getattr(rules, kind)
    if may_be_empty(rules):
        return {}
    by_rule = _KEYWORDS.get(kind, {})
    for rule, value in of_kind.ListFields():
        if rule.name in by_rule:
            made[by_rule[rule.name]] = value
        elif kind == "string" and rule.name in _FORMATS and value:
            made["format"] = _FORMATS[rule.name]
        elif kind == "string" and rule.name == "len":
            made |= {"minLength": value, "maxLength": value}
        elif rule.name == "in" and (kind == "string" or by_rule is _RANGE):
            made["enum"] = list(value)
    return made


def _element_keywords(rules: Any) -> Schema:  # noqa: ANN401  a message of either file
    kind = rules.WhichOneof("type")
    if kind not in _ELEMENTS:
        return {}
    of_kind, name = getattr(rules, kind), _ELEMENTS[kind]
    if name not in of_kind.DESCRIPTOR.fields_by_name or not of_kind.HasField(name):
        return {}
    return _keywords(getattr(of_kind, name))
