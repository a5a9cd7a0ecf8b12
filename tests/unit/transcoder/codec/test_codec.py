"""ProtoJSON, rule by rule, over messages whose types are made at run time."""

import re
import threading
import time

import pytest
from google.protobuf import any_pb2, descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from tests.support.raised import malformed
from tests.support.schemas import (
    KINDS,
    KINDS_POOL,
    compiled,
    kinds,
    message_type,
    narrowed_kinds,
)
from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.descriptor_sets import TypePools
from transcoder.errors import SchemaError, TranscodeError
from transcoder.options import JsonOptions

ANY = message_type(KINDS_POOL, "google.protobuf.Any")
CODEC = Codec(pool=KINDS_POOL)
NAME = re.compile(r'"(\w+)"\s*:')
OPEN_ANY = b'{"@type":"type.googleapis.com/google.protobuf.Any","value":'


def _narrow(json: str) -> tuple[Codec, type[Message]]:
    """Returns a codec, and a `test.Kinds` with only those fields: the JSON has most of them.

    Another function reads such objects than sparse ones.
    """
    pool = narrowed_kinds(NAME.findall(json))
    return Codec(pool=pool), message_type(pool, "test.Kinds")


def refusal(codec: Codec, wanted: type[Message], text: str | bytes) -> str:
    with pytest.raises(TranscodeError) as caught:
        codec.decode(wanted, text.encode() if isinstance(text, str) else text)
    assert caught.value.http_status == 400
    return caught.value.message


# Each line is a message as text format writes it, and its JSON.
@cases(
    "message, json",
    {
        "nothing set": ("", "{}"),
        "int32 is a number": ("one_int32: -5", '{"oneInt32":-5}'),
        "int64 is a string": (
            "one_int64: -9223372036854775808",
            '{"oneInt64":"-9223372036854775808"}',
        ),
        "uint64 is a string": (
            "one_uint64: 18446744073709551615",
            '{"oneUint64":"18446744073709551615"}',
        ),
        "fixed64 is a string": ("one_fixed64: 7", '{"oneFixed64":"7"}'),
        "bool": ("one_bool: true", '{"oneBool":true}'),
        "string": ('one_string: "a\\"\\n\\303\\251"', '{"oneString":"a\\"\\né"}'),
        "base64, standard": ('one_bytes: "\\377\\376\\375"', '{"oneBytes":"//79"}'),
        "double, shortest": ("one_double: 0.1", '{"oneDouble":0.1}'),
        "float, shortest": ("one_float: 0.1", '{"oneFloat":0.1}'),
        "greatest float": ("one_float: 3.4028235e38", '{"oneFloat":3.4028235e+38}'),
        "float of 9 digits": ("one_float: 16777217", '{"oneFloat":16777216.0}'),
        "NaN is a word": ("one_double: nan", '{"oneDouble":"NaN"}'),
        "infinity is a word": ("one_double: inf", '{"oneDouble":"Infinity"}'),
        "minus infinity is a word": ("one_float: -inf", '{"oneFloat":"-Infinity"}'),
        "minus zero is no default": ("one_double: -0.0", '{"oneDouble":-0.0}'),
        "enum by name": ("one_color: GREEN", '{"oneColor":"GREEN"}'),
        "unknown number of an enum": ("one_color: 99", '{"oneColor":99}'),
        "optional, set to its default": ("maybe_int32: 0", '{"maybeInt32":0}'),
        "optional enum, default": ("maybe_color: RED", '{"maybeColor":"RED"}'),
        "member of a oneof, default": ('choose_string: ""', '{"chooseString":""}'),
        "NullValue is null": ("choose_nullvalue: NULL_VALUE", '{"chooseNullvalue":null}'),
        "message without fields": ("one_kinds {}", '{"oneKinds":{}}'),
        "message within itself": (
            "one_kinds { one_kinds { one_int32: 1 } }",
            '{"oneKinds":{"oneKinds":{"oneInt32":1}}}',
        ),
        "list, defaults and all": ("many_int64: [1, 0]", '{"manyInt64":["1","0"]}'),
        "list of messages": ("many_kinds {} many_kinds {}", '{"manyKinds":[{},{}]}'),
        "list of enums": ("many_color: [GREEN, 5]", '{"manyColor":["GREEN",5]}'),
        "map, default as value": ('map_int32 { key: "a" value: 0 }', '{"mapInt32":{"a":0}}'),
        "map by int64": ("by_int64 { key: -1 value: true }", '{"byInt64":{"-1":true}}'),
        "map by bool": ("by_bool { key: true value: true }", '{"byBool":{"true":true}}'),
        "map of messages": ('map_kinds { key: "" value {} }', '{"mapKinds":{"":{}}}'),
        "Empty": ("one_empty {}", '{"oneEmpty":{}}'),
        "wrapper is what it holds": ("one_int64value { value: 5 }", '{"oneInt64value":"5"}'),
        "wrapper of a default": ("one_boolvalue {}", '{"oneBoolvalue":false}'),
        "list of wrappers": ('many_stringvalue { value: "x" }', '{"manyStringvalue":["x"]}'),
    },
)
def test_a_message_and_its_json_read_as_each_other(message: str, json: str) -> None:
    codec = CODEC
    made = kinds(message)
    assert codec.encode(made).decode() == json
    again = codec.decode(KINDS, json.encode())
    assert again.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)


