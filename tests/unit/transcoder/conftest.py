"""Schemas for the transcoder's tests."""

from collections.abc import Callable

import pytest
from google.protobuf import message_factory, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from tests.support.schemas import compiled, every_kind
from transcoder.binding.binder import Binder
from transcoder.binding.fields import Fields
from transcoder.codec.codec import Codec
from transcoder.registry import methods_of
from transcoder.routing.http_rule import HttpRule
from transcoder.routing.template import PathTemplate

CompileProto = Callable[[str], DescriptorPool]


@pytest.fixture(scope="session")
def compile_proto() -> CompileProto:
    """Compiles a file of package `test`, with the well-known types beside it."""
    return compiled


@pytest.fixture(scope="session")
def pool() -> DescriptorPool:
    """Holds `test.Kinds`."""
    return compiled(every_kind())


@pytest.fixture(scope="session")
def kinds(pool: DescriptorPool) -> type[Message]:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Kinds"))


SHOP = """
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
"""


@pytest.fixture(scope="session")
def shop() -> DescriptorPool:
    """Holds `test.Order`, and `test.Shop` with one method."""
    return compiled(SHOP)


@pytest.fixture
def binder(shop: DescriptorPool) -> Callable[..., Binder]:
    """Makes a Binder for a request that is a `test.Order`."""

    def make(template: str, *, body: str = "", strict: bool = False, verb: str = "PUT") -> Binder:
        method = methods_of("test.Shop", shop)["/test.Shop/Put"]
        rule = HttpRule("test.Shop.Put", verb, PathTemplate.parse(template), body, "")
        return Binder(method, rule, Fields(Codec(pool=shop, strict=strict)), strict=strict)

    return make


@pytest.fixture
def order(shop: DescriptorPool) -> Callable[[str], Message]:
    """Makes a `test.Order` from text format."""

    def make(text: str) -> Message:
        order = message_factory.GetMessageClass(shop.FindMessageTypeByName("test.Order"))
        return text_format.Parse(text, order(), descriptor_pool=shop)

    return make
