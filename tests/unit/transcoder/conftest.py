"""Schemas for the transcoder's tests, made at run time from a small part of the .proto language."""

import re
from collections.abc import Callable

import pytest
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    text_format,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder.binding import Binder
from transcoder.codec import Codec
from transcoder.fields import Fields
from transcoder.rules import HttpRule
from transcoder.schema import methods_of
from transcoder.template import PathTemplate

CompileProto = Callable[[str], DescriptorPool]

WELL_KNOWN = (
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
INTEGERS = [
    *("int32", "int64", "uint32", "uint64", "sint32", "sint64"),
    *("fixed32", "fixed64", "sfixed32", "sfixed64"),
]
SCALARS = [*INTEGERS, "double", "float", "bool", "string", "bytes"]
MESSAGES = [
    *("Any", "Duration", "Empty", "FieldMask", "Struct", "Value", "ListValue", "Timestamp"),
    *("DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value"),
    *("BoolValue", "StringValue", "BytesValue"),
]
OPENS = re.compile(r"(message|oneof|enum|extend|service) (\S+) \{")
FIELD = re.compile(
    r"(?:(optional|repeated|required) )?(?:map<(\w+), ([\w.]+)>|([\w.]+)) (\w+) = (\d+)"
    r'(?: \[json_name = "([^"]*)"\])?;'
)
ENUM_VALUE = re.compile(r"(\w+) = (-?\d+);")
RPC = re.compile(r"rpc (\w+)\((\w+)\) returns \((\w+)\);")


class Compiler:
    """One statement a line; every type is named in full, or stands in the same file."""

    def __init__(self, text: str) -> None:
        self.file = descriptor_pb2.FileDescriptorProto(
            name="test.proto",
            syntax="proto3",
            package="test",
            dependency=[module.DESCRIPTOR.name for module in WELL_KNOWN],
        )
        self.enums = set(re.findall(r"enum (\w+)", text)) | {"google.protobuf.NullValue"}
        self.message = descriptor_pb2.DescriptorProto()
        self.enum = descriptor_pb2.EnumDescriptorProto()
        self.service = descriptor_pb2.ServiceDescriptorProto()
        self.extended = ""
        self.oneof: str | None = None
        self.optional: list[
            tuple[descriptor_pb2.DescriptorProto, descriptor_pb2.FieldDescriptorProto]
        ] = []
        for line in filter(None, map(str.strip, text.splitlines())):
            self.read(line)
        for message, field in self.optional:  # protobuf wants these oneofs behind all others
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def read(self, line: str) -> None:
        if line == 'syntax = "proto2";':
            self.file.syntax = "proto2"
        elif line == "}":
            # A oneof and an extend end before the message around them goes on.
            self.oneof, self.extended = None, ""
        elif match := OPENS.fullmatch(line):
            self.open(match[1], match[2])
        elif match := RPC.fullmatch(line):
            self.service.method.add(
                name=match[1], input_type=f".test.{match[2]}", output_type=f".test.{match[3]}"
            )
        elif line == "extensions 100 to 199;":
            self.message.extension_range.add(start=100, end=200)
        elif match := ENUM_VALUE.fullmatch(line):
            self.enum.value.add(name=match[1], number=int(match[2]))
        elif match := FIELD.fullmatch(line):
            self.field(*match.groups())
        else:
            raise ValueError(line)

    def open(self, kind: str, name: str) -> None:
        if kind == "message":
            self.message = self.file.message_type.add(name=name)
        elif kind == "enum":
            self.enum = self.file.enum_type.add(name=name)
        elif kind == "service":
            self.service = self.file.service.add(name=name)
        elif kind == "oneof":
            self.oneof = name
            self.message.oneof_decl.add(name=name)
        else:
            self.extended = name

    def field(
        self,
        label: str | None,
        key: str | None,
        held: str | None,
        kind: str | None,
        name: str,
        number: str,
        json_name: str | None,
    ) -> None:
        owner = self.file.extension if self.extended else self.message.field
        field = owner.add(name=name, number=int(number), label="LABEL_OPTIONAL")
        if json_name is not None:
            field.json_name = json_name
        if self.extended:
            field.extendee = f".test.{self.extended}"
        if key is not None and held is not None:
            entry = self.message.nested_type.add(name=name.title().replace("_", "") + "Entry")
            entry.options.map_entry = True
            for entry_name, entry_kind in (("key", key), ("value", held)):
                entry_field = entry.field.add(name=entry_name, number=len(entry.field) + 1)
                entry_field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
                self.type(entry_field, entry_kind)
            self.type(field, f"{self.message.name}.{entry.name}")
            field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            return
        self.type(field, kind or "")
        if label in ("repeated", "required"):
            field.label = descriptor_pb2.FieldDescriptorProto.Label.Value(f"LABEL_{label.upper()}")
        elif label == "optional" and self.file.syntax == "proto3":
            self.optional.append((self.message, field))
        if self.oneof is not None:
            field.oneof_index = [oneof.name for oneof in self.message.oneof_decl].index(self.oneof)

    def type(self, field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
        if kind in SCALARS:
            field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
            return
        is_enum = kind in self.enums
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(
            "TYPE_ENUM" if is_enum else "TYPE_MESSAGE"
        )
        field.type_name = f".{kind}" if kind.startswith("google.") else f".test.{kind}"


def compiled(text: str) -> DescriptorPool:
    pool = DescriptorPool()
    for module in WELL_KNOWN:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(Compiler(text).file.SerializeToString())
    return pool


def every_kind() -> str:
    """A message with a field of every kind, alone, repeated, optional, in maps and in a oneof."""
    kinds = [*SCALARS, "Color", "Kinds", *(f"google.protobuf.{name}" for name in MESSAGES)]
    lines = ["enum Color {", "RED = 0;", "GREEN = 1;", "DARK_BLUE = -3;", "}"]
    lines += ["message Kinds {"]
    numbers = iter(range(1, 1000))
    for kind in kinds:
        name = kind.rpartition(".")[2].lower()
        lines += [
            f"{kind} one_{name} = {next(numbers)};",
            f"repeated {kind} many_{name} = {next(numbers)};",
            f"map<string, {kind}> map_{name} = {next(numbers)};",
        ]
        if kind in SCALARS or kind == "Color":
            lines.append(f"optional {kind} maybe_{name} = {next(numbers)};")
    for kind in (*INTEGERS, "bool", "string"):
        lines.append(f"map<{kind}, bool> by_{kind} = {next(numbers)};")
    lines += ["oneof choice {"]
    for kind in ("string", "int64", "bytes", "Kinds", "Color", "google.protobuf.NullValue"):
        lines.append(f"{kind} choose_{kind.rpartition('.')[2].lower()} = {next(numbers)};")
    lines += ["}", "}"]
    return "\n".join(lines)


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