@cases(
    "json, message",
    {
        "whitespace": (' {\n"oneInt32" :\t1 } ', "one_int32: 1"),
        "proto name": ('{"one_int32":1}', "one_int32: 1"),
        "null is unset": ('{"oneInt32":null,"manyInt32":null,"mapInt32":null}', ""),
        "null message": ('{"oneKinds":null,"oneInt64value":null}', ""),
        "null for an optional field": ('{"maybeInt32":null}', ""),
        "null is a Value": ('{"oneValue":null}', "one_value { null_value: 0 }"),
        "null in a list of Values": ('{"manyValue":[null]}', "many_value { null_value: 0 }"),
        "null is a NullValue": ('{"chooseNullvalue":null}', "choose_nullvalue: 0"),
        "bool in a Value": ('{"oneValue":true}', "one_value { bool_value: true }"),
        "int32 in quotes": ('{"oneInt32":"12"}', "one_int32: 12"),
        "integral float": ('{"oneInt32":1.0}', "one_int32: 1"),
        "exponent": ('{"oneInt32":1e2}', "one_int32: 100"),
        "exponent in quotes": ('{"oneInt32":"1e2"}', "one_int32: 100"),
        "integral float in quotes": ('{"oneInt32":"-1.0"}', "one_int32: -1"),
        "minus zero of an integer": ('{"oneInt32":-0}', ""),
        "2**53+1": ('{"oneInt64":9007199254740993}', "one_int64: 9007199254740993"),
        "2**53+1, float": ('{"oneInt64":9007199254740993.0}', "one_int64: 9007199254740993"),
        "greatest int64, float": (
            '{"oneInt64":9223372036854775807.0}',
            "one_int64: 9223372036854775807",
        ),
        "greatest uint64, exponent": (
            '{"oneUint64":1.8446744073709551615e19}',
            "one_uint64: 18446744073709551615",
        ),
        "other numbers of a document that is read exactly": (
            '{"oneInt64":9.3e5,"oneDouble":0.1,"oneFloat":-0,"oneStruct":{"a":0.5,"b":-0}}',
            "one_int64: 930000 one_double: 0.1 one_float: -0.0 one_struct { fields { key: 'a' value"
            " { number_value: 0.5 } } fields { key: 'b' value { number_value: -0.0 } } }",
        ),
        "minus zero of a double": ('{"oneDouble":-0}', "one_double: -0.0"),
        "minus zero in quotes": ('{"oneDouble":"-0"}', "one_double: -0.0"),
        "integer for a double": ('{"oneDouble":1}', "one_double: 1"),
        "double in quotes": ('{"oneDouble":"1.5e3"}', "one_double: 1500"),
        "float that underflows": ('{"oneFloat":1e-60}', ""),
        "rounds to max": ('{"oneFloat":3.40282350e38}', "one_float: 3.4028235e38"),
        "enum by number": ('{"oneColor":1}', "one_color: GREEN"),
        "enum by integral float": ('{"oneColor":1.0}', "one_color: GREEN"),
        "enum by quoted number": ('{"oneColor":"1"}', "one_color: GREEN"),
        "unknown enum number": ('{"oneColor":2147483647}', "one_color: 2147483647"),
        "base64, URL-safe": ('{"oneBytes":"-_-_"}', 'one_bytes: "\\373\\377\\277"'),
        "base64, unpadded": ('{"oneBytes":"YQ"}', 'one_bytes: "a"'),
        "base64, empty": ('{"oneBytes":""}', ""),
        "escapes": ('{"oneString":"\\u0000\\ud83d\\ude00"}', 'one_string: "\\000😀"'),
        "unknown": ('{"unknown":{"a":[1,{"b":2}]},"oneInt32":1}', "one_int32: 1"),
        "null beside a oneof": ('{"chooseString":null,"chooseInt64":"3"}', "choose_int64: 3"),
        "key with exponent": ('{"byInt32":{"1e1":true}}', "by_int32 { key: 10 value: true }"),
        "null as value of a map": (
            '{"mapValue":{"a":null}}',
            'map_value { key: "a" value { null_value: 0 } }',
        ),
        "Struct in maps and lists": (
            '{"mapStruct":{"k":{"a":[1]}},"manyStruct":[{}],"manyListvalue":[[true]]}',
            "map_struct { key: 'k' value { fields { key: 'a' value { list_value { values {"
            " number_value: 1 } } } } } } many_struct {} many_listvalue { values { bool_value: true"
            " } }",
        ),
        "unknown enum name": ('{"oneColor":"PINK","oneInt32":1}', "one_int32: 1"),
        "unknown enum name in a list": (
            '{"manyColor":["GREEN","PINK","RED"]}',
            "many_color: [GREEN, RED]",
        ),
        "unknown enum name in a map": (
            '{"mapColor":{"a":"PINK","b":"GREEN"}}',
            "map_color { key: 'b' value: GREEN }",
        ),
        "unknown enum name beside a oneof": (
            '{"chooseColor":"PINK","chooseInt64":"3"}',
            "choose_int64: 3",
        ),
        "unknown name of NullValue": ('{"chooseNullvalue":"NIL"}', ""),
    },
)
def test_all_that_protojson_allows_is_read(json: str, message: str) -> None:
    made = kinds(message).SerializeToString(deterministic=True)
    for codec, wanted in (CODEC, KINDS), _narrow(json):
        read = codec.decode(wanted, json.encode())
        assert read.SerializeToString(deterministic=True) == made


