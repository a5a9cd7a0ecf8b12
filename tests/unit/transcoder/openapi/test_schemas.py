"""Schemas of messages: what ProtoJSON writes fits them, and what it refuses does not."""

from json import loads
from typing import Any

from google.protobuf import json_format
from openapi_schema_validator import OAS31Validator

from tests.proto.everything_pb2 import Everything
from tests.support.schemas import compiled
from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.openapi.comments import Comments
from transcoder.openapi.schemas import Schemas
from transcoder.options import JsonOptions

DOUBLE = {
    "anyOf": [
        {"type": "number", "format": "double"},
        {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]},
    ]
}
INT64 = {
    "type": "string",
    "format": "int64",
    "pattern": "^(0|-?([1-9][0-9]{0,17}|[1-8][0-9]{18}|9[0-2][0-9]{17}))$",
}
BYTES = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
COLOR = {"$ref": "#/components/schemas/everything.v1.Color"}
PART = {"$ref": "#/components/schemas/everything.v1.Part"}

FULL = {
    "name": "n",
    "aDouble": "NaN",
    "aFloat": 1.5,
    "anInt32": -1,
    "anInt64": "-9223372036854775808",
    "aUint64": "18446744073709551615",
    "someBytes": "AAE=",
    "color": "COLOR_BLUE",
    "@odd": "o",
    "colors": ["COLOR_RED"],
    "parts": [{"inner": {"inner": {"size": 1}}}],
    "waits": ["-1.500s", "315576000000s", "299999999999s", "-315499999999s"],
    "values": [None, 1, {"a": []}],
    "byInt32": {"-1": "2"},
    "byUint64": {"1": 1.0},
    "byBool": {"true": "AA=="},
    "partsByKey": {"k": {"left": 1}},
    "timesByKey": {"k": "2026-01-01T00:00:00Z"},
    "nothing": None,
    "timestamp": "2026-01-01T00:00:00.500Z",
    "duration": "0.000000001s",
    "updateMask": "aDouble,part.first",
    "struct": {"a": {"b": None}},
    "value": "text",
    "list": [1, "a"],
    "any": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"},
    "empty": {},
    "wrappedInt64": "1",
    "wrappedBytes": "AA==",
    "wrappedBool": False,
}


def schema_of(json: JsonOptions = JsonOptions()) -> dict[str, Any]:  # noqa: B008  frozen
    schemas = Schemas(json, Comments(b""))
    schema = schemas.of_message(Everything.DESCRIPTOR)
    schemas.complete()
    return schema | {"components": {"schemas": schemas.components}}


@cases(
    "name, schema",
    {
        "int64": ("anInt64", INT64),
        "double": ("aDouble", DOUBLE),
        "bool": ("aBool", {"type": "boolean"}),
        "bytes": ("someBytes", BYTES),
        "enum": ("color", COLOR),
        "json_name": ("@odd", {"type": "string"}),
        "list": ("numbers", {"type": "array", "items": INT64}),
        "list of messages": ("parts", {"type": "array", "items": PART}),
        "map": ("labels", {"type": "object", "additionalProperties": {"type": "string"}}),
        "map of messages": ("partsByKey", {"type": "object", "additionalProperties": PART}),
        "keys that are numbers": (
            "byInt32",
            {
                "type": "object",
                "additionalProperties": INT64,
                "propertyNames": {"pattern": "^(0|-?[1-9][0-9]*)$"},
            },
        ),
        "keys that are bools": (
            "byBool",
            {
                "type": "object",
                "additionalProperties": BYTES,
                "propertyNames": {"enum": ["true", "false"]},
            },
        ),
        "message": ("part", PART),
        "null": ("nothing", {"type": "null"}),
        "Timestamp": ("timestamp", {"type": "string", "format": "date-time"}),
        "Struct": ("struct", {"type": "object", "additionalProperties": True}),
        "wrapper": ("wrappedInt64", INT64),
    },
)
def test_a_field_has_the_schema_of_its_json(name: str, schema: dict[str, Any]) -> None:
    components = schema_of()["components"]["schemas"]
    assert components["everything.v1.Everything"]["properties"][name] == schema


def test_a_type_that_holds_itself_is_a_reference() -> None:
    components = schema_of()["components"]["schemas"]
    assert components["everything.v1.Part"]["properties"]["inner"] == PART


def test_enums_are_their_names() -> None:
    names = ["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"]
    components = schema_of()["components"]["schemas"]
    assert components["everything.v1.Color"] == {"type": "string", "enum": names}


def written(message: Everything, json: JsonOptions = JsonOptions()) -> Any:  # noqa: B008  frozen
    return loads(Codec(json).encode(message))


def test_json_of_a_message_fits_its_schema() -> None:
    message = json_format.ParseDict(FULL, Everything())
    assert written(message) == FULL
    OAS31Validator(schema_of()).validate(written(message))


def test_options_of_json_change_names_and_enums() -> None:
    json = JsonOptions(proto_names=True, enums_as_ints=True, emit_defaults=True)
    schema = schema_of(json)
    components = schema["components"]["schemas"]
    enum = {"type": "integer", "format": "int32", "enum": [0, 1, -2]}
    assert components["everything.v1.Color"] == enum
    assert "an_int64" in components["everything.v1.Everything"]["properties"]
    message = json_format.ParseDict(FULL, Everything())
    OAS31Validator(schema).validate(written(message, json))


@cases(
    "instance",
    {
        "an int64 that is a number": {"anInt64": 1},
        "an int64 with a leading zero": {"anInt64": "08"},
        "an int64 out of range": {"anInt64": "10000000000000000000"},
        "a uint64 out of range": {"aUint64": "20000000000000000000"},
        "an int32 out of range": {"anInt32": 2**31},
        "a uint32 below zero": {"aUint32": -1},
        "an unknown enum": {"color": "COLOR_NONE"},
        "two members of a oneof": {"text": "a", "number": "1"},
        "a oneof with a null": {"text": "a", "nothing": None},
        "a map with a wrong key": {"byInt32": {"a": "1"}},
        "bytes that are no base64": {"someBytes": "AA"},
        "a Duration without its unit": {"duration": "1"},
        "a Duration out of range": {"duration": "315576000001s"},
        "a Duration far out of range": {"duration": "-400000000000s"},
        "a wrong element": {"tags": [1]},
        "an inner fault": {"part": {"inner": {"size": "x"}}},
    },
)
def test_other_json_does_not_fit(instance: dict[str, Any]) -> None:
    validator = OAS31Validator(schema_of())
    assert not validator.is_valid(instance)


def test_types_nest_without_limit() -> None:
    chain = "\n".join(f"message M{n} {{\nM{n + 1} next = 1;\n}}" for n in range(1000))
    pool = compiled(chain + "\nmessage M1000 {\n}")
    schemas = Schemas(JsonOptions(), Comments(b""))
    schemas.of_message(pool.FindMessageTypeByName("test.M0"))
    schemas.complete()
    assert len(schemas.components) == 1001
