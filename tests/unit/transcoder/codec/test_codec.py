"""ProtoJSON, rule by rule, over messages whose types are made at run time."""

import threading
import time
from collections.abc import Callable

import pytest
from google.protobuf import any_pb2, descriptor_pb2, message_factory, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

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
@pytest.mark.parametrize(
    ("message", "json"),
    [
        pytest.param("", "{}", id="nothing set"),
        pytest.param("one_int32: -5", '{"oneInt32":-5}', id="int32 is a number"),
        pytest.param(
            "one_int64: -9223372036854775808",
            '{"oneInt64":"-9223372036854775808"}',
            id="int64 is a string",
        ),
        pytest.param(
            "one_uint64: 18446744073709551615",
            '{"oneUint64":"18446744073709551615"}',
            id="uint64 is a string",
        ),
        pytest.param("one_fixed64: 7", '{"oneFixed64":"7"}', id="fixed64 is a string"),
        pytest.param("one_bool: true", '{"oneBool":true}', id="bool"),
        pytest.param('one_string: "a\\"\\n\\303\\251"', '{"oneString":"a\\"\\né"}', id="string"),
        pytest.param('one_bytes: "\\377\\376\\375"', '{"oneBytes":"//79"}', id="base64, standard"),
        pytest.param("one_double: 0.1", '{"oneDouble":0.1}', id="double, shortest"),
        pytest.param("one_float: 0.1", '{"oneFloat":0.1}', id="float, shortest"),
        pytest.param("one_float: 3.4028235e38", '{"oneFloat":3.4028235e+38}', id="greatest float"),
        pytest.param("one_float: 16777217", '{"oneFloat":16777216.0}', id="float of 9 digits"),
        pytest.param("one_double: nan", '{"oneDouble":"NaN"}', id="NaN is a word"),
        pytest.param("one_double: inf", '{"oneDouble":"Infinity"}', id="infinity is a word"),
        pytest.param("one_float: -inf", '{"oneFloat":"-Infinity"}', id="minus infinity is a word"),
        pytest.param("one_double: -0.0", '{"oneDouble":-0.0}', id="minus zero is no default"),
        pytest.param("one_color: GREEN", '{"oneColor":"GREEN"}', id="enum by name"),
        pytest.param("one_color: 99", '{"oneColor":99}', id="unknown number of an enum"),
        pytest.param("maybe_int32: 0", '{"maybeInt32":0}', id="optional, set to its default"),
        pytest.param("maybe_color: RED", '{"maybeColor":"RED"}', id="optional enum, default"),
        pytest.param('choose_string: ""', '{"chooseString":""}', id="member of a oneof, default"),
        pytest.param(
            "choose_nullvalue: NULL_VALUE", '{"chooseNullvalue":null}', id="NullValue is null"
        ),
        pytest.param("one_kinds {}", '{"oneKinds":{}}', id="message without fields"),
        pytest.param(
            "one_kinds { one_kinds { one_int32: 1 } }",
            '{"oneKinds":{"oneKinds":{"oneInt32":1}}}',
            id="message within itself",
        ),
        pytest.param("many_int64: [1, 0]", '{"manyInt64":["1","0"]}', id="list, defaults and all"),
        pytest.param("many_kinds {} many_kinds {}", '{"manyKinds":[{},{}]}', id="list of messages"),
        pytest.param("many_color: [GREEN, 5]", '{"manyColor":["GREEN",5]}', id="list of enums"),
        pytest.param(
            'map_int32 { key: "a" value: 0 }', '{"mapInt32":{"a":0}}', id="map, default as value"
        ),
        pytest.param(
            "by_int64 { key: -1 value: true }", '{"byInt64":{"-1":true}}', id="map by int64"
        ),
        pytest.param(
            "by_bool { key: true value: true }", '{"byBool":{"true":true}}', id="map by bool"
        ),
        pytest.param(
            'map_kinds { key: "" value {} }', '{"mapKinds":{"":{}}}', id="map of messages"
        ),
        pytest.param("one_empty {}", '{"oneEmpty":{}}', id="Empty"),
        pytest.param(
            "one_int64value { value: 5 }", '{"oneInt64value":"5"}', id="wrapper is what it holds"
        ),
        pytest.param("one_boolvalue {}", '{"oneBoolvalue":false}', id="wrapper of a default"),
        pytest.param(
            'many_stringvalue { value: "x" }', '{"manyStringvalue":["x"]}', id="list of wrappers"
        ),
    ],
)
def test_a_message_and_its_json_read_as_each_other(
    pool: DescriptorPool, kinds: type[Message], message: str, json: str
) -> None:
    codec = Codec(pool=pool)
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    assert codec.encode(made).decode() == json
    again = codec.decode(kinds, json.encode())
    assert again.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("json", "message"),
    [
        pytest.param(' {\n"oneInt32" :\t1 } ', "one_int32: 1", id="whitespace"),
        pytest.param('{"one_int32":1}', "one_int32: 1", id="proto name"),
        pytest.param('{"oneInt32":null,"manyInt32":null,"mapInt32":null}', "", id="null is unset"),
        pytest.param('{"oneKinds":null,"oneInt64value":null}', "", id="null message"),
        pytest.param('{"maybeInt32":null}', "", id="null for an optional field"),
        pytest.param('{"oneValue":null}', "one_value { null_value: 0 }", id="null is a Value"),
        pytest.param(
            '{"manyValue":[null]}', "many_value { null_value: 0 }", id="null in a list of Values"
        ),
        pytest.param('{"chooseNullvalue":null}', "choose_nullvalue: 0", id="null is a NullValue"),
        pytest.param('{"oneValue":true}', "one_value { bool_value: true }", id="bool in a Value"),
        pytest.param('{"oneInt32":"12"}', "one_int32: 12", id="int32 in quotes"),
        pytest.param('{"oneInt32":1.0}', "one_int32: 1", id="integral float"),
        pytest.param('{"oneInt32":1e2}', "one_int32: 100", id="exponent"),
        pytest.param('{"oneInt32":"1e2"}', "one_int32: 100", id="exponent in quotes"),
        pytest.param('{"oneInt32":"-1.0"}', "one_int32: -1", id="integral float in quotes"),
        pytest.param('{"oneInt32":-0}', "", id="minus zero of an integer"),
        pytest.param('{"oneInt64":9007199254740993}', "one_int64: 9007199254740993", id="2**53+1"),
        pytest.param(
            '{"oneInt64":9007199254740993.0}', "one_int64: 9007199254740993", id="2**53+1, float"
        ),
        pytest.param(
            '{"oneInt64":9223372036854775807.0}',
            "one_int64: 9223372036854775807",
            id="greatest int64, float",
        ),
        pytest.param(
            '{"oneUint64":1.8446744073709551615e19}',
            "one_uint64: 18446744073709551615",
            id="greatest uint64, exponent",
        ),
        pytest.param(
            '{"oneInt64":9.3e5,"oneDouble":0.1,"oneFloat":-0,"oneStruct":{"a":0.5,"b":-0}}',
            "one_int64: 930000 one_double: 0.1 one_float: -0.0 one_struct { fields { key: 'a' value"
            " { number_value: 0.5 } } fields { key: 'b' value { number_value: -0.0 } } }",
            id="other numbers of a document that is read exactly",
        ),
        pytest.param('{"oneDouble":-0}', "one_double: -0.0", id="minus zero of a double"),
        pytest.param('{"oneDouble":"-0"}', "one_double: -0.0", id="minus zero in quotes"),
        pytest.param('{"oneDouble":1}', "one_double: 1", id="integer for a double"),
        pytest.param('{"oneDouble":"1.5e3"}', "one_double: 1500", id="double in quotes"),
        pytest.param('{"oneFloat":1e-60}', "", id="float that underflows"),
        pytest.param('{"oneFloat":3.40282350e38}', "one_float: 3.4028235e38", id="rounds to max"),
        pytest.param('{"oneColor":1}', "one_color: GREEN", id="enum by number"),
        pytest.param('{"oneColor":1.0}', "one_color: GREEN", id="enum by integral float"),
        pytest.param('{"oneColor":"1"}', "one_color: GREEN", id="enum by quoted number"),
        pytest.param('{"oneColor":2147483647}', "one_color: 2147483647", id="unknown enum number"),
        pytest.param('{"oneBytes":"-_-_"}', 'one_bytes: "\\373\\377\\277"', id="base64, URL-safe"),
        pytest.param('{"oneBytes":"YQ"}', 'one_bytes: "a"', id="base64, unpadded"),
        pytest.param('{"oneBytes":""}', "", id="base64, empty"),
        pytest.param(
            '{"oneString":"\\u0000\\ud83d\\ude00"}', 'one_string: "\\000😀"', id="escapes"
        ),
        pytest.param('{"unknown":{"a":[1,{"b":2}]},"oneInt32":1}', "one_int32: 1", id="unknown"),
        pytest.param(
            '{"chooseString":null,"chooseInt64":"3"}', "choose_int64: 3", id="null beside a oneof"
        ),
        pytest.param(
            '{"byInt32":{"1e1":true}}', "by_int32 { key: 10 value: true }", id="key with exponent"
        ),
        pytest.param(
            '{"mapValue":{"a":null}}',
            'map_value { key: "a" value { null_value: 0 } }',
            id="null as value of a map",
        ),
        pytest.param(
            '{"mapStruct":{"k":{"a":[1]}},"manyStruct":[{}],"manyListvalue":[[true]]}',
            "map_struct { key: 'k' value { fields { key: 'a' value { list_value { values {"
            " number_value: 1 } } } } } } many_struct {} many_listvalue { values { bool_value: true"
            " } }",
            id="Struct in maps and lists",
        ),
        pytest.param('{"oneColor":"PINK","oneInt32":1}', "one_int32: 1", id="unknown enum name"),
        pytest.param(
            '{"manyColor":["GREEN","PINK","RED"]}',
            "many_color: [GREEN, RED]",
            id="unknown enum name in a list",
        ),
        pytest.param(
            '{"mapColor":{"a":"PINK","b":"GREEN"}}',
            "map_color { key: 'b' value: GREEN }",
            id="unknown enum name in a map",
        ),
        pytest.param(
            '{"chooseColor":"PINK","chooseInt64":"3"}',
            "choose_int64: 3",
            id="unknown enum name beside a oneof",
        ),
        pytest.param('{"chooseNullvalue":"NIL"}', "", id="unknown name of NullValue"),
    ],
)
def test_all_that_protojson_allows_is_read(
    pool: DescriptorPool, kinds: type[Message], json: str, message: str
) -> None:
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    read = Codec(pool=pool).decode(kinds, json.encode())
    assert read.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("json", "problem"),
    [
        pytest.param("null", "body: expected an object, got null", id="null"),
        pytest.param("[]", "body: expected an object, got an array", id="array"),
        pytest.param('"x"', "body: expected an object, got 'x'", id="string"),
        pytest.param(
            '{"oneInt32":2147483648}',
            "oneInt32: expected int32, got 2147483648, which is out of range",
            id="int32 out of range",
        ),
        pytest.param(
            '{"oneUint32":-1}',
            "oneUint32: expected uint32, got -1, which is out of range",
            id="negative unsigned",
        ),
        pytest.param('{"oneInt32":1.5}', "oneInt32: expected int32, got 1.5", id="fraction"),
        pytest.param('{"oneInt32":true}', "oneInt32: expected int32, got true", id="bool for int"),
        pytest.param('{"oneInt32":""}', "oneInt32: expected int32, got ''", id="empty for int"),
        pytest.param('{"oneInt32":" 1"}', "oneInt32: expected int32, got ' 1'", id="space before"),
        pytest.param('{"oneInt32":"1_0"}', "oneInt32: expected int32, got '1_0'", id="underscore"),
        pytest.param('{"oneInt32":"+1"}', "oneInt32: expected int32, got '+1'", id="plus sign"),
        pytest.param('{"oneInt32":"01"}', "oneInt32: expected int32, got '01'", id="leading zero"),
        pytest.param('{"oneInt32":"٣"}', "oneInt32: expected int32, got '٣'", id="other digits"),
        pytest.param(
            '{"oneInt64":"1e999999999"}',
            "oneInt64: expected int64, got '1e999999999', which is out of range",
            id="exponent that no memory holds",
        ),
        pytest.param(
            '{"oneInt64":"1e-999999999"}',
            "oneInt64: expected int64, got '1e-999999999'",
            id="exponent that no digits reach",
        ),
        pytest.param(
            '{"oneInt64":-9223372036854775809}',
            "oneInt64: expected int64, got -9223372036854775809, which is out of range",
            id="one below int64",
        ),
        pytest.param(
            '{"oneInt64":9223372036854775808.0}',
            "oneInt64: expected int64, got 9223372036854775808.0, which is out of range",
            id="one above int64, float",
        ),
        pytest.param(
            '{"oneUint64":18446744073709551616}',
            "oneUint64: expected uint64, got 18446744073709551616, which is out of range",
            id="one above uint64",
        ),
        pytest.param(
            '{"oneInt64":9007199254740993.5}',
            "oneInt64: expected int64, got 9007199254740993.5",
            id="fraction beyond 2**53",
        ),
        pytest.param(
            '{"manyInt32":[1,2,"x"]}',
            "manyInt32[2]: expected int32, got 'x'",
            id="element of a list",
        ),
        pytest.param('{"manyInt32":[null]}', "manyInt32[0]: expected int32, got null", id="null"),
        pytest.param(
            '{"manyKinds":[null]}', "manyKinds[0]: expected an object, got null", id="nul"
        ),
        pytest.param('{"manyInt32":1}', "manyInt32: expected an array, got 1", id="no array"),
        pytest.param('{"manyInt32":{}}', "manyInt32: expected an array, got an object", id="obj"),
        pytest.param(
            '{"manyValue":null}', "manyValue: expected an array, got null", id="null for Values"
        ),
        pytest.param('{"mapInt32":[]}', "mapInt32: expected an object, got an array", id="no map"),
        pytest.param(
            '{"mapInt32":{"a b":"x"}}',
            "mapInt32['a b']: expected int32, got 'x'",
            id="value of a map",
        ),
        pytest.param('{"mapInt32":{"a":null}}', "mapInt32['a']: expected int32, got null", id="n"),
        pytest.param(
            '{"byInt32":{"x":true}}', "byInt32['x']: expected int32, got 'x'", id="key of a map"
        ),
        pytest.param(
            '{"byBool":{"1":true}}', "byBool['1']: expected bool, got '1'", id="key that is no bool"
        ),
        pytest.param(
            '{"byInt32":{"1":true,"1.0":true}}', "byInt32: a key is given twice", id="equal keys"
        ),
        pytest.param('{"oneBool":1}', "oneBool: expected bool, got 1", id="number for bool"),
        pytest.param(
            '{"oneBool":"true"}', "oneBool: expected bool, got 'true'", id="text for bool"
        ),
        pytest.param('{"oneString":1}', "oneString: expected string, got 1", id="no string"),
        pytest.param('{"oneBytes":"Y"}', "oneBytes: expected base64, got 'Y'", id="one character"),
        pytest.param(
            '{"oneBytes":"YQ="}', "oneBytes: expected base64, got 'YQ='", id="half padded"
        ),
        *(
            pytest.param(
                f'{{"oneBytes":"{text}"}}',
                f"oneBytes: expected base64, got '{text}'",
                id=f"padding of no group, {text}",
            )
            for text in ("YWJj=", "YWJj==", "YWJj====", "YQ===", "====", "YQ==YQ==")
        ),
        pytest.param('{"oneBytes":"Y Q="}', "oneBytes: expected base64, got 'Y Q='", id="space"),
        pytest.param('{"oneBytes":"é"}', "oneBytes: expected base64, got 'é'", id="not ASCII"),
        pytest.param('{"oneBytes":5}', "oneBytes: expected base64, got 5", id="number for bytes"),
        pytest.param(
            '{"oneDouble":"1e999"}',
            "oneDouble: expected double, got '1e999', which is out of range",
            id="inf",
        ),
        pytest.param(
            f'{{"oneInt64":"{"9" * 5000}"}}',
            f"oneInt64: expected int64, got '{'9' * 40}…', which is out of range",
            id="5,000 digits in quotes",
        ),
        pytest.param(
            f'{{"oneDouble":"-{"9" * 5000}"}}',
            f"oneDouble: expected double, got '-{'9' * 39}…', which is out of range",
            id="5,000 digits in quotes, double",
        ),
        pytest.param('{"oneDouble":"inf"}', "oneDouble: expected double, got 'inf'", id="word"),
        pytest.param('{"oneDouble":true}', "oneDouble: expected double, got true", id="bool"),
        pytest.param('{"oneDouble":""}', "oneDouble: expected double, got ''", id="empty double"),
        pytest.param(
            '{"oneFloat":3.5e38}',
            "oneFloat: expected float, got 3.5e+38, which is out of range",
            id="float32",
        ),
        pytest.param(
            '{"oneFloat":"-1e39"}',
            "oneFloat: expected float, got '-1e39', which is out of range",
            id="float-",
        ),
        pytest.param(
            '{"oneColor":"2147483648"}',
            "oneColor: expected a value of test.Color, got '2147483648'",
            id="quoted number beyond an enum",
        ),
        pytest.param(
            '{"oneColor":2147483648}',
            "oneColor: expected a value of test.Color, got 2147483648",
            id="number beyond an enum",
        ),
        pytest.param(
            '{"oneColor":1.5}', "oneColor: expected a value of test.Color, got 1.5", id="half enum"
        ),
        pytest.param(
            '{"oneColor":true}',
            "oneColor: expected a value of test.Color, got true",
            id="bool enum",
        ),
        pytest.param(
            '{"chooseString":"a","chooseInt64":1}',
            "body: expected one of choose_int64, choose_string, got 2",
            id="two members of a oneof",
        ),
        pytest.param(
            '{"oneKinds":{"one_int32":1,"oneInt32":1}}',
            "oneKinds: one_int32 and oneInt32 are one field, given twice",
            id="both names of a field",
        ),
        pytest.param(
            '{"oneKinds":{"oneInt32":1,"oneInt32":2}}',
            "oneKinds.oneInt32: given twice",
            id="a name twice",
        ),
        pytest.param(
            '{"oneString":"' + "x" * 100 + '","oneKinds":"' + "x" * 100 + '"}',
            "oneKinds: expected an object, got 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'",
            id="long value is cut",
        ),
        pytest.param(
            '{"oneInt64":' + "1" * 300 + "}",
            "oneInt64: expected int64, got 1111111111111111111111111111111111111111…, "
            "which is out of range",
            id="long number is cut",
        ),
    ],
)
def test_all_else_is_refused_with_the_path_of_the_field(
    pool: DescriptorPool, kinds: type[Message], json: str, problem: str
) -> None:
    assert refusal(Codec(pool=pool), kinds, json.encode()) == problem