@cases(
    "kind, value, got",
    {
        "int32 out of range": ("int32", "2147483648", "2147483648"),
        "negative unsigned": ("uint32", "-1", "-1"),
        "exponent that no memory holds": ("int64", '"1e999999999"', "'1e999999999'"),
        "one below int64": ("int64", "-9223372036854775809", "-9223372036854775809"),
        "one above int64, float": ("int64", "9223372036854775808.0", "9223372036854775808.0"),
        "one above uint64": ("uint64", "18446744073709551616", "18446744073709551616"),
        "inf": ("double", '"1e999"', "'1e999'"),
        "float32": ("float", "3.5e38", "3.5e+38"),
        "float32, negative, in quotes": ("float", '"-1e39"', "'-1e39'"),
        "5,000 digits in quotes": ("int64", f'"{"9" * 5000}"', f"'{'9' * 40}…'"),
        "5,000 digits in quotes, double": ("double", f'"-{"9" * 5000}"', f"'-{'9' * 39}…'"),
        "long number is cut": ("int64", "1" * 300, "1" * 40 + "…"),
    },
)
def test_a_number_out_of_range_is_refused(kind: str, value: str, got: str) -> None:
    field = f"one{kind.capitalize()}"
    json = f'{{"{field}":{value}}}'
    for codec, wanted in (CODEC, KINDS), _narrow(json):
        with malformed(f"{field}: expected {kind}, got {got}, which is out of range"):
            codec.decode(wanted, json.encode())


