"""ProtoJSON, rule by rule, over messages whose types are made at run time."""

import threading
import time
from collections.abc import Callable

import pytest
from google.protobuf import any_pb2, descriptor_pb2, message_factory, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault
from transcoder.errors import SchemaError, TranscodeError
from transcoder.options import JsonOptions

CompileProto = Callable[[str], DescriptorPool]


def type_of(pool: DescriptorPool, name: str) -> type[Message]:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def refusal(codec: Codec, message_type: type[Message], text: bytes) -> str:
    with pytest.raises(TranscodeError) as caught:
        codec.decode(message_type, text)
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
def test_a_message_and_its_json_read_as_each_other(
    pool: DescriptorPool, kinds: type[Message], message: str, json: str
) -> None:
    codec = Codec(pool=pool)
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    assert codec.encode(made).decode() == json
    again = codec.decode(kinds, json.encode())
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
def test_all_that_protojson_allows_is_read(
    pool: DescriptorPool, kinds: type[Message], json: str, message: str
) -> None:
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    read = Codec(pool=pool).decode(kinds, json.encode())
    assert read.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)


@cases(
    "json, problem",
    {
        "null": ("null", "body: expected an object, got null"),
        "array": ("[]", "body: expected an object, got an array"),
        "string": ('"x"', "body: expected an object, got 'x'"),
        "int32 out of range": (
            '{"oneInt32":2147483648}',
            "oneInt32: expected int32, got 2147483648, which is out of range",
        ),
        "negative unsigned": (
            '{"oneUint32":-1}',
            "oneUint32: expected uint32, got -1, which is out of range",
        ),
        "fraction": ('{"oneInt32":1.5}', "oneInt32: expected int32, got 1.5"),
        "bool for int": ('{"oneInt32":true}', "oneInt32: expected int32, got true"),
        "empty for int": ('{"oneInt32":""}', "oneInt32: expected int32, got ''"),
        "space before": ('{"oneInt32":" 1"}', "oneInt32: expected int32, got ' 1'"),
        "underscore": ('{"oneInt32":"1_0"}', "oneInt32: expected int32, got '1_0'"),
        "plus sign": ('{"oneInt32":"+1"}', "oneInt32: expected int32, got '+1'"),
        "leading zero": ('{"oneInt32":"01"}', "oneInt32: expected int32, got '01'"),
        "other digits": ('{"oneInt32":"٣"}', "oneInt32: expected int32, got '٣'"),
        "exponent that no memory holds": (
            '{"oneInt64":"1e999999999"}',
            "oneInt64: expected int64, got '1e999999999', which is out of range",
        ),
        "exponent that no digits reach": (
            '{"oneInt64":"1e-999999999"}',
            "oneInt64: expected int64, got '1e-999999999'",
        ),
        "one below int64": (
            '{"oneInt64":-9223372036854775809}',
            "oneInt64: expected int64, got -9223372036854775809, which is out of range",
        ),
        "one above int64, float": (
            '{"oneInt64":9223372036854775808.0}',
            "oneInt64: expected int64, got 9223372036854775808.0, which is out of range",
        ),
        "one above uint64": (
            '{"oneUint64":18446744073709551616}',
            "oneUint64: expected uint64, got 18446744073709551616, which is out of range",
        ),
        "fraction beyond 2**53": (
            '{"oneInt64":9007199254740993.5}',
            "oneInt64: expected int64, got 9007199254740993.5",
        ),
        "element of a list": ('{"manyInt32":[1,2,"x"]}', "manyInt32[2]: expected int32, got 'x'"),
        "null in a list": ('{"manyInt32":[null]}', "manyInt32[0]: expected int32, got null"),
        "null in a list of messages": (
            '{"manyKinds":[null]}',
            "manyKinds[0]: expected an object, got null",
        ),
        "no array": ('{"manyInt32":1}', "manyInt32: expected an array, got 1"),
        "object for a list": ('{"manyInt32":{}}', "manyInt32: expected an array, got an object"),
        "null for Values": ('{"manyValue":null}', "manyValue: expected an array, got null"),
        "no map": ('{"mapInt32":[]}', "mapInt32: expected an object, got an array"),
        "value of a map": ('{"mapInt32":{"a b":"x"}}', "mapInt32['a b']: expected int32, got 'x'"),
        "null in a map": ('{"mapInt32":{"a":null}}', "mapInt32['a']: expected int32, got null"),
        "key of a map": ('{"byInt32":{"x":true}}', "byInt32['x']: expected int32, got 'x'"),
        "key that is no bool": ('{"byBool":{"1":true}}', "byBool['1']: expected bool, got '1'"),
        "equal keys": ('{"byInt32":{"1":true,"1.0":true}}', "byInt32: a key is given twice"),
        "number for bool": ('{"oneBool":1}', "oneBool: expected bool, got 1"),
        "text for bool": ('{"oneBool":"true"}', "oneBool: expected bool, got 'true'"),
        "no string": ('{"oneString":1}', "oneString: expected string, got 1"),
        "one character": ('{"oneBytes":"Y"}', "oneBytes: expected base64, got 'Y'"),
        "half padded": ('{"oneBytes":"YQ="}', "oneBytes: expected base64, got 'YQ='"),
        **{
            f"padding of no group, {text}": (
                f'{{"oneBytes":"{text}"}}',
                f"oneBytes: expected base64, got '{text}'",
            )
            for text in ("YWJj=", "YWJj==", "YWJj====", "YQ===", "====", "YQ==YQ==")
        },
        "space": ('{"oneBytes":"Y Q="}', "oneBytes: expected base64, got 'Y Q='"),
        "not ASCII": ('{"oneBytes":"é"}', "oneBytes: expected base64, got 'é'"),
        "number for bytes": ('{"oneBytes":5}', "oneBytes: expected base64, got 5"),
        "inf": (
            '{"oneDouble":"1e999"}',
            "oneDouble: expected double, got '1e999', which is out of range",
        ),
        "5,000 digits in quotes": (
            f'{{"oneInt64":"{"9" * 5000}"}}',
            f"oneInt64: expected int64, got '{'9' * 40}…', which is out of range",
        ),
        "5,000 digits in quotes, double": (
            f'{{"oneDouble":"-{"9" * 5000}"}}',
            f"oneDouble: expected double, got '-{'9' * 39}…', which is out of range",
        ),
        "word": ('{"oneDouble":"inf"}', "oneDouble: expected double, got 'inf'"),
        "bool": ('{"oneDouble":true}', "oneDouble: expected double, got true"),
        "empty double": ('{"oneDouble":""}', "oneDouble: expected double, got ''"),
        "float32": (
            '{"oneFloat":3.5e38}',
            "oneFloat: expected float, got 3.5e+38, which is out of range",
        ),
        "float32, negative, in quotes": (
            '{"oneFloat":"-1e39"}',
            "oneFloat: expected float, got '-1e39', which is out of range",
        ),
        "quoted number beyond an enum": (
            '{"oneColor":"2147483648"}',
            "oneColor: expected a value of test.Color, got '2147483648'",
        ),
        "number beyond an enum": (
            '{"oneColor":2147483648}',
            "oneColor: expected a value of test.Color, got 2147483648",
        ),
        "half enum": ('{"oneColor":1.5}', "oneColor: expected a value of test.Color, got 1.5"),
        "bool enum": ('{"oneColor":true}', "oneColor: expected a value of test.Color, got true"),
        "two members of a oneof": (
            '{"chooseString":"a","chooseInt64":1}',
            "body: expected one of choose_int64, choose_string, got 2",
        ),
        "both names of a field": (
            '{"oneKinds":{"one_int32":1,"oneInt32":1}}',
            "oneKinds: one_int32 and oneInt32 are one field, given twice",
        ),
        "a name twice": (
            '{"oneKinds":{"oneInt32":1,"oneInt32":2}}',
            "oneKinds.oneInt32: given twice",
        ),
        "long value is cut": (
            '{"oneString":"' + "x" * 100 + '","oneKinds":"' + "x" * 100 + '"}',
            "oneKinds: expected an object, got 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'",
        ),
        "long number is cut": (
            '{"oneInt64":' + "1" * 300 + "}",
            "oneInt64: expected int64, got 1111111111111111111111111111111111111111…, "
            "which is out of range",
        ),
    },
)
def test_all_else_is_refused_with_the_path_of_the_field(
    pool: DescriptorPool, kinds: type[Message], json: str, problem: str
) -> None:
    assert refusal(Codec(pool=pool), kinds, json.encode()) == problem


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
def test_strict_refuses_what_is_not_known(
    pool: DescriptorPool, kinds: type[Message], json: str, problem: str
) -> None:
    assert refusal(Codec(pool=pool, strict=True), kinds, json.encode()) == problem


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
def test_options_change_what_is_written(
    compile_proto: CompileProto, options: JsonOptions, json: str
) -> None:
    pool = compile_proto(
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
    item = type_of(pool, "test.Item")(sub_item={"big_count": 1}, item_kind=1)
    assert Codec(options, pool=pool).encode(item).decode() == json


def test_names_that_are_words_of_python_or_methods_of_messages_are_fields(
    compile_proto: CompileProto,
) -> None:
    pool = compile_proto(
        """
        message Odd {
        string from = 1;
        string self = 2;
        optional string HasField = 3;
        repeated string ListFields = 4;
        string out = 5;
        string plain = 6 [json_name = "it's \\ odd"];
        }
        """
    )
    odd = type_of(pool, "test.Odd")
    codec = Codec(pool=pool)
    json = (
        b'{"from":"a","self":"b","HasField":"c","ListFields":["d"],"out":"e","it\'s \\\\ odd":"f"}'
    )
    message = codec.decode(odd, json)
    assert message == odd(
        **{"from": "a", "self": "b", "HasField": "c", "ListFields": ["d"], "out": "e", "plain": "f"}
    )
    assert codec.encode(message) == json


PROTO2 = """
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
def test_proto2_messages_and_extensions_come_back_the_same(
    compile_proto: CompileProto, json: str
) -> None:
    pool = compile_proto(PROTO2)
    old = type_of(pool, "test.Old")
    codec = Codec(pool=pool)
    message = codec.decode(old, json.encode())
    assert [codec.encode(message).decode(), codec.encode(message).decode()] == [json, json]


def test_extensions_stand_behind_the_fields_of_a_type_with_many(
    compile_proto: CompileProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcoder.codec.encoder.WIDE_MIN", 0)
    pool = compile_proto(PROTO2)
    codec = Codec(pool=pool)
    json = b'{"count":0,"[test.ext_number]":"5"}'
    assert codec.encode(codec.decode(type_of(pool, "test.Old"), json)) == json


def test_of_two_names_for_one_number_the_first_is_written(compile_proto: CompileProto) -> None:
    pool = compile_proto("enum A {\nZERO = 0;\nONE = 1;\nUNO = 1;\n}\nmessage M {\nA a = 1;\n}")
    # The compiler above leaves out `allow_alias`, which only protoc asks for.
    m = type_of(pool, "test.M")
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
def test_proto2_values_out_of_range_are_refused(
    compile_proto: CompileProto, json: str, problem: str
) -> None:
    pool = compile_proto(PROTO2)
    assert refusal(Codec(pool=pool), type_of(pool, "test.Old"), json.encode()) == problem


def test_unknown_extensions_are_unknown_members(compile_proto: CompileProto) -> None:
    pool = compile_proto(PROTO2)
    old = type_of(pool, "test.Old")
    assert Codec(pool=pool).decode(old, b'{"[test.nope]":1}') == old()


@cases(
    "opening, value, closing, levels",
    {
        "messages": ('{"oneKinds":', "{}", "}", 100),
        "lists of messages": ('{"manyKinds":[', "{}", "]}", 100),
        "maps of messages": ('{"mapKinds":{"k":', "{}", "}}", 50),
    },
)
def test_messages_nest_up_to_the_limit(
    pool: DescriptorPool,
    kinds: type[Message],
    opening: str,
    value: str,
    closing: str,
    levels: int,
) -> None:
    codec = Codec(pool=pool, nesting_max=100)
    within = opening * (levels - 1) + value + closing * (levels - 1)
    read = codec.decode(kinds, within.encode())
    assert kinds.FromString(read.SerializeToString()) == read
    beyond = opening * levels + value + closing * levels
    assert refusal(codec, kinds, beyond.encode()).endswith(": nested too deeply")


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
    pool: DescriptorPool, name: str, opening: str, value: str, closing: str, levels: int
) -> None:
    codec = Codec(pool=pool, nesting_max=100)
    message_type = type_of(pool, f"google.protobuf.{name}")
    within = opening * levels + value + closing * levels
    read = codec.decode(message_type, within.encode())
    assert message_type.FromString(read.SerializeToString()) == read
    beyond = opening * (levels + 1) + value + closing * (levels + 1)
    assert refusal(codec, message_type, beyond.encode()).endswith("nested too deeply")


def test_a_value_below_the_last_level_is_refused(
    pool: DescriptorPool, kinds: type[Message]
) -> None:
    text = '{"oneKinds":' * 99 + '{"oneValue":1}' + "}" * 99
    assert refusal(Codec(pool=pool), kinds, text.encode()).endswith(": nested too deeply")


def test_more_levels_than_protobuf_reads_are_no_option(pool: DescriptorPool) -> None:
    with pytest.raises(SchemaError, match="nesting_max: expected at most 100, got 101"):
        Codec(pool=pool, nesting_max=101)


def test_a_long_path_is_cut_at_its_beginning(pool: DescriptorPool, kinds: type[Message]) -> None:
    text = '{"oneKinds":' * 90 + '{"oneInt32":"x"}' + "}" * 90
    problem = refusal(Codec(pool=pool), kinds, text.encode())
    assert problem.startswith("…")
    assert problem.endswith(".oneKinds.oneKinds.oneInt32: expected int32, got 'x'")
    assert len(problem) < 250


ANY = "type.googleapis.com"


@cases(
    "json",
    {
        "empty": "{}",
        "message": f'{{"@type":"{ANY}/test.Kinds","oneInt32":1}}',
        "Empty": f'{{"@type":"{ANY}/google.protobuf.Empty"}}',
        "special": f'{{"@type":"{ANY}/google.protobuf.Duration","value":"1s"}}',
        "null Value": f'{{"@type":"{ANY}/google.protobuf.Value","value":null}}',
        "Any within Any": (
            f'{{"@type":"{ANY}/google.protobuf.Any",'
            f'"value":{{"@type":"{ANY}/google.protobuf.Int64Value","value":"5"}}}}'
        ),
    },
)
def test_an_any_comes_back_the_same(pool: DescriptorPool, json: str) -> None:
    codec = Codec(pool=pool)
    message = codec.decode(type_of(pool, "google.protobuf.Any"), json.encode())
    assert codec.encode(message).decode() == json


def test_the_type_of_an_any_may_stand_anywhere(pool: DescriptorPool) -> None:
    codec = Codec(pool=pool)
    text = f'{{"oneInt32":1,"@type":"{ANY}/test.Kinds"}}'.encode()
    message = codec.decode(type_of(pool, "google.protobuf.Any"), text)
    assert codec.encode(message) == f'{{"@type":"{ANY}/test.Kinds","oneInt32":1}}'.encode()


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
def test_an_any_that_cannot_be_packed_is_refused(
    pool: DescriptorPool, json: str, problem: str
) -> None:
    any_type = type_of(pool, "google.protobuf.Any")
    assert refusal(Codec(pool=pool), any_type, json.encode()) == problem


@cases(
    "packed, json",
    {
        "known": (
            any_pb2.Any(type_url=f"{ANY}/google.protobuf.Duration", value=b"\x08\x05"),
            {"@type": f"{ANY}/google.protobuf.Duration", "value": "5s"},
        ),
        "unknown type": (
            any_pb2.Any(type_url=f"{ANY}/test.Nope", value=b"\x08\x05"),
            {"@type": f"{ANY}/test.Nope", "value": "CAU="},
        ),
        "bytes that are no message": (
            any_pb2.Any(type_url=f"{ANY}/google.protobuf.Duration", value=b"\xff"),
            {"@type": f"{ANY}/google.protobuf.Duration", "value": "/w=="},
        ),
        "no type URL": (
            any_pb2.Any(type_url="nonsense", value=b""),
            {"@type": "nonsense", "value": ""},
        ),
        "value without a type": (any_pb2.Any(value=b"x"), {"@type": "", "value": "eA=="}),
        "empty": (any_pb2.Any(), {}),
    },
)
def test_any_json_never_fails(
    pool: DescriptorPool, packed: any_pb2.Any, json: dict[str, object]
) -> None:
    assert Codec(pool=pool).any_json(packed) == json


@cases(
    "message",
    {
        "NaN": "one_struct { fields { key: 'a' value { number_value: nan } } }",
        "Timestamp in the year 10000": "one_timestamp { seconds: 253402300800 }",
        "Timestamp with negative nanos": "one_timestamp { nanos: -1 }",
        "Duration of two signs": "one_duration { seconds: 1 nanos: -1 }",
        "Duration too long": "one_duration { seconds: 315576000001 }",
        "FieldMask with a capital": "one_fieldmask { paths: 'fooBar' }",
        "FieldMask with a digit behind _": "one_fieldmask { paths: 'foo_3' }",
        "Any of an unknown type": "one_any { type_url: 'a/test.Nope' }",
    },
)
def test_a_message_without_a_json_form_is_the_servers_fault(
    pool: DescriptorPool, kinds: type[Message], message: str
) -> None:
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    with pytest.raises(Fault):
        Codec(pool=pool).encode(made)


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
def test_one_field_is_written_alone(
    pool: DescriptorPool, kinds: type[Message], field: str, message: str, json: str
) -> None:
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    assert Codec(pool=pool).encoder(kinds, field)(made).decode() == json


def test_types_compile_the_same_from_several_threads(pool: DescriptorPool) -> None:
    kinds = type_of(pool, "test.Kinds")
    for _ in range(5):
        codec = Codec(pool=pool)
        start = threading.Barrier(4)
        texts: list[bytes] = []

        def work(
            codec: Codec = codec, start: threading.Barrier = start, texts: list[bytes] = texts
        ) -> None:
            start.wait(5)
            texts.append(codec.encode(codec.decode(kinds, b'{"oneKinds":{"oneColor":"GREEN"}}')))

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
        "2,000 Anys": (
            b'{"oneAny":'
            + b'{"@type":"type.googleapis.com/google.protobuf.Any","value":' * 2000
            + b"{}"
            + b"}" * 2001
        ),
        "500 Anys, which JSON parsers read": (
            b'{"oneAny":'
            + b'{"@type":"type.googleapis.com/google.protobuf.Any","value":' * 500
            + b"{}"
            + b"}" * 501
        ),
        "number of 5,000 digits": b'{"oneInt32":' + b"9" * 5000 + b"}",
        "quoted, 500,000 digits": b'{"oneInt32":"' + b"9" * 500_000 + b'"}',
        "quoted double": b'{"oneDouble":"' + b"9" * 500_000 + b'"}',
        "deep unknown": b'{"x":' + b"[" * 900 + b"]" * 900 + b',"oneInt32":"x"}',
    },
)
def test_what_costs_others_their_stack_is_refused_at_once(
    pool: DescriptorPool, kinds: type[Message], text: bytes
) -> None:
    codec = Codec(pool=pool)
    codec.decoder(kinds)  # which compiles it
    began = time.thread_time()  # which stands while others have the core
    refusal(codec, kinds, text)
    assert time.thread_time() - began < 0.5  # R12 asks for 50 ms on a quiet machine


@cases(
    "member",
    {
        "unknown": '"unknown":1',
        "null": '"name":null',
        "proto name": '"reserved_name":["x"]',
    },
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
