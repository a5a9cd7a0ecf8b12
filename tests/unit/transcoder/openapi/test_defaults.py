"""Fields that a message has to have, because their rules refuse the default."""

from google.protobuf import message_factory, text_format

from tests.support.schemas import compiled
from tests.support.tables import cases
from transcoder.openapi.defaults import refuses_default

RULES = """
message StringRules {
optional string const = 1;
optional uint64 len = 19;
optional uint64 min_len = 2;
optional uint64 max_len = 3;
optional string pattern = 6;
repeated string in = 10;
optional bool email = 12;
optional bool ignore_empty = 26;
}
message BytesRules {
optional uint64 min_len = 2;
}
message BoolRules {
optional bool const = 1;
}
message NumberRules {
optional int64 lt = 2;
optional int64 lte = 3;
optional int64 gt = 4;
optional int64 gte = 5;
repeated int64 not_in = 7;
}
message RepeatedRules {
optional uint64 min_items = 1;
optional uint64 max_items = 2;
}
message FieldRules {
oneof type {
StringRules string = 1;
BytesRules bytes = 2;
BoolRules bool = 3;
NumberRules number = 4;
RepeatedRules repeated = 5;
}
optional int32 ignore = 9;
}
message Ruled {
string text = 1;
bytes octets = 2;
bool flag = 3;
int64 count = 4;
double ratio = 5;
repeated string list = 6;
optional string present = 7;
oneof choice {
string chosen = 8;
}
}
"""
REQUIRED = {
    "a length": ("text", "string { min_len: 1 }"),
    "an exact length": ("text", "string { len: 2 }"),
    "a number of bytes": ("octets", "bytes { min_len: 1 }"),
    "a pattern": ("text", 'string { pattern: "^a" }'),
    "some texts": ("text", 'string { in: "a" in: "b" }'),
    "a format": ("text", "string { email: true }"),
    "a constant": ("flag", "bool { const: true }"),
    "from above zero": ("count", "number { gte: 1 }"),
    "above zero": ("ratio", "number { gt: 0 }"),
    "to below zero": ("count", "number { lte: -1 }"),
    "below zero": ("count", "number { lt: 0 }"),
    "not zero": ("count", "number { not_in: 0 }"),
    "some elements": ("list", "repeated { min_items: 1 }"),
}
OPTIONAL = {
    "a length from zero": ("text", "string { min_len: 0 max_len: 9 }"),
    "empty as well": ("text", "string { min_len: 1 ignore_empty: true }"),
    "ignored as a default": ("text", "string { min_len: 1 } ignore: 1"),
    "a pattern of nothing": ("text", 'string { pattern: "^a*$" }'),
    "a pattern of RE2": ("text", 'string { pattern: "^\\\\pN$" }'),
    "from zero": ("count", "number { gte: 0 }"),
    "no format": ("text", "string { email: false }"),
    "few elements": ("list", "repeated { max_items: 3 }"),
    "no kind": ("text", ""),
    "presence": ("present", "string { min_len: 1 }"),
    "a choice": ("chosen", "string { min_len: 1 }"),
}
_POOL = compiled(RULES)


def is_required(name: str, rules: str) -> bool:
    of_rules = _POOL.FindMessageTypeByName("test.FieldRules")
    made = text_format.Parse(rules, message_factory.GetMessageClass(of_rules)())
    message = _POOL.FindMessageTypeByName("test.Ruled")
    return refuses_default(message.fields_by_name[name], made)


@cases("name, rules", REQUIRED)
def test_a_field_whose_default_is_refused_is_required(name: str, rules: str) -> None:
    assert is_required(name, rules)


@cases("name, rules", OPTIONAL)
def test_a_field_whose_default_is_valid_is_not_required(name: str, rules: str) -> None:
    assert not is_required(name, rules)