@cases(
    "field, value, problem",
    {
        "fraction": ("oneInt32", "1.5", "expected int32, got 1.5"),
        "bool for int": ("oneInt32", "true", "expected int32, got true"),
        "empty for int": ("oneInt32", '""', "expected int32, got ''"),
        "space before": ("oneInt32", '" 1"', "expected int32, got ' 1'"),
        "underscore": ("oneInt32", '"1_0"', "expected int32, got '1_0'"),
        "plus sign": ("oneInt32", '"+1"', "expected int32, got '+1'"),
        "leading zero": ("oneInt32", '"01"', "expected int32, got '01'"),
        "other digits": ("oneInt32", '"٣"', "expected int32, got '٣'"),
        "exponent that no digits reach": (
            "oneInt64",
            '"1e-999999999"',
            "expected int64, got '1e-999999999'",
        ),
        "fraction beyond 2**53": (
            "oneInt64",
            "9007199254740993.5",
            "expected int64, got 9007199254740993.5",
        ),
        "no array": ("manyInt32", "1", "expected an array, got 1"),
        "object for a list": ("manyInt32", "{}", "expected an array, got an object"),
        "null for Values": ("manyValue", "null", "expected an array, got null"),
        "no map": ("mapInt32", "[]", "expected an object, got an array"),
        "equal keys": ("byInt32", '{"1":true,"1.0":true}', "a key is given twice"),
        "number for bool": ("oneBool", "1", "expected bool, got 1"),
        "text for bool": ("oneBool", '"true"', "expected bool, got 'true'"),
        "no string": ("oneString", "1", "expected string, got 1"),
        "one character": ("oneBytes", '"Y"', "expected base64, got 'Y'"),
        **{
            f"padding of no group, {text}": (
                "oneBytes",
                f'"{text}"',
                f"expected base64, got {text!r}",
            )
            for text in ("YWJj=", "YWJj==", "YWJj====", "YQ===", "====", "YQ==YQ==")
        },
        "half padded": ("oneBytes", '"YQ="', "expected base64, got 'YQ='"),
        "space": ("oneBytes", '"Y Q="', "expected base64, got 'Y Q='"),
        "not ASCII": ("oneBytes", '"é"', "expected base64, got 'é'"),
        "number for bytes": ("oneBytes", "5", "expected base64, got 5"),
        "word": ("oneDouble", '"inf"', "expected double, got 'inf'"),
        "bool": ("oneDouble", "true", "expected double, got true"),
        "empty double": ("oneDouble", '""', "expected double, got ''"),
        "quoted number beyond an enum": (
            "oneColor",
            '"2147483648"',
            "expected a value of test.Color, got '2147483648'",
        ),
        "number beyond an enum": (
            "oneColor",
            "2147483648",
            "expected a value of test.Color, got 2147483648",
        ),
        "half enum": ("oneColor", "1.5", "expected a value of test.Color, got 1.5"),
        "bool enum": ("oneColor", "true", "expected a value of test.Color, got true"),
        "both names of a field": (
            "oneKinds",
            '{"one_int32":1,"oneInt32":1}',
            "one_int32 and oneInt32 are one field, given twice",
        ),
    },
)
def test_a_value_of_another_kind_is_refused(field: str, value: str, problem: str) -> None:
    json = f'{{"{field}":{value}}}'
    for codec, wanted in (CODEC, KINDS), _narrow(json):
        with malformed(f"{field}: {problem}"):
            codec.decode(wanted, json.encode())


@cases(
    "json, problem",
    {
        "null": ("null", "body: expected an object, got null"),
        "array": ("[]", "body: expected an object, got an array"),
        "string": ('"x"', "body: expected an object, got 'x'"),
        "element of a list": ('{"manyInt32":[1,2,"x"]}', "manyInt32[2]: expected int32, got 'x'"),
        "element of a list, out of range": (
            '{"manyInt32":[1,2147483648]}',
            "manyInt32[1]: expected int32, got 2147483648, which is out of range",
        ),
        "out of range within a message in a list": (
            '{"manyKinds":[{},{"oneInt32":1,"oneKinds":{"oneInt64":"9223372036854775808"}}]}',
            "manyKinds[1].oneKinds.oneInt64: expected int64, got '9223372036854775808', "
            "which is out of range",
        ),
        "null in a list": ('{"manyInt32":[null]}', "manyInt32[0]: expected int32, got null"),
        "null in a list of messages": (
            '{"manyKinds":[null]}',
            "manyKinds[0]: expected an object, got null",
        ),
        "value of a map": ('{"mapInt32":{"a b":"x"}}', "mapInt32['a b']: expected int32, got 'x'"),
        "null in a map": ('{"mapInt32":{"a":null}}', "mapInt32['a']: expected int32, got null"),
        "key of a map": ('{"byInt32":{"x":true}}', "byInt32['x']: expected int32, got 'x'"),
        "key that is no bool": ('{"byBool":{"1":true}}', "byBool['1']: expected bool, got '1'"),
        "two members of a oneof": (
            '{"chooseString":"a","chooseInt64":1}',
            "body: expected one of choose_int64, choose_string, got 2",
        ),
        "a name twice": (
            '{"oneKinds":{"oneInt32":1,"oneInt32":2}}',
            "oneKinds.oneInt32: given twice",
        ),
        "long value is cut": (
            '{"oneString":"' + "x" * 100 + '","oneKinds":"' + "x" * 100 + '"}',
            "oneKinds: expected an object, got 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'",
        ),
    },
)
def test_all_else_is_refused_with_the_path_of_the_field(json: str, problem: str) -> None:
    for codec, wanted in (CODEC, KINDS), _narrow(json):
        with malformed(problem):
            codec.decode(wanted, json.encode())