@pytest.mark.parametrize(
    ("json", "problem"),
    [
        pytest.param(
            '{"oneKinds":{"colour":1}}',
            "oneKinds: 'colour' is no field of test.Kinds",
            id="member that is no field",
        ),
        pytest.param(
            '{"oneColor":"PINK"}',
            "oneColor: expected a value of test.Color, got 'PINK'",
            id="unknown enum name",
        ),
        pytest.param(
            '{"manyColor":["GREEN","PINK"]}',
            "manyColor[1]: expected a value of test.Color, got 'PINK'",
            id="unknown enum name in a list",
        ),
        pytest.param(
            '{"mapColor":{"a":"PINK"}}',
            "mapColor['a']: expected a value of test.Color, got 'PINK'",
            id="unknown enum name in a map",
        ),
    ],
)
def test_strict_refuses_what_is_not_known(
    pool: DescriptorPool, kinds: type[Message], json: str, problem: str
) -> None:
    assert refusal(Codec(pool=pool, strict=True), kinds, json.encode()) == problem


@pytest.mark.parametrize(
    ("options", "json"),
    [
        pytest.param(
            JsonOptions(proto_names=True),
            '{"sub_item":{"big_count":"1"},"item_kind":"SOME"}',
            id="proto_names",
        ),
        pytest.param(
            JsonOptions(enums_as_ints=True),
            '{"subItem":{"bigCount":"1"},"itemKind":1}',
            id="enums_as_ints",
        ),
        pytest.param(
            JsonOptions(emit_defaults=True),
            '{"bigCount":"0","subItem":{"bigCount":"1","itemKind":"NONE","tags":[],"weights":{},'
            '"ratio":0.0},"itemKind":"SOME","tags":[],"weights":{},"ratio":0.0}',
            id="emit_defaults",
        ),
    ],
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


@pytest.mark.parametrize(
    "json",
    [
        pytest.param('{"count":0,"name":""}', id="presence of defaults"),
        pytest.param('{"fixed":"TWO","several":["ONE","TWO"]}', id="closed enum"),
        pytest.param('{"[test.ext_number]":"5"}', id="extension"),
        pytest.param('{"[test.ext_words]":["a","b"]}', id="repeated extension"),
        pytest.param('{"[test.ext_message]":{}}', id="extension that is an empty message"),
        pytest.param(
            '{"count":1,"[test.ext_messages]":[{"size":"1"},{}]}', id="extension of messages"
        ),
    ],
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


@pytest.mark.parametrize(
    ("json", "problem"),
    [
        pytest.param(
            '{"fixed":3}', "fixed: expected a value of test.Fixed, got 3", id="closed enum, number"
        ),
        pytest.param(
            '{"fixed":"3"}',
            "fixed: expected a value of test.Fixed, got '3'",
            id="closed enum, quoted number",
        ),
        pytest.param(
            '{"[test.ext_number]":"x"}',
            "[test.ext_number]: expected int64, got 'x'",
            id="value of an extension",
        ),
    ],
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


@pytest.mark.parametrize(
    ("opening", "value", "closing", "levels"),
    [
        pytest.param('{"oneKinds":', "{}", "}", 100, id="messages"),
        pytest.param('{"manyKinds":[', "{}", "]}", 100, id="lists of messages"),
        pytest.param('{"mapKinds":{"k":', "{}", "}}", 50, id="maps of messages"),
    ],
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


@pytest.mark.parametrize(
    ("name", "opening", "value", "closing", "levels"),
    [
        pytest.param("Struct", '{"a":', "1", "}", 33, id="Struct"),
        pytest.param("ListValue", "[", "1", "]", 50, id="ListValue"),
        pytest.param("Value", '{"a":[', "1", "]}", 19, id="Value"),
        pytest.param(
            "Any",
            '{"@type":"type.googleapis.com/google.protobuf.Any","value":',
            "{}",
            "}",
            99,
            id="Any",
        ),
    ],
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


@pytest.mark.parametrize(
    "json",
    [
        pytest.param("{}", id="empty"),
        pytest.param(f'{{"@type":"{ANY}/test.Kinds","oneInt32":1}}', id="message"),
        pytest.param(f'{{"@type":"{ANY}/google.protobuf.Empty"}}', id="Empty"),
        pytest.param(f'{{"@type":"{ANY}/google.protobuf.Duration","value":"1s"}}', id="special"),
        pytest.param(f'{{"@type":"{ANY}/google.protobuf.Value","value":null}}', id="null Value"),
        pytest.param(
            f'{{"@type":"{ANY}/google.protobuf.Any",'
            f'"value":{{"@type":"{ANY}/google.protobuf.Int64Value","value":"5"}}}}',
            id="Any within Any",
        ),
    ],
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


@pytest.mark.parametrize(
    ("json", "problem"),
    [
        pytest.param("[]", "body: expected an object, got an array", id="array"),
        pytest.param('{"a":1}', 'body: expected a type URL under "@type", got null', id="no type"),
        pytest.param(
            '{"@type":5}', 'body: expected a type URL under "@type", got 5', id="number as type"
        ),
        pytest.param(
            '{"@type":"test.Kinds"}',
            "body: expected a type URL such as type.googleapis.com/package.Type, got 'test.Kinds'",
            id="name without slash",
        ),
        pytest.param(
            '{"@type":"a/test.Nope"}',
            "body: expected a type that this server knows, got 'test.Nope'",
            id="unknown type",
        ),
        pytest.param(
            '{"@type":"a/google.protobuf.Duration"}',
            'body: expected a Duration under "value", got none',
            id="special without value",
        ),
        pytest.param(
            '{"@type":"a/google.protobuf.Duration","value":5}',
            "value: expected a duration in seconds, got 5",
            id="bad special value",
        ),
        pytest.param(
            '{"@type":"a/test.Kinds","oneInt32":"x"}',
            "oneInt32: expected int32, got 'x'",
            id="bad field",
        ),
    ],
)
def test_an_any_that_cannot_be_packed_is_refused(
    pool: DescriptorPool, json: str, problem: str
) -> None:
    any_type = type_of(pool, "google.protobuf.Any")
    assert refusal(Codec(pool=pool), any_type, json.encode()) == problem


@pytest.mark.parametrize(
    ("packed", "json"),
    [
        pytest.param(
            any_pb2.Any(type_url=f"{ANY}/google.protobuf.Duration", value=b"\x08\x05"),
            {"@type": f"{ANY}/google.protobuf.Duration", "value": "5s"},
            id="known",
        ),
        pytest.param(
            any_pb2.Any(type_url=f"{ANY}/test.Nope", value=b"\x08\x05"),
            {"@type": f"{ANY}/test.Nope", "value": "CAU="},
            id="unknown type",
        ),
        pytest.param(
            any_pb2.Any(type_url=f"{ANY}/google.protobuf.Duration", value=b"\xff"),
            {"@type": f"{ANY}/google.protobuf.Duration", "value": "/w=="},
            id="bytes that are no message",
        ),
        pytest.param(
            any_pb2.Any(type_url="nonsense", value=b""),
            {"@type": "nonsense", "value": ""},
            id="no type URL",
        ),
        pytest.param(
            any_pb2.Any(value=b"x"), {"@type": "", "value": "eA=="}, id="value without a type"
        ),
        pytest.param(any_pb2.Any(), {}, id="empty"),
    ],
)
def test_any_json_never_fails(
    pool: DescriptorPool, packed: any_pb2.Any, json: dict[str, object]
) -> None:
    assert Codec(pool=pool).any_json(packed) == json


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("one_struct { fields { key: 'a' value { number_value: nan } } }", id="NaN"),
        pytest.param("one_timestamp { seconds: 253402300800 }", id="Timestamp in the year 10000"),
        pytest.param("one_timestamp { nanos: -1 }", id="Timestamp with negative nanos"),
        pytest.param("one_duration { seconds: 1 nanos: -1 }", id="Duration of two signs"),
        pytest.param("one_duration { seconds: 315576000001 }", id="Duration too long"),
        pytest.param("one_fieldmask { paths: 'fooBar' }", id="FieldMask with a capital"),
        pytest.param("one_fieldmask { paths: 'foo_3' }", id="FieldMask with a digit behind _"),
        pytest.param("one_any { type_url: 'a/test.Nope' }", id="Any of an unknown type"),
    ],
)
def test_a_message_without_a_json_form_is_the_servers_fault(
    pool: DescriptorPool, kinds: type[Message], message: str
) -> None:
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    with pytest.raises(Fault):
        Codec(pool=pool).encode(made)


@pytest.mark.parametrize(
    ("field", "message", "json"),
    [
        pytest.param("one_string", "one_string: 'x'", '"x"', id="scalar"),
        pytest.param("one_string", "", '""', id="unset scalar"),
        pytest.param("one_int64", "one_int64: 5", '"5"', id="int64"),
        pytest.param("one_kinds", "one_kinds { one_int32: 1 }", '{"oneInt32":1}', id="message"),
        pytest.param("one_kinds", "", "{}", id="unset message"),
        pytest.param("one_timestamp", "one_timestamp { }", '"1970-01-01T00:00:00Z"', id="special"),
        pytest.param("one_timestamp", "", "null", id="unset special"),
        pytest.param("many_kinds", "many_kinds {}", "[{}]", id="list"),
        pytest.param("many_kinds", "", "[]", id="empty list"),
        pytest.param("by_bool", "by_bool { key: false value: true }", '{"false":true}', id="map"),
    ],
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


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[" * 100_000, id="100,000 arrays"),
        pytest.param(b"[" * 1_000_000, id="1,000,000 arrays"),
        pytest.param(b'{"oneKinds":' * 100_000, id="100,000 objects"),
        pytest.param(
            b'{"oneAny":'
            + b'{"@type":"type.googleapis.com/google.protobuf.Any","value":' * 2000
            + b"{}"
            + b"}" * 2001,
            id="2,000 Anys",
        ),
        pytest.param(
            b'{"oneAny":'
            + b'{"@type":"type.googleapis.com/google.protobuf.Any","value":' * 500
            + b"{}"
            + b"}" * 501,
            id="500 Anys, which JSON parsers read",
        ),
        pytest.param(b'{"oneInt32":' + b"9" * 5000 + b"}", id="number of 5,000 digits"),
        pytest.param(b'{"oneInt32":"' + b"9" * 500_000 + b'"}', id="quoted, 500,000 digits"),
        pytest.param(b'{"oneDouble":"' + b"9" * 500_000 + b'"}', id="quoted double"),
        pytest.param(b'{"x":' + b"[" * 900 + b"]" * 900 + b',"oneInt32":"x"}', id="deep unknown"),
    ],
)
def test_what_costs_others_their_stack_is_refused_at_once(
    pool: DescriptorPool, kinds: type[Message], text: bytes
) -> None:
    codec = Codec(pool=pool)
    codec.decoder(kinds)  # which compiles it
    began = time.thread_time()  # which stands while others have the core
    refusal(codec, kinds, text)
    assert time.thread_time() - began < 0.5  # R12 asks for 50 ms on a quiet machine


@pytest.mark.parametrize(
    "member",
    [
        pytest.param('"unknown":1', id="unknown"),
        pytest.param('"name":null', id="null"),
        pytest.param('"reserved_name":["x"]', id="proto name"),
    ],
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
