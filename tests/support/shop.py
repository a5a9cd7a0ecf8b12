"""A shop that no code was generated for: its schema, and a binder for its requests."""

from google.protobuf import text_format
from google.protobuf.message import Message

from tests.support.schemas import compiled, message_type
from transcoder.binding.binder import Binder
from transcoder.binding.fields import Fields
from transcoder.codec.codec import Codec
from transcoder.registry import methods_of
from transcoder.routing.http_rule import HttpRule
from transcoder.routing.template import PathTemplate

SHOP = compiled("""
enum Color {
RED = 0;
GREEN = 1;
}
message Size {
int32 width = 1;
Size inner = 2;
repeated string notes = 3;
map<string, Size> boxes = 4;
repeated Size parts = 5;
google.protobuf.Struct extra = 6;
Ways ways = 7;
string odd = 8 [json_name = "o[d]"];
Size deep = 9 [json_name = "d.e[p]"];
map<string, Size> apart = 10 [json_name = "a[]"];
}
message Ways {
oneof way {
int32 left = 1;
int32 right = 2;
}
}
message Order {
string id = 1;
int64 count = 2;
Color color = 3;
Size size = 4;
repeated string tags = 5;
map<string, string> labels = 6;
google.protobuf.Timestamp made_at = 7;
google.protobuf.Int32Value rank = 8;
google.protobuf.Value anything = 9;
repeated Size sizes = 10;
optional bool is_gift = 11;
oneof payment {
string card = 12;
Size barter = 13;
int32 coins = 14;
}
bytes blob = 15;
google.protobuf.Any packed = 16;
double price = 17;
google.protobuf.FieldMask update_mask = 18;
repeated google.protobuf.Duration waits = 19;
repeated Color colors = 20;
google.protobuf.Struct extra = 21;
google.protobuf.StringValue note = 22;
map<int32, Color> ranks = 23;
map<bool, bytes> marks = 24;
map<string, google.protobuf.Duration> times = 25;
map<string, Size> boxes = 26;
string odd = 27 [json_name = "i.d[0]"];
}
service Shop {
rpc Put(Order) returns (Order);
}
""")


def order(text: str) -> Message:
    """Makes a `test.Order` from text format."""
    return text_format.Parse(text, message_type(SHOP, "test.Order")(), descriptor_pool=SHOP)


def binder(template: str, *, body: str = "", strict: bool = False, verb: str = "PUT") -> Binder:
    """Makes a Binder for requests that are a `test.Order`."""
    method = methods_of("test.Shop", SHOP)["/test.Shop/Put"]
    rule = HttpRule("test.Shop.Put", verb, PathTemplate.parse(template), body, "")
    return Binder(method, rule, Fields(Codec(pool=SHOP, strict=strict)), strict=strict)