@cases(
    "json, problem",
    {
        "member that is no field": (
            '{"oneKinds":{"colour":1}}',
            "oneKinds: 'colour' is no field of test.Kinds",
        ),
        "unknown enum name": (
            '{"oneColor":"PINK"}',
            "oneColor: expected a value of test.Color, got 'PINK'",
        ),
        "unknown enum name in a list": (
            '{"manyColor":["GREEN","PINK"]}',
            "manyColor[1]: expected a value of test.Color, got 'PINK'",
        ),
        "unknown enum name in a map": (
            '{"mapColor":{"a":"PINK"}}',
            "mapColor['a']: expected a value of test.Color, got 'PINK'",
        ),
    },
)
def test_strict_refuses_what_is_not_known(json: str, problem: str) -> None:
    with malformed(problem):
        Codec(pool=KINDS_POOL, strict=True).decode(KINDS, json.encode())


@cases(
    "options, json",
    {
        "proto_names": (
            JsonOptions(proto_names=True),
            '{"sub_item":{"big_count":"1"},"item_kind":"SOME"}',
        ),
        "enums_as_ints": (
            JsonOptions(enums_as_ints=True),
            '{"subItem":{"bigCount":"1"},"itemKind":1}',
        ),
        "emit_defaults": (
            JsonOptions(emit_defaults=True),
            '{"bigCount":"0","subItem":{"bigCount":"1","itemKind":"NONE","tags":[],"weights":{},'
            '"ratio":0.0},"itemKind":"SOME","tags":[],"weights":{},"ratio":0.0}',
        ),
    },
)
def test_options_change_what_is_written(options: JsonOptions, json: str) -> None:
    pool = compiled(
        """
        enum Kind {
        NONE = 0;
        SOME = 1;
        }
        message Item {
        int64 big_count = 1;
        Item sub_item = 2;
        Kind item_kind = 3;
        optional string note = 4;
        repeated string tags = 5;
        map<string, int32> weights = 6;
        double ratio = 7;
        }
        """
    )
    item = message_type(pool, "test.Item")(sub_item={"big_count": 1}, item_kind=1)
    assert Codec(options, pool=pool).encode(item).decode() == json


def test_names_that_are_words_of_python_or_methods_of_messages_are_fields() -> None:
    pool = compiled(
        """
        message Odd {
        string from = 1;
        string self = 2;
        optional string HasField = 3;
        repeated string ListFields = 4;
        string out = 5;
        string plain = 6 [json_name = "it's \\ odd"];
        string __debug__ = 7 [json_name = "__debug__"];
        Odd SetInParent = 8;
        }
        """
    )
    odd = message_type(pool, "test.Odd")
    codec = Codec(pool=pool)
    json = (
        b'{"from":"a","self":"b","HasField":"c","ListFields":["d"],"out":"e","it\'s \\\\ odd":"f",'
        b'"__debug__":"g","SetInParent":{"SetInParent":{}}}'
    )
    message = codec.decode(odd, json)
    assert message == odd(
        **{
            "from": "a",
            "self": "b",
            "HasField": "c",
            "ListFields": ["d"],
            "out": "e",
            "plain": "f",
            "__debug__": "g",
            "SetInParent": {"SetInParent": {}},
        }
    )
    assert codec.encode(message) == json


PROTO2 = compiled(
    """
syntax = "proto2";
enum Fixed {
ONE = 1;
TWO = 2;
UNO = 1;
}
message Old {
optional int32 count = 1;
required string name = 2;
optional Fixed fixed = 3;
repeated Fixed several = 4;
extensions 100 to 199;
}
message Extra {
optional int64 size = 1;
}
extend Old {
optional int64 ext_number = 100;
repeated string ext_words = 101;
optional Extra ext_message = 102;
repeated Extra ext_messages = 103;
}
"""
)
OLD = message_type(PROTO2, "test.Old")


