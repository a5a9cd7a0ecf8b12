"""Lists the JSON Schema of each kind of value that is no ordinary message.

Follows protobuf.dev, "ProtoJSON Format", and JSON Schema 2020-12, as OpenAPI 3.1 has it.
Rule: a schema describes JSON as it is written. What is read besides (a number for an int64, null
for an unset field) is left out: clients are generated from it.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from transcoder.codec import structs, wellknown

Schema = dict[str, Any]
"""A JSON Schema, or another object of the document."""

_INT32: Final[Schema] = {
    "type": "integer",
    "format": "int32",
    "minimum": -(2**31),
    "maximum": 2**31 - 1,
}
_UINT32: Final[Schema] = {
    "type": "integer",
    "format": "uint32",
    "minimum": 0,
    "maximum": 2**32 - 1,
}
_INT64: Final[Schema] = {
    "type": "string",
    "format": "int64",
    "pattern": "^(0|-?([1-9][0-9]{0,17}|[1-8][0-9]{18}|9[0-2][0-9]{17}))$",
}
_UINT64: Final[Schema] = {
    "type": "string",
    "format": "uint64",
    "pattern": "^(0|[1-9][0-9]{0,18}|1[0-8][0-9]{18})$",
}
_NO_NUMBERS: Final[Schema] = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}
_DOUBLE: Final[Schema] = {"anyOf": [{"type": "number", "format": "double"}, _NO_NUMBERS]}
_FLOAT: Final[Schema] = {"anyOf": [{"type": "number", "format": "float"}, _NO_NUMBERS]}
_BYTES: Final[Schema] = {
    "type": "string",
    "contentEncoding": "base64",  # asserts nothing
    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}

_SECONDS: Final = (
    "[0-9]{1,11}|[12][0-9]{11}|30[0-9]{10}|31[0-4][0-9]{9}|315[0-4][0-9]{8}|3155[0-6][0-9]{7}"
    "|31557[0-5][0-9]{6}|315576000000"
)
"""The seconds of a Duration: at most 315,576,000,000."""

SCALARS: Final[Mapping[int, Schema]] = {
    FieldDescriptor.TYPE_DOUBLE: _DOUBLE,
    FieldDescriptor.TYPE_FLOAT: _FLOAT,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: _BYTES,
}
"""Schemas by the type of a field; enums and messages have none here."""

ANY: Final[Schema] = {
    "type": "object",
    "description": "A message of any type, which its @type names.",
    "properties": {"@type": {"type": "string"}},
    "additionalProperties": True,
}

SPECIAL: Final[Mapping[str, Schema]] = {
    wellknown.TIMESTAMP: {"type": "string", "format": "date-time"},
    wellknown.DURATION: {"type": "string", "pattern": rf"^-?({_SECONDS})(\.[0-9]{{1,9}})?s$"},
    wellknown.FIELD_MASK: {
        "type": "string",
        "description": "Names of fields, separated by commas.",
    },
    structs.STRUCT: {"type": "object", "additionalProperties": True},
    structs.VALUE: {"description": "Any JSON value."},
    structs.LIST_VALUE: {"type": "array", "items": {}},
    "google.protobuf.DoubleValue": _DOUBLE,
    "google.protobuf.FloatValue": _FLOAT,
    "google.protobuf.Int64Value": _INT64,
    "google.protobuf.UInt64Value": _UINT64,
    "google.protobuf.Int32Value": _INT32,
    "google.protobuf.UInt32Value": _UINT32,
    "google.protobuf.BoolValue": {"type": "boolean"},
    "google.protobuf.StringValue": {"type": "string"},
    "google.protobuf.BytesValue": _BYTES,
    wellknown.ANY: ANY,
}
"""Schemas of the messages whose JSON is not an object of their fields, by full name."""

MAP_KEYS: Final[Mapping[int, Schema]] = (
    {
        FieldDescriptor.TYPE_BOOL: {"enum": ["true", "false"]},
        FieldDescriptor.TYPE_STRING: {},
    }
    | {
        kind: {"pattern": "^(0|-?[1-9][0-9]*)$"}
        for kind, schema in SCALARS.items()
        if schema in (_INT32, _INT64)
    }
    | {
        kind: {"pattern": "^(0|[1-9][0-9]*)$"}
        for kind, schema in SCALARS.items()
        if schema in (_UINT32, _UINT64)
    }
)
"""Schemas of the keys of maps, which are strings in JSON."""