@cases(
    "json",
    {
        "presence of defaults": '{"count":0,"name":""}',
        "closed enum": '{"fixed":"TWO","several":["ONE","TWO"]}',
        "extension": '{"[test.ext_number]":"5"}',
        "repeated extension": '{"[test.ext_words]":["a","b"]}',
        "extension that is an empty message": '{"[test.ext_message]":{}}',
        "extension of messages": '{"count":1,"[test.ext_messages]":[{"size":"1"},{}]}',
    },
)
def test_proto2_messages_and_extensions_come_back_the_same(json: str) -> None:
    codec = Codec(pool=PROTO2)
    message = codec.decode(OLD, json.encode())
    assert [codec.encode(message).decode(), codec.encode(message).decode()] == [json, json]


def test_extensions_stand_behind_the_fields_of_a_type_with_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transcoder.codec.encoder.WIDE_MIN", 0)
    codec = Codec(pool=PROTO2)
    json = b'{"count":0,"[test.ext_number]":"5"}'
    assert codec.encode(codec.decode(OLD, json)) == json


def test_the_first_of_two_names_for_one_number_is_written() -> None:
    pool = compiled("enum A {\nZERO = 0;\nONE = 1;\nUNO = 1;\n}\nmessage M {\nA a = 1;\n}")
    # The compiler above leaves out `allow_alias`, which only protoc asks for.
    m = message_type(pool, "test.M")
    codec = Codec(pool=pool)
    assert codec.encode(codec.decode(m, b'{"a":"UNO"}')) == b'{"a":"ONE"}'


@cases(
    "json, problem",
    {
        "closed enum, number": ('{"fixed":3}', "fixed: expected a value of test.Fixed, got 3"),
        "closed enum, quoted number": (
            '{"fixed":"3"}',
            "fixed: expected a value of test.Fixed, got '3'",
        ),
        "value of an extension": (
            '{"[test.ext_number]":"x"}',
            "[test.ext_number]: expected int64, got 'x'",
        ),
    },
)
def test_proto2_values_out_of_range_are_refused(json: str, problem: str) -> None:
    with malformed(problem):
        Codec(pool=PROTO2).decode(OLD, json.encode())


def test_unknown_extensions_are_unknown_members() -> None:
    assert Codec(pool=PROTO2).decode(OLD, b'{"[test.nope]":1}') == OLD()


@cases(
    "opening, value, closing, levels",
    {
        "messages": ('{"oneKinds":', "{}", "}", 100),
        "lists of messages": ('{"manyKinds":[', "{}", "]}", 100),
        "maps of messages": ('{"mapKinds":{"k":', "{}", "}}", 50),
    },
)
def test_messages_nest_up_to_the_limit(opening: str, value: str, closing: str, levels: int) -> None:
    codec = Codec(pool=KINDS_POOL, nesting_max=100)
    within = opening * (levels - 1) + value + closing * (levels - 1)
    read = codec.decode(KINDS, within.encode())
    assert KINDS.FromString(read.SerializeToString()) == read
    beyond = opening * levels + value + closing * levels
    assert refusal(codec, KINDS, beyond).endswith(": nested too deeply")


@cases(
    "name, opening, value, closing, levels",
    {
        "Struct": ("Struct", '{"a":', "1", "}", 33),
        "ListValue": ("ListValue", "[", "1", "]", 50),
        "Value": ("Value", '{"a":[', "1", "]}", 19),
        "Any": (
            "Any",
            '{"@type":"type.googleapis.com/google.protobuf.Any","value":',
            "{}",
            "}",
            99,
        ),
    },
)
def test_dynamic_types_nest_up_to_the_same_limit(
    name: str, opening: str, value: str, closing: str, levels: int
) -> None:
    codec = Codec(pool=KINDS_POOL, nesting_max=100)
    special = message_type(KINDS_POOL, f"google.protobuf.{name}")
    within = opening * levels + value + closing * levels
    read = codec.decode(special, within.encode())
    assert special.FromString(read.SerializeToString()) == read
    beyond = opening * (levels + 1) + value + closing * (levels + 1)
    assert refusal(codec, special, beyond).endswith("nested too deeply")


def test_a_value_below_the_last_level_is_refused() -> None:
    text = '{"oneKinds":' * 99 + '{"oneValue":1}' + "}" * 99
    assert refusal(CODEC, KINDS, text).endswith(": nested too deeply")


def test_more_levels_than_protobuf_reads_are_no_option() -> None:
    with pytest.raises(SchemaError, match="nesting_max: expected at most 100, got 101"):
        Codec(pool=KINDS_POOL, nesting_max=101)


def test_a_long_path_is_cut_at_its_beginning() -> None:
    text = '{"oneKinds":' * 90 + '{"oneInt32":"x"}' + "}" * 90
    problem = refusal(CODEC, KINDS, text)
    assert problem.startswith("…")
    assert problem.endswith(".oneKinds.oneKinds.oneInt32: expected int32, got 'x'")
    assert len(problem) < 250


@cases(
    "json",
    {
        "empty": "{}",
        "message": '{"@type":"type.googleapis.com/test.Kinds","oneInt32":1}',
        "Empty": '{"@type":"type.googleapis.com/google.protobuf.Empty"}',
        "special": '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}',
        "null Value": '{"@type":"type.googleapis.com/google.protobuf.Value","value":null}',
        "Any within Any": (
            '{"@type":"type.googleapis.com/google.protobuf.Any",'
            '"value":{"@type":"type.googleapis.com/google.protobuf.Int64Value","value":"5"}}'
        ),
    },
)
def test_an_any_comes_back_the_same(json: str) -> None:
    message = CODEC.decode(ANY, json.encode())
    assert CODEC.encode(message).decode() == json


def test_the_type_of_an_any_may_stand_anywhere() -> None:
    text = b'{"oneInt32":1,"@type":"type.googleapis.com/test.Kinds"}'
    message = CODEC.decode(ANY, text)
    assert CODEC.encode(message) == b'{"@type":"type.googleapis.com/test.Kinds","oneInt32":1}'


@cases(
    "json, problem",
    {
        "array": ("[]", "body: expected an object, got an array"),
        "no type": ('{"a":1}', 'body: expected a type URL under "@type", got null'),
        "number as type": ('{"@type":5}', 'body: expected a type URL under "@type", got 5'),
        "name without slash": (
            '{"@type":"test.Kinds"}',
            "body: expected a type URL such as type.googleapis.com/package.Type, got 'test.Kinds'",
        ),
        "unknown type": (
            '{"@type":"a/test.Nope"}',
            "body: expected a type that this server knows, got 'test.Nope'",
        ),
        "special without value": (
            '{"@type":"a/google.protobuf.Duration"}',
            'body: expected a Duration under "value", got none',
        ),
        "bad special value": (
            '{"@type":"a/google.protobuf.Duration","value":5}',
            "value: expected a duration in seconds, got 5",
        ),
        "bad field": (
            '{"@type":"a/test.Kinds","oneInt32":"x"}',
            "oneInt32: expected int32, got 'x'",
        ),
    },
)
def test_an_any_that_cannot_be_packed_is_refused(json: str, problem: str) -> None:
    with malformed(problem):
        CODEC.decode(ANY, json.encode())


@cases(
    "packed, json",
    {
        "known": (
            any_pb2.Any(type_url="type.googleapis.com/google.protobuf.Duration", value=b"\x08\x05"),
            {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "5s"},
        ),
        "unknown type": (
            any_pb2.Any(type_url="type.googleapis.com/test.Nope", value=b"\x08\x05"),
            {"@type": "type.googleapis.com/test.Nope", "value": "CAU="},
        ),
        "bytes that are no message": (
            any_pb2.Any(type_url="type.googleapis.com/google.protobuf.Duration", value=b"\xff"),
            {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "/w=="},
        ),
        "no type URL": (
            any_pb2.Any(type_url="nonsense", value=b""),
            {"@type": "nonsense", "value": ""},
        ),
        "value without a type": (any_pb2.Any(value=b"x"), {"@type": "", "value": "eA=="}),
        "empty": (any_pb2.Any(), {}),
    },
)
def test_any_json_never_fails(packed: any_pb2.Any, json: dict[str, object]) -> None:
    assert CODEC.any_json(packed) == json


@cases(
    "field, message, json",
    {
        "scalar": ("one_string", "one_string: 'x'", '"x"'),
        "unset scalar": ("one_string", "", '""'),
        "int64": ("one_int64", "one_int64: 5", '"5"'),
        "message": ("one_kinds", "one_kinds { one_int32: 1 }", '{"oneInt32":1}'),
        "unset message": ("one_kinds", "", "{}"),
        "special": ("one_timestamp", "one_timestamp { }", '"1970-01-01T00:00:00Z"'),
        "unset special": ("one_timestamp", "", "null"),
        "list": ("many_kinds", "many_kinds {}", "[{}]"),
        "empty list": ("many_kinds", "", "[]"),
        "map": ("by_bool", "by_bool { key: false value: true }", '{"false":true}'),
    },
)
def test_one_field_is_written_alone(field: str, message: str, json: str) -> None:
    assert CODEC.encoder(KINDS, field)(kinds(message)).decode() == json


def test_types_compile_the_same_from_several_threads() -> None:
    for _ in range(5):
        codec = Codec(pool=KINDS_POOL)
        start = threading.Barrier(4)
        texts: list[bytes] = []

        def work(
            codec: Codec = codec, start: threading.Barrier = start, texts: list[bytes] = texts
        ) -> None:
            start.wait(5)
            texts.append(codec.encode(codec.decode(KINDS, b'{"oneKinds":{"oneColor":"GREEN"}}')))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert texts == [b'{"oneKinds":{"oneColor":"GREEN"}}'] * 4


@cases(
    "text",
    {
        "100,000 arrays": b"[" * 100_000,
        "1,000,000 arrays": b"[" * 1_000_000,
        "100,000 objects": b'{"oneKinds":' * 100_000,
        "2,000 Anys": b'{"oneAny":' + OPEN_ANY * 2000 + b"{}" + b"}" * 2001,
        "500 Anys, which JSON parsers read": b'{"oneAny":' + OPEN_ANY * 500 + b"{}" + b"}" * 501,
        "number of 5,000 digits": b'{"oneInt32":' + b"9" * 5000 + b"}",
        "quoted, 500,000 digits": b'{"oneInt32":"' + b"9" * 500_000 + b'"}',
        "quoted double": b'{"oneDouble":"' + b"9" * 500_000 + b'"}',
        "deep unknown": b'{"x":' + b"[" * 900 + b"]" * 900 + b',"oneInt32":"x"}',
    },
)
def test_deep_nesting_is_refused_at_once(text: bytes) -> None:
    CODEC.decoder(KINDS)  # which compiles it
    began = time.thread_time()  # which stands while others have the core
    refusal(CODEC, KINDS, text)
    assert time.thread_time() - began < 0.5  # R12 asks for 50 ms on a quiet machine


@cases(
    "member",
    {"unknown": '"unknown":1', "null": '"name":null', "proto name": '"reserved_name":["x"]'},
)
def test_each_member_is_read_once_however_deep(member: str) -> None:
    """Read again at every level, 45 of them would take weeks."""
    nested = f"{{{member}}}"
    for _ in range(45):
        nested = f'{{"nestedType":[{nested}],{member}}}'
    read = Codec().decode(descriptor_pb2.DescriptorProto, nested.encode())
    assert isinstance(read, descriptor_pb2.DescriptorProto)
    depth = 0
    while read.nested_type:
        (read,) = read.nested_type
        depth += 1
    assert depth == 45


@pytest.mark.parametrize("name", ["", "unknown"])
@pytest.mark.parametrize("members", ['{"%s":1,"name":"x"}', '{"name":"x","%s":1}'])
def test_strict_refuses_any_name_that_is_no_field(name: str, members: str) -> None:
    codec = Codec(strict=True)
    problem = refusal(codec, descriptor_pb2.DescriptorProto, (members % name).encode())
    assert problem == f"body: '{name}' is no field of google.protobuf.DescriptorProto"


def pool_with(field: str) -> DescriptorPool:
    """Returns a pool with a type `later.Part` that has one field."""
    file = descriptor_pb2.FileDescriptorProto(name="later.proto", package="later", syntax="proto3")
    message = file.message_type.add(name="Part")
    message.field.add(name=field, number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def test_types_inside_of_any_are_looked_up_again_once_forgotten() -> None:
    types, old, new = TypePools(), pool_with("old"), pool_with("new")
    types.add(old)
    codec = Codec(pool=types)
    packed = any_pb2.Any(type_url="type.example/later.Part", value=b"\x0a\x01x")
    read = b'{"@type":"type.example/later.Part","new":"x"}'
    assert codec.any_json(packed) == {"@type": "type.example/later.Part", "old": "x"}
    assert codec.decode(any_pb2.Any, read.replace(b"new", b"old")) == packed
    types.discard(old)
    types.add(new)
    codec.forget_types()
    assert codec.any_json(packed) == {"@type": "type.example/later.Part", "new": "x"}
    assert codec.decode(any_pb2.Any, read) == packed
